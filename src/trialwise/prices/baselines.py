"""The forecasts that every model must beat.

A baseline takes all closes, the row of the first day to forecast and the horizon in days, and gives one forecast for
each day from there to the last; the forecast of day t uses closes up to day t - horizon only. What is said of tomorrow
below holds for the last day of the horizon.

Legend: N days.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import log_returns
from trialwise.prices.linear import ar_ridge, dlinear

MOVING_AVERAGE_DAYS = 5
Baseline = Callable[[NDArray[np.float64], int, int], NDArray[np.float64]]


def naive(close_N: NDArray[np.float64], first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = today: (N - first_row,) prices."""
    return close_N[first_row - horizon : -horizon].copy()


def drift(close_N: NDArray[np.float64], first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = today grown by the mean daily log-return of all days so far: (N - first_row,) prices."""
    n_moves = np.arange(first_row - horizon, len(close_N) - horizon)
    mean_return = np.cumsum(log_returns(close_N))[first_row - horizon : -horizon] / np.maximum(n_moves, 1)
    return naive(close_N, first_row, horizon) * np.exp(horizon * mean_return)


def moving_average(close_N: NDArray[np.float64], first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = the mean of the last 5 closes: (N - first_row,) prices; 5 days and the horizon come before them."""
    known_N = close_N[first_row - horizon + 1 - MOVING_AVERAGE_DAYS : -horizon]
    return np.lib.stride_tricks.sliding_window_view(known_N, MOVING_AVERAGE_DAYS).mean(axis=1)


BASELINES: dict[str, Baseline] = {
    "naive": naive,
    "drift": drift,
    f"moving_average_{MOVING_AVERAGE_DAYS}": moving_average,
    "ar_ridge": ar_ridge,
    "dlinear": dlinear,
}

"""The forecasts that every model must beat.

A baseline takes all closes and the row of the first day to forecast, and gives one forecast for each day from there
to the last; the forecast of day t uses closes up to day t-1 only.

Legend: N days.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import log_returns
from trialwise.prices.linear import ar_ridge, dlinear

MOVING_AVERAGE_DAYS = 5
Baseline = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


def naive(close_N: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    """Tomorrow = today: (N - first_row,) prices."""
    return close_N[first_row - 1 : -1].copy()


def drift(close_N: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    """Tomorrow = today grown by the mean daily log-return of all days so far: (N - first_row,) prices."""
    n_moves = np.arange(first_row - 1, len(close_N) - 1)
    mean_return = np.cumsum(log_returns(close_N))[first_row - 1 : -1] / np.maximum(n_moves, 1)
    return naive(close_N, first_row) * np.exp(mean_return)


def moving_average(close_N: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    """Tomorrow = the mean of the last 5 closes: (N - first_row,) prices; `first_row` is at least 5."""
    windows = np.lib.stride_tricks.sliding_window_view(
        close_N[first_row - MOVING_AVERAGE_DAYS : -1], MOVING_AVERAGE_DAYS
    )
    return windows.mean(axis=1)


BASELINES: dict[str, Baseline] = {
    "naive": naive,
    "drift": drift,
    f"moving_average_{MOVING_AVERAGE_DAYS}": moving_average,
    "ar_ridge": ar_ridge,
    "dlinear": dlinear,
}

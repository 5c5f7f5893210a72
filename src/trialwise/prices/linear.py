"""Linear forecasts of the next log-return, fitted by ridge regression on the days before the origin.

They take all closes and the row of the first day to forecast, as every baseline. What they may choose (how many days
they look back, the penalty) is chosen on the last 15 % of the days before the origin, after fitting on those before;
then they are fitted once more on all of them. There is no intercept and the strongest penalty all but silences the
model, so that each can fall back to the naive forecast.

Legend: N days, F features.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import CLIP_SD, log_returns
from trialwise.prices.splits import split_rows

AR_LAGS = (1, 2, 5, 10)
DLINEAR_DAYS = (30, 60)
TREND_DAYS = 25
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def ar_ridge(close_N: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    """Tomorrow = today moved by a weighted sum of the last 1, 2, 5 or 10 log-returns: (N - first_row,) prices."""
    return _forecast(close_N, first_row, _past_returns, AR_LAGS)


def dlinear(close_N: NDArray[np.float64], first_row: int) -> NDArray[np.float64]:
    """Tomorrow = today moved by linear maps of the last 30 or 60 days' trend and remainder: (N - first_row,) prices.

    Zeng et al. 2023, "Are transformers effective for time series forecasting?", on log closes less the last one (as
    their NLinear), with ridge regression in closed form in place of gradient descent.
    """
    return _forecast(close_N, first_row, _trend_and_remainder, DLINEAR_DAYS)


def _past_returns(close_N: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(N - n_days, n_days) the log-returns before each day from row `n_days` on; the first row has none of its own."""
    return np.lib.stride_tricks.sliding_window_view(log_returns(close_N)[:-1], n_days)


def _trend_and_remainder(close_N: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(N - n_days, 2 x n_days) moving averages over 25 days, the ends repeated, and what they leave."""
    windows = np.lib.stride_tricks.sliding_window_view(np.log(close_N)[:-1], n_days)
    windows = windows - windows[:, -1:]
    reach = TREND_DAYS // 2
    ends = np.pad(windows, ((0, 0), (reach, reach)), mode="edge")
    trend = np.lib.stride_tricks.sliding_window_view(ends, TREND_DAYS, axis=1).mean(axis=-1)
    return np.concatenate([trend, windows - trend], axis=1)


def _forecast(
    close_N: NDArray[np.float64],
    first_row: int,
    features: Callable[[NDArray[np.float64], int], NDArray[np.float64]],
    choices: Sequence[int],
) -> NDArray[np.float64]:
    """Forecast closes with the look-back and the penalty that were best in validation; naive where days are too few."""
    returns_N = log_returns(close_N)
    first_valid = split_rows(first_row, 0.0).valid.start
    best_loss, best = np.inf, None
    for n_days in choices:
        if first_valid < 2 * n_days:
            continue
        # Row i of the features speaks of day n_days + i.
        known, moves = features(close_N[:first_row], n_days), returns_N[n_days:first_row]
        n_fit = first_valid - n_days
        for penalty in PENALTIES:
            weights, scale = _ridge(known[:n_fit], moves[:n_fit], penalty)
            loss = float(np.mean((moves[n_fit:] - _moves(known[n_fit:], weights, scale)) ** 2))
            if loss < best_loss:
                best_loss, best = loss, (n_days, penalty)
    if best is None:
        return close_N[first_row - 1 : -1].copy()
    n_days, penalty = best
    inputs = features(close_N, n_days)
    n_fit = first_row - n_days
    weights, scale = _ridge(inputs[:n_fit], returns_N[n_days:first_row], penalty)
    return close_N[first_row - 1 : -1] * np.exp(_moves(inputs[n_fit:], weights, scale))


def _ridge(
    inputs: NDArray[np.float64], moves: NDArray[np.float64], penalty: float
) -> tuple[NDArray[np.float64], float]:
    """(F,) weights of scaled inputs, and their scale. At penalty 1 one lone feature of that scale gets half its slope.

    Inputs and moves are cut at 5 of their standard deviations around 0: squared, one crash would outweigh years.
    """
    scale = float(np.sqrt(np.mean(inputs**2))) or 1.0
    moves_sd = float(np.sqrt(np.mean(moves**2)))
    scaled = np.clip(inputs / scale, -CLIP_SD, CLIP_SD)
    gram = scaled.T @ scaled + penalty * len(moves) * np.eye(scaled.shape[1])
    weights = np.linalg.solve(gram, scaled.T @ np.clip(moves, -CLIP_SD * moves_sd, CLIP_SD * moves_sd))
    return np.asarray(weights, dtype=np.float64), scale


def _moves(inputs: NDArray[np.float64], weights: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    # A sum of products row by row: a matrix product may round a row's sum by how many rows there are.
    return (np.clip(inputs / scale, -CLIP_SD, CLIP_SD) * weights).sum(axis=1)

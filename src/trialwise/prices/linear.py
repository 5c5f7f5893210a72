"""Linear forecasts of the log-return over the horizon, fitted by ridge regression on the days before the origin.

They take all closes, the row of the first day to forecast and the horizon, as every baseline. What they may choose (how
many days they look back, the penalty) is chosen on the last 15 % of the days before the origin, after fitting on those
before; then they are fitted once more on all of them. There is no intercept and the strongest penalty all but silences
the model, so that each can fall back to the naive forecast.

Legend: N days, F features.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import CLIP_SD, log_returns, moves_ahead
from trialwise.prices.splits import split_rows

AR_LAGS = (1, 2, 5, 10)
DLINEAR_DAYS = (30, 60)
TREND_DAYS = 25
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def ar_ridge(close_N: NDArray[np.float64], first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = today moved by a weighted sum of the last 1, 2, 5 or 10 log-returns: (N - first_row,) prices."""
    return _forecast(close_N, first_row, horizon, _past_returns, AR_LAGS)


def dlinear(close_N: NDArray[np.float64], first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = today moved by linear maps of the last 30 or 60 days' trend and remainder: (N - first_row,) prices.

    Zeng et al. 2023, "Are transformers effective for time series forecasting?", on log closes less the last one (as
    their NLinear), with ridge regression in closed form in place of gradient descent.
    """
    return _forecast(close_N, first_row, horizon, _trend_and_remainder, DLINEAR_DAYS)


def _past_returns(close_N: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(N - n_days + 1, n_days) the log-returns up to each day from row `n_days` - 1 on; row 0 has none of its own."""
    return np.lib.stride_tricks.sliding_window_view(log_returns(close_N), n_days)


def _trend_and_remainder(close_N: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(N - n_days + 1, 2 x n_days) moving averages over 25 days, the ends repeated, and what they leave."""
    windows = np.lib.stride_tricks.sliding_window_view(np.log(close_N), n_days)
    windows = windows - windows[:, -1:]
    reach = TREND_DAYS // 2
    ends = np.pad(windows, ((0, 0), (reach, reach)), mode="edge")
    trend = np.lib.stride_tricks.sliding_window_view(ends, TREND_DAYS, axis=1).mean(axis=-1)
    return np.concatenate([trend, windows - trend], axis=1)


def _forecast(
    close_N: NDArray[np.float64],
    first_row: int,
    horizon: int,
    features: Callable[[NDArray[np.float64], int], NDArray[np.float64]],
    choices: Sequence[int],
) -> NDArray[np.float64]:
    """Forecast closes with the look-back and the penalty that were best in validation; naive where days are too few."""
    last_evening = first_row - horizon
    ahead_M = moves_ahead(close_N[: last_evening + 1], horizon)
    first_valid = split_rows(last_evening + 1, 0.0).valid.start
    best_loss, best = np.inf, None
    for n_days in choices:
        # Moves that end before the validation; the first validated one begins on the evening before it.
        n_fit, n_before = first_valid - horizon - (n_days - 1), first_valid - n_days
        if n_fit < n_days or first_valid > len(ahead_M):
            continue
        # Row i of the features is known on the evening of day n_days - 1 + i.
        known, moves = features(close_N[: last_evening + 1], n_days)[:-horizon], ahead_M[n_days - 1 :]
        for penalty in PENALTIES:
            weights, scale = _ridge(known[:n_fit], moves[:n_fit], penalty)
            loss = float(np.mean((moves[n_before:] - _moves(known[n_before:], weights, scale)) ** 2))
            if loss < best_loss:
                best_loss, best = loss, (n_days, penalty)
    today_N = close_N[last_evening:-horizon]
    if best is None:
        return today_N.copy()
    n_days, penalty = best
    inputs = features(close_N, n_days)
    weights, scale = _ridge(inputs[: len(ahead_M) - (n_days - 1)], ahead_M[n_days - 1 :], penalty)
    return today_N * np.exp(_moves(inputs[last_evening - (n_days - 1) : -horizon], weights, scale))


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

"""Does a forecast know which way the price goes, or is it right by the number of ups alone?

Legend: N days.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr


@dataclasses.dataclass(frozen=True, kw_only=True)
class DirectionTest:
    """What the test of independent signs gave.

    Attributes:
        statistic: Above 0 where the signs agree more often than by chance; None where there is no test.
        p_value: One-sided, in [0, 1]; None where there is no test.
        reason: Why there is no test, or "".
    """

    statistic: float | None = None
    p_value: float | None = None
    reason: str = ""


def pesaran_timmermann(moves: ArrayLike, forecast_moves: ArrayLike) -> DirectionTest:
    """The test that the signs of forecasts and moves are independent, against agreeing more often than that.

    Pesaran & Timmermann 1992, "A simple nonparametric test of predictive performance". A forecast that always says
    "up" is right as often as prices rise and knows nothing: it gets no test. Days without a move, or without a
    forecast of one, are left out. The days are taken to be independent of each other.

    Args:
        moves: (N,) actual moves.
        forecast_moves: (N,) forecasts of them.

    Raises:
        ValueError: Different lengths.
    """
    moves_N, forecast_N = np.asarray(moves, dtype=np.float64), np.asarray(forecast_moves, dtype=np.float64)
    if moves_N.shape != forecast_N.shape or moves_N.ndim != 1:
        raise ValueError(f"expected equally many moves, got shapes {moves_N.shape} and {forecast_N.shape}")
    told = (moves_N != 0) & (forecast_N != 0)
    n = int(told.sum())
    if n < 2:
        return DirectionTest(reason="fewer than 2 days with a move and a forecast of one")
    up_N, forecast_up_N = moves_N[told] > 0, forecast_N[told] > 0
    p_up, p_forecast_up = float(up_N.mean()), float(forecast_up_N.mean())
    if p_forecast_up in (0.0, 1.0):
        return DirectionTest(reason="the forecast always points the same way")
    if p_up in (0.0, 1.0):
        return DirectionTest(reason="the prices always moved the same way")
    by_chance = p_up * p_forecast_up + (1 - p_up) * (1 - p_forecast_up)
    # The paper's V(P) - V(P*), whose terms mostly cancel.
    variance = 4 * p_up * (1 - p_up) * p_forecast_up * (1 - p_forecast_up) * (n - 1) / n**2
    statistic = (float(np.mean(up_N == forecast_up_N)) - by_chance) / float(np.sqrt(variance))
    return DirectionTest(statistic=statistic, p_value=float(ndtr(-statistic)))

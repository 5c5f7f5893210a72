"""How much of a forecast to believe.

Legend: N validation days.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.99


def fit_shrinkage(
    predicted_N: NDArray[np.float64], actual_N: NDArray[np.float64], *, horizon: int = 1, n_tried: int = 1
) -> float:
    """The factor in [0, 1] by which forecasts of moves are scaled; 0 where the days do not show that they help.

    It is the lower end of the one-sided 99 % interval of the least-squares slope of actual on predicted moves, not
    the slope itself. The slope alone made forecasts of simulated GARCH random walks up to 18 % worse than the naive
    one, because the same days have chosen the epoch and because volatile days weigh most; this bound made none of
    120 worse. Its standard error is the larger of the classical and the heteroskedasticity-robust one (HC3,
    MacKinnon & White 1985, "Some heteroskedasticity-consistent covariance matrix estimators").

    Args:
        predicted_N: (N,) forecast log-returns of validation days.
        actual_N: (N,) the days' log-returns.
        horizon: Days over which a move goes; moves of neighbouring days overlap, so N of them count as N / horizon.
        n_tried: Configurations among which these days have chosen; the 1 % of doubt is divided by it (Bonferroni).
    """
    power = float(predicted_N @ predicted_N)
    n_days = len(actual_N)
    freedom = n_days / horizon - 1
    if freedom < 1 or not power > 0:
        return 0.0
    slope = float(predicted_N @ actual_N) / power
    residuals_N = actual_N - slope * predicted_N
    leverage_N = predicted_N**2 / power
    classical = np.sqrt(float(residuals_N @ residuals_N) / (n_days - 1) / power)
    robust = np.linalg.norm(predicted_N * residuals_N / np.maximum(1 - leverage_N, 1e-12)) / power
    # Overlapping moves have at most `horizon` times the variance of as many separate ones.
    error = max(classical, robust) * np.sqrt(horizon)
    bound = slope - float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / n_tried)) * error
    return min(1.0, max(0.0, float(bound)))

"""Is one forecast better than another, or only luckier?

Legend: N rows in order of time, K columns.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr


@dataclasses.dataclass(frozen=True, kw_only=True)
class DieboldMariano:
    """What the test of equal accuracy gave.

    Attributes:
        statistic: Below 0 where the first forecast has the smaller losses.
        p_value: Two-sided, in [0, 1].
    """

    statistic: float
    p_value: float


def diebold_mariano(loss_a: ArrayLike, loss_b: ArrayLike, horizon: int = 1) -> DieboldMariano:
    """The test that two forecasts are equally accurate, with the small-sample correction.

    Diebold & Mariano 1995, "Comparing predictive accuracy", corrected and read from Student's t with N-1 degrees
    of freedom after Harvey, Leybourne & Newbold 1997, "Testing the equality of prediction mean squared errors".
    Where the sum of autocovariances is not positive, Bartlett weights (Newey & West 1987) make it so.

    Args:
        loss_a: (N,) losses of the first forecast, e.g. squared errors.
        loss_b: (N,) losses of the second on the same days.
        horizon: Days ahead of the forecasts; errors of h-step forecasts are correlated over h-1 days.

    Raises:
        ValueError: Fewer than 2 losses, different lengths, or a horizon outside 1 to N-1.
    """
    a_N, b_N = np.asarray(loss_a, dtype=np.float64), np.asarray(loss_b, dtype=np.float64)
    n = a_N.size
    if a_N.shape != b_N.shape or a_N.ndim != 1 or n < 2 or not 1 <= horizon < n:
        raise ValueError(
            "expected two equally long lists of at least 2 losses and a horizon below their number, "
            f"got shapes {a_N.shape} and {b_N.shape} and horizon {horizon}"
        )
    differences_N = a_N - b_N
    if not differences_N.any():
        return DieboldMariano(statistic=0.0, p_value=1.0)
    mean = float(differences_N.mean())
    centred_N = differences_N - mean
    covariances = np.array([centred_N[lag:] @ centred_N[: n - lag] / n for lag in range(horizon)])
    long_run = float(covariances[0] + 2 * covariances[1:].sum())
    if long_run <= 0:
        weights = 1 - np.arange(1, horizon) / horizon
        long_run = float(covariances[0] + 2 * weights @ covariances[1:])
    if long_run <= 0:  # every difference is the same
        return DieboldMariano(statistic=float(np.copysign(np.inf, mean)), p_value=0.0)
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = mean / np.sqrt(long_run / n) * np.sqrt(correction)
    return DieboldMariano(statistic=float(statistic), p_value=float(2 * stdtr(n - 1, -abs(statistic))))


def block_bootstrap_interval(
    values_NK: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    generator: np.random.Generator,
    n_resamples: int = 2000,
    block_length: int | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """The percentile interval of a statistic of column means, when neighbouring rows are alike.

    Whole blocks of consecutive rows are drawn with replacement, so that what holds within a block is kept
    (moving blocks: Kuensch 1989, "The jackknife and the bootstrap for general stationary observations").

    Args:
        values_NK: (N, K) values, e.g. the losses of K models on N days.
        statistic: Maps the (K,) means of a resample to a number.
        generator: Where the blocks come from.
        n_resamples: How often to draw.
        block_length: Rows in a block; by default the cube root of N, rounded up.
        level: The interval's share of resamples, in (0, 1).

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: There are no rows, or a block would be longer than all of them.
    """
    values_NK = np.asarray(values_NK, dtype=np.float64)
    n = len(values_NK)
    length = block_length if block_length is not None else int(np.ceil(n ** (1 / 3)))
    if n == 0 or not 1 <= length <= n:
        raise ValueError(f"expected rows and a block length from 1 to their number, got {n} rows and {length}")
    n_blocks = -(-n // length)
    within = np.arange(length)
    results = np.empty(n_resamples)
    for i in range(n_resamples):
        starts = generator.integers(0, n - length + 1, size=n_blocks)
        rows = (starts[:, None] + within).ravel()[:n]
        results[i] = statistic(values_NK[rows].mean(axis=0))
    # The nearest resample, not a mean of two: a statistic may be infinite.
    low, high = np.quantile(results, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return float(low), float(high)

"""Is one forecast, or one classifier, better than another, or only luckier?

Legend: N rows (of forecasts: in order of time), K columns.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import root_scalar
from scipy.special import stdtr

_JUST_OFF = 1e-9  # from the measured difference, where the equation of the interval's ends has a root of its own


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


def block_days(n_days: int, horizon: int = 1) -> int:
    """Rows of a bootstrap's block: the cube root of their number, and at least twice what neighbouring rows share."""
    return min(n_days, max(int(np.ceil(n_days ** (1 / 3))), 2 * horizon if horizon > 1 else 1))


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
    length = block_length if block_length is not None else block_days(n)
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairedAccuracies:
    """Two classifiers on the same rows.

    Attributes:
        n: Rows.
        both_right: Rows that both get right.
        only_first: Rows that the first alone gets right.
        only_second: Rows that the second alone gets right.
        both_wrong: Rows that neither gets right.
        difference: The second's accuracy less the first's.
        interval: Of the difference, at the level asked for.
        p_value: McNemar's exact test, two-sided.
    """

    n: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare_accuracies(first_N: ArrayLike, second_N: ArrayLike, *, level: float = 0.95) -> PairedAccuracies:
    """How much more often the second classifier is right than the first, on rows that both have answered.

    Args:
        first_N: (N,) whether the first is right.
        second_N: (N,) the same of the second, row for row.
        level: Of the interval, in (0, 1).

    Raises:
        ValueError: There are no rows, or not as many of one as of the other.
    """
    first_N, second_N = np.asarray(first_N, dtype=bool), np.asarray(second_N, dtype=bool)
    n = first_N.size
    if first_N.shape != second_N.shape or first_N.ndim != 1 or n == 0:
        raise ValueError(f"expected two equally long lists of rows, got shapes {first_N.shape} and {second_N.shape}")
    only_first, only_second = int((first_N & ~second_N).sum()), int((second_N & ~first_N).sum())
    return PairedAccuracies(
        n=n,
        both_right=int((first_N & second_N).sum()),
        only_first=only_first,
        only_second=only_second,
        both_wrong=int((~first_N & ~second_N).sum()),
        difference=(only_second - only_first) / n,
        interval=paired_difference_interval(only_first, only_second, n, level=level),
        p_value=mcnemar_exact(only_first, only_second),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided p-value that two classifiers are equally often right, from the rows on which they differ.

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions"; here the exact
    binomial test: if both are equally good, each differing row is a fair coin.
    """
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def paired_difference_interval(
    only_first: int, only_second: int, n: int, *, level: float = 0.95
) -> tuple[float, float]:
    """The score interval of the difference of two shares measured on the same rows, second less first, within [-1, 1].

    Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design": all differences that a score test does not reject. At 0 that test is McNemar's (without correction), so
    that interval and test agree but for cases on the verge.

    Args:
        only_first: Rows that the first alone gets right.
        only_second: Rows that the second alone gets right.
        n: All rows, those included on which both agree.
        level: In (0, 1).
    """
    z = float(stats.norm.ppf((1 + level) / 2))
    difference = (only_second - only_first) / n

    def excess(delta: float) -> float:
        """Above 0 where the score test rejects `delta`."""
        b = -(only_first + only_second) + (2 * n - only_second + only_first) * delta
        c = -only_first * delta * (1 - delta)
        # The most likely share of rows that only the first gets right; rounding may take the root below 0.
        share = (np.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        return (n * difference - n * delta) ** 2 - z * z * variance

    def end(low: float, high: float) -> float:
        return float(root_scalar(excess, bracket=(low, high), method="brentq", xtol=1e-12).root)

    low = -1.0 if difference <= -1 else end(-1.0, difference - _JUST_OFF)
    high = 1.0 if difference >= 1 else end(difference + _JUST_OFF, 1.0)
    return low, high

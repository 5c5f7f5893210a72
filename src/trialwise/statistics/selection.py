"""How good is the best of many really, and is it better than what one would have used without looking?

Scores are such that more is better; a loss comes in with its sign turned.
Legend: N rows, G groups of rows, K configurations, S seeds, R resamples.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import root_scalar

MOST_GROUPS = 4000  # rows beyond these are drawn in groups: half a percent of noise is not worth the minutes
N_STUDIES = 400  # simulated for an interval
CELLS_AT_ONCE = 4_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class BestOfMany:
    """What the winner's score is worth.

    Attributes:
        winner: Its column.
        score: Its mean over the rows it was chosen on.
        corrected: What it would score on new rows, by bootstrapping the choice.
        interval: Of that, at the level asked for.
        optimism: `score` less `corrected`: the share of it that is luck with these rows.
    """

    winner: int
    score: float
    corrected: float
    interval: tuple[float, float]
    optimism: float


def correct_best(
    rows_NK: ArrayLike,
    *,
    generator: np.random.Generator,
    n_resamples: int = 1000,
    block_length: int = 1,
    level: float = 0.95,
) -> BestOfMany:
    """What the column with the largest mean would score on new rows.

    The estimate is BBC-CV (Tsamardinos, Greasidou & Borboudakis 2018, "Bootstrapping the out-of-sample predictions for
    efficient and accurate cross-validation"): choose on resampled rows, score on the rows left out, take the mean.
    The percentiles of those scores, the paper's interval, cover 98.5 to 100 % where 95 is asked for: few rows are left
    out, and plus or minus two standard errors of the winner covers 85 to 100 %. So the interval is read from simulated
    studies (Beran 1987, "Prepivoting to reduce level error of confidence sets"): columns whose true means differ as
    much as these do beyond the noise of rows, with noise that is alike from column to column as it is here, chosen
    among and corrected in the same way; how far the corrected scores are from the truths there.

    Args:
        rows_NK: (N, K) score of each configuration on each row.
        generator: Where the resamples come from.
        n_resamples: How often the choice is made again.
        block_length: Rows that are drawn together, where neighbours are alike (days).
        level: Of the interval, in (0, 1).

    Raises:
        ValueError: Fewer than 2 groups of rows, no column, or a score that is not a finite number.
    """
    sums_GK, sizes_G = _grouped(rows_NK, block_length)
    means_K = sums_GK.sum(axis=0) / sizes_G.sum()
    winner = int(means_K.argmax())
    scores = [
        _of_chosen(inside_RK, outside_RK)
        for inside_RK, outside_RK in _resampled(sums_GK, sizes_G, generator, n_resamples)
    ]
    corrected = float(np.concatenate(scores).mean())
    errors = _simulated_errors(sums_GK, sizes_G, means_K, generator)
    high, low = np.quantile(errors, [(1 - level) / 2, (1 + level) / 2])
    score = float(means_K[winner])
    return BestOfMany(
        winner=winner,
        score=score,
        corrected=corrected,
        interval=(corrected - float(low), corrected - float(high)),
        optimism=score - corrected,
    )


def _grouped(rows_NK: ArrayLike, block_length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums and sizes of groups of neighbouring rows, which are drawn together."""
    rows_NK = np.asarray(rows_NK, dtype=np.float64)
    if rows_NK.ndim != 2 or rows_NK.shape[1] < 1 or not np.isfinite(rows_NK).all():
        raise ValueError(f"expected finite scores of (rows, configurations), got an array of shape {rows_NK.shape}")
    n = len(rows_NK)
    length = max(block_length, -(-n // MOST_GROUPS))
    starts = np.arange(0, n, length)
    if len(starts) < 2:
        raise ValueError(f"expected at least 2 groups of rows, got {n} rows in blocks of {length}")
    return np.add.reduceat(rows_NK, starts, axis=0), np.diff([*starts, n]).astype(np.float64)


def _resampled(
    sums_GK: NDArray[np.float64], sizes_G: NDArray[np.float64], generator: np.random.Generator, n_resamples: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Means (R, K) over the groups drawn, with replacement, and over those left out, some resamples at a time."""
    n_groups = len(sizes_G)
    share = np.full(n_groups, 1 / n_groups)
    for n in _portions(n_resamples, n_groups):
        drawn_RG = generator.multinomial(n_groups, share, size=n).astype(np.float64)
        left_RG = (drawn_RG == 0).astype(np.float64)
        some_left = left_RG.any(axis=1)  # of two groups, both may be drawn
        drawn_RG, left_RG = drawn_RG[some_left], left_RG[some_left]
        yield (
            (drawn_RG @ sums_GK) / (drawn_RG @ sizes_G)[:, None],
            (left_RG @ sums_GK) / (left_RG @ sizes_G)[:, None],
        )


def _portions(n: int, width: int) -> list[int]:
    """`n` in parts, each of so many rows that `width` numbers a row fit into memory."""
    most = max(1, CELLS_AT_ONCE // width)
    return [min(most, n - first) for first in range(0, n, most)]


def _of_chosen(inside_RK: NDArray[np.float64], outside_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) the outside scores of what the inside ones choose."""
    return np.take_along_axis(outside_RK, inside_RK.argmax(axis=1)[:, None], axis=1)[:, 0]


def _simulated_errors(
    sums_GK: NDArray[np.float64],
    sizes_G: NDArray[np.float64],
    means_K: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """(N_STUDIES,) corrected score less true score of the winner, in studies like this one.

    A resample's means scatter about the study's as far as those left out do on the other side (their covariances over
    the resamples are one matrix, with the two signs), so a simulated study is corrected with `m + e` and `m - e`.
    """
    noise_RK = _noise(sums_GK - np.outer(sizes_G, means_K), generator, 2 * N_STUDIES) / sizes_G.sum()
    truth_K = _shrunk(means_K, noise_RK)
    studies_RK, extra_RK = truth_K + noise_RK[:N_STUDIES], noise_RK[N_STUDIES:]
    return np.array([_of_chosen(m_K + extra_RK, m_K - extra_RK).mean() - truth_K[m_K.argmax()] for m_K in studies_RK])


def _noise(centred_GK: NDArray[np.float64], generator: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, K) normal numbers that are as large and as alike from column to column as the columns' sums are."""
    parts = [generator.standard_normal((m, len(centred_GK))) @ centred_GK for m in _portions(n, len(centred_GK))]
    return np.concatenate(parts)


def _shrunk(means_K: NDArray[np.float64], noise_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """The means drawn together until they differ as much as the true ones probably do: without the noise's part."""
    if len(means_K) == 1:
        return means_K
    found = means_K.var(ddof=1)
    by_noise = noise_RK.var(axis=1, ddof=1).mean()
    share = np.sqrt(max(0.0, 1 - by_noise / found)) if found > 0 else 0.0
    return means_K.mean() + share * (means_K - means_K.mean())


@dataclasses.dataclass(frozen=True, kw_only=True)
class LargestByChance:
    """How large the largest of K test statistics gets where nothing is better than the baseline.

    Attributes:
        winner: The column with the largest mean.
        statistic: Its own: its mean advantage over the standard error of that.
        maxima_R: The largest statistics of all columns in resamples without any advantage.
    """

    winner: int
    statistic: float
    maxima_R: NDArray[np.float64]

    @property
    def p_value(self) -> float:
        """That the winner is no better than the baseline, one-sided; choosing the winner is paid for."""
        n_larger = int((self.maxima_R >= self.statistic - 1e-9).sum())
        return (1 + n_larger) / (1 + len(self.maxima_R))

    def critical(self, alpha: float) -> float:
        """What the largest statistic exceeds by chance in a share `alpha` of studies."""
        return float(np.quantile(self.maxima_R, 1 - alpha, method="higher"))


def compare_best(
    rows_NK: ArrayLike,
    baseline_N: ArrayLike,
    *,
    generator: np.random.Generator,
    n_resamples: int = 4000,
    block_length: int = 1,
) -> LargestByChance:
    """The test whether the best of K configurations is better than a baseline measured on the same rows.

    Where one is not, its advantage on a row might as well have had the other sign. Signs are turned at random, in all
    columns at once, so that configurations stay as alike as they are, and the winner's statistic is held against the
    largest of all columns (max-T: Westfall & Young 1993, "Resampling-based multiple testing"; for forecasts, White
    2000, "A reality check for data snooping"). Of one configuration that is right or wrong this is McNemar's exact
    test, one-sided. If all are equally good, at most 5 % of studies get a p-value of 0.05 or less, however many they
    compare.

    Args:
        rows_NK: (N, K) score of each configuration on each row.
        baseline_N: (N,) score of the baseline on each row.
        generator: Where the signs come from.
        n_resamples: How often they are turned.
        block_length: Rows whose signs are turned together, where neighbours are alike (days).

    Raises:
        ValueError: As `correct_best`.
    """
    advantages_NK = np.asarray(rows_NK, dtype=np.float64) - np.asarray(baseline_N, dtype=np.float64)[:, None]
    sums_GK, _ = _grouped(advantages_NK, block_length)
    winner = int(sums_GK.sum(axis=0).argmax())
    size_K = np.sqrt((sums_GK**2).sum(axis=0))
    scaled_GK = sums_GK / np.where(size_K > 0, size_K, 1.0)  # a column that is the baseline itself stays at 0
    signs = (
        generator.integers(0, 2, (n, len(sums_GK)), dtype=np.int8) * 2.0 - 1.0
        for n in _portions(n_resamples, len(sums_GK))
    )
    maxima_R = np.concatenate([(signs_RG @ scaled_GK).max(axis=1) for signs_RG in signs])
    of_winner, *maxima = _students(np.array([scaled_GK[:, winner].sum(), *maxima_R]), len(sums_GK))
    return LargestByChance(winner=winner, statistic=float(of_winner), maxima_R=np.array(maxima))


def _students(statistics_R: NDArray[np.float64], n_groups: int) -> NDArray[np.float64]:
    """Student's t, the mean over its standard error, from the sum over the root of the sum of squares."""
    left_R = np.maximum(n_groups - statistics_R**2, 1e-12)  # nothing is left where all advantages are the same
    return statistics_R * np.sqrt((n_groups - 1) / left_R)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfirmedGain:
    """The best of the configurations that were run again, against the default that was run as often.

    Attributes:
        winner: Which of them has the best mean over the seeds, from 0.
        gain: Its mean less the default's.
        standard_error: Of the gain: new seeds and new rows together, or seeds alone where no rows are known; None
            where nothing scatters, so that nothing is known of luck.
        p_value: That it is no better than the default, one-sided; choosing it is paid for. None likewise where there
            is a gain.
    """

    winner: int
    gain: float
    standard_error: float | None
    p_value: float | None


def confirm_gain(
    scores_KS: ArrayLike,
    default_S: ArrayLike,
    *,
    rows_KSN: ArrayLike | None = None,
    default_SN: ArrayLike | None = None,
    by_chance: LargestByChance | None = None,
    block_length: int = 1,
) -> ConfirmedGain:
    """What the best of K candidates gains over the default on seeds that none was chosen by.

    Two kinds of luck are paid for. Seeds: the candidates' and the default's scores scatter about their means with one
    variance, read from Student's t with (K + 1)(S - 1) degrees of freedom at a level divided by K. Rows: the candidates
    were chosen among all trials on these very rows, so the error from rows counts as often as the largest statistic of
    the whole study demands (`by_chance`). The two bounds are added as their squares. In simulated studies without any
    gain, whatever the mixture of the two kinds, at most 5 % have a p-value of 0.05 or less
    (`benchmarks/selection_honesty.py`).

    Args:
        scores_KS: (K, S) scores of the candidates, a column a seed; S at least 2.
        default_S: (S,) scores of the default.
        rows_KSN: (K, S, N) their scores row by row, where known.
        default_SN: (S, N) and the default's.
        by_chance: `compare_best` of all trials of the study with the default.
        block_length: Rows that belong together, where neighbours are alike (days).

    Raises:
        ValueError: Fewer than 2 seeds, or not as many of the default.
    """
    scores_KS, default_S = np.asarray(scores_KS, dtype=np.float64), np.asarray(default_S, dtype=np.float64)
    n_candidates, n_seeds = scores_KS.shape
    if n_seeds < 2 or default_S.shape != (n_seeds,):
        raise ValueError(f"expected at least 2 seeds of each, got scores {scores_KS.shape}, default {default_S.shape}")
    winner = int(scores_KS.mean(axis=1).argmax())
    gain = float(scores_KS[winner].mean() - default_S.mean())
    pooled = float(np.vstack([scores_KS, default_S]).var(axis=1, ddof=1).mean())
    degrees = (n_candidates + 1) * (n_seeds - 1)
    by_seeds = 2 * pooled / n_seeds
    by_rows, by_both = 0.0, 0.0
    if rows_KSN is not None and default_SN is not None:
        rows_SN, default_SN = np.asarray(rows_KSN, dtype=np.float64)[winner], np.asarray(default_SN, dtype=np.float64)
        by_rows = _variance_of_mean((rows_SN - default_SN).mean(axis=0), block_length)
        by_both = _interaction(rows_SN) + _interaction(default_SN)

    def bound(alpha: float) -> float:
        """What the gain exceeds by luck in at most a share `alpha` of studies."""
        rows = by_chance.critical(alpha) if by_chance else float(stats.norm.isf(alpha / n_candidates))
        seeds = float(stats.t.isf(alpha / n_candidates, degrees))
        return float(np.sqrt(max(rows, 0.0) ** 2 * by_rows + seeds**2 * by_seeds))

    # What rows and seeds do together is in both variances, and counts once.
    variance = max(by_rows + by_seeds - by_both, by_rows, by_seeds)
    all_KS = np.vstack([scores_KS, default_S])
    if by_rows == 0 and bool((all_KS == all_KS[:, :1]).all()):  # not by the variance: three times 0.1 has one of 1e-34
        return ConfirmedGain(winner=winner, gain=gain, standard_error=None, p_value=None if gain > 0 else 1.0)
    return ConfirmedGain(
        winner=winner, gain=gain, standard_error=float(np.sqrt(variance)), p_value=_p_value(gain, bound)
    )


def _p_value(gain: float, bound: Callable[[float], float]) -> float:
    """The smallest level at which the gain exceeds its bound, between 0.0001 and 1."""
    smallest, largest = 1e-4, 0.5
    if gain <= bound(largest):
        return 1.0
    if gain > bound(smallest):
        return smallest
    found = root_scalar(lambda alpha: bound(alpha) - gain, bracket=(smallest, largest), method="brentq", xtol=1e-5)
    return float(found.root)


def _variance_of_mean(values_N: NDArray[np.float64], block_length: int) -> float:
    """The squared standard error of the mean of the values."""
    sums_GK, sizes_G = _grouped(values_N[:, None], block_length)
    errors_G = sums_GK[:, 0] - sizes_G * values_N.mean()
    n_groups = len(sizes_G)
    return float((errors_G**2).sum() * n_groups / (n_groups - 1) / sizes_G.sum() ** 2)


def _interaction(rows_SN: NDArray[np.float64]) -> float:
    """The part of the mean's variance that comes from rows and seeds together: two-way analysis of variance."""
    n_seeds, n_rows = rows_SN.shape
    rest_SN = rows_SN - rows_SN.mean(axis=0) - rows_SN.mean(axis=1)[:, None] + rows_SN.mean()
    return float((rest_SN**2).sum() / ((n_seeds - 1) * (n_rows - 1)) / (n_seeds * n_rows))

"""Intervals that learn from how often they were wrong.

Legend: N days in all, L levels, G groups of days.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

STEP = 0.005
WINDOW_DAYS = 500


def adaptive_quantiles(
    residuals: ArrayLike,
    levels: ArrayLike,
    *,
    first_row: int,
    window: int = WINDOW_DAYS,
    step: float = STEP,
    delay: int = 0,
    groups: ArrayLike | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends of intervals for each day's residual, from the residuals of the days before it alone.

    Adaptive conformal inference (Gibbs & Candes 2021, "Adaptive conformal inference under distribution shift",
    arXiv 2106.00170), one share of misses for each end: after a miss the next interval reaches further, after a hit
    a little less far. Divide residuals by a forecast standard deviation before, and multiply the ends with that of
    the day after, so that the band is wide in storms.

    Where the paper's interval would be the whole line, the ends here are the extreme residuals of the window: a
    price band without end tells nobody anything. In return the paper's guarantee over long runs no longer holds in
    full. An interval is never narrower than that of a lower level.

    Args:
        residuals: (N,) of all days, in order of time, e.g. log-return / forecast standard deviation.
        levels: (L,) shares of days that the intervals are meant to hold, ascending, in (0, 1).
        first_row: The first day to give an interval for; the residuals before it are the first window.
        window: Days that count, the newest ones.
        step: How fast the share of misses is corrected; 0 gives plain rolling quantiles.
        groups: (N,) a number from 0 for the group that each day is known beforehand to belong to, e.g. calm or stormy;
            each group's share of misses is corrected by itself, so that one cannot pay for another (Gibbs, Cherian &
            Candes 2023, "Conformal prediction with conditional guarantees", arXiv 2305.12616, ask for the same of
            intervals without time). All days are one group by default.
        delay: Of the days just before a day, how many have a residual that is not known yet, e.g. horizon - 1.

    Returns:
        low, high: Each (N - first_row, L).

    Raises:
        ValueError: Levels outside (0, 1) or not ascending, no day before `first_row` or a window below 1.
    """
    residuals_N, levels_L = np.asarray(residuals, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    if not ((levels_L > 0) & (levels_L < 1)).all() or (np.diff(levels_L) <= 0).any():
        raise ValueError(f"expected ascending levels between 0 and 1, got {levels_L.tolist()}")
    if not 1 + delay <= first_row <= len(residuals_N) or window < 1:
        raise ValueError(
            f"expected a first row from {1 + delay} to {len(residuals_N)} and a window, got {first_row}, {window}"
        )
    wanted_L = (1 - levels_L) / 2
    group_N = np.zeros(len(residuals_N), dtype=np.int64) if groups is None else np.asarray(groups, dtype=np.int64)
    miss_low_GL, miss_high_GL = (np.tile(wanted_L, (group_N.max() + 1, 1)) for _ in range(2))
    low = np.empty((len(residuals_N) - first_row, len(levels_L)))
    high = np.empty_like(low)
    for i, row in enumerate(range(first_row, len(residuals_N))):
        known, group = row - delay, group_N[row]
        if i > delay:
            came, of, before = residuals_N[known - 1], group_N[known - 1], i - delay - 1
            miss_low_GL[of] += step * (wanted_L - (came < low[before]))
            miss_high_GL[of] += step * (wanted_L - (came > high[before]))
        past = np.sort(residuals_N[max(0, known - window) : known])
        low[i] = np.minimum.accumulate(-_upper_end(-past[::-1], miss_low_GL[group]))
        high[i] = np.maximum.accumulate(_upper_end(past, miss_high_GL[group]))
    return low, high


def _upper_end(ascending: NDArray[np.float64], miss_L: NDArray[np.float64]) -> NDArray[np.float64]:
    """(L,) values which a new one of the same kind exceeds with probability `miss_L` at most; the largest at most."""
    n = len(ascending)
    rank_L = np.ceil((n + 1) * (1 - miss_L) - 1e-9).astype(int)
    return ascending[np.clip(rank_L, 1, n) - 1]

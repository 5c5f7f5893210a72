"""How far a measured number may be from the true one."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def wilson_interval(n_right: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share `n_right / n` (Wilson 1927), within [0, 1]."""
    interval = stats.binomtest(n_right, n).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of two or more independent values; no width where all are the same."""
    if len(values) < 2:
        raise ValueError(f"expected at least 2 values, got {len(values)}")
    mean, error = float(np.mean(values)), float(stats.sem(values))
    reach = error * float(stats.t.ppf((1 + level) / 2, len(values) - 1))
    return mean - reach, mean + reach

"""How far a measured number may be from the true one."""

from scipy import stats


def wilson_interval(n_right: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a share `n_right / n` (Wilson 1927), within [0, 1]."""
    interval = stats.binomtest(n_right, n).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)

"""What a forecast of a level, a variance or an interval costs.

Legend: N days, M training values, Q quantiles.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def qlike(actual_variance: ArrayLike, forecast_variance: ArrayLike) -> NDArray[np.float64]:
    """(N,) losses a/f - log(a/f) - 1 of variance forecasts: 0 where exact, else above.

    Patton 2011, "Volatility forecast comparison using imperfect volatility proxies": with this loss (and the squared
    error) a noisy but unbiased stand-in for the variance ranks forecasts as the variance itself would.

    Args:
        actual_variance: (N,) variances, or an unbiased stand-in, above 0.
        forecast_variance: (N,) forecasts of them, above 0, in the same unit.

    Raises:
        ValueError: Different lengths, or a variance that is not a finite number above 0.
    """
    actual_N = np.asarray(actual_variance, dtype=np.float64)
    forecast_N = np.asarray(forecast_variance, dtype=np.float64)
    if actual_N.shape != forecast_N.shape:
        raise ValueError(f"expected equally many variances, got shapes {actual_N.shape} and {forecast_N.shape}")
    for values_N in (actual_N, forecast_N):
        if not (np.isfinite(values_N) & (values_N > 0)).all():
            raise ValueError("expected finite variances above 0")
    ratio_N = actual_N / forecast_N
    return ratio_N - np.log(ratio_N) - 1

"""What a forecast that missed costs.

Legend: N days.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def qlike(actual_variance: ArrayLike, forecast_variance: ArrayLike) -> NDArray[np.float64]:
    """(N,) losses of variance forecasts: actual / forecast - log(actual / forecast) - 1, 0 where the forecast is exact.

    Patton 2011, "Volatility forecast comparison using imperfect volatility proxies": the order of models by this loss
    is that by the true variances, though only a noisy proxy of them is known. Too low costs more than too high.

    Args:
        actual_variance: (N,) above 0.
        forecast_variance: (N,) above 0, in the same unit.

    Raises:
        ValueError: A variance is not above 0, or there are not as many of one as of the other.
    """
    actual_N, forecast_N = np.asarray(actual_variance, np.float64), np.asarray(forecast_variance, np.float64)
    if actual_N.shape != forecast_N.shape or not ((actual_N > 0).all() and (forecast_N > 0).all()):
        raise ValueError(f"expected variances above 0, as many of one as of the other, got {actual_N} and {forecast_N}")
    ratio_N = actual_N / forecast_N
    return ratio_N - np.log(ratio_N) - 1

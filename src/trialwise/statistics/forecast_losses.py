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


def mase(actual: ArrayLike, forecast: ArrayLike, training: ArrayLike, horizon: int = 1) -> float | None:
    """Mean absolute error over the mean absolute training step of `horizon` values; None where none ever moved.

    Hyndman & Koehler 2006, "Another look at measures of forecast accuracy". 1 is the error of the naive forecast on
    the training values, so a series that has grown since has a MASE above 1 whoever forecasts it: compare rows.

    Args:
        actual: (N,) values.
        forecast: (N,) forecasts of them.
        training: (M,) values before them, in order of time, M above the horizon.
        horizon: Steps ahead of the forecasts.
    """
    training_M = np.asarray(training, dtype=np.float64)
    step = float(np.abs(training_M[horizon:] - training_M[:-horizon]).mean())
    error = float(np.abs(np.asarray(actual, dtype=np.float64) - np.asarray(forecast, dtype=np.float64)).mean())
    return error / step if step > 0 else None


def brier_score(happened: ArrayLike, probability: ArrayLike) -> NDArray[np.float64]:
    """(N,) squared distances of probabilities from what happened (1 or 0). Smaller is better.

    Brier 1950, "Verification of forecasts expressed in terms of probability"; the true probability has the smallest
    expected score.
    """
    return (np.asarray(happened, dtype=np.float64) - np.asarray(probability, dtype=np.float64)) ** 2


def winkler_score(actual: ArrayLike, low: ArrayLike, high: ArrayLike, *, level: float) -> NDArray[np.float64]:
    """(N,) interval scores: the width, plus 2 / (1 - level) times how far outside the value lies. Smaller is better.

    Winkler 1972, "A decision-theoretic approach to interval estimation"; the true central interval has the smallest
    expected score (Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction, and estimation").

    Args:
        actual: (N,) values.
        low: (N,) lower ends.
        high: (N,) upper ends, none below its lower end.
        level: The share of values that the intervals are meant to hold, in (0, 1).

    Raises:
        ValueError: An upper end lies below its lower end.
    """
    actual_N, low_N, high_N = (np.asarray(values, dtype=np.float64) for values in (actual, low, high))
    if (high_N < low_N).any():
        raise ValueError("expected upper ends at or above the lower ones")
    outside_N = np.maximum(low_N - actual_N, 0.0) + np.maximum(actual_N - high_N, 0.0)
    return high_N - low_N + 2 / (1 - level) * outside_N


def crps_from_quantiles(actual: ArrayLike, quantiles_NQ: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """(N,) continuous ranked probability scores, approximated by twice the mean pinball loss. Smaller is better.

    Gneiting & Ranjan 2011, "Comparing density forecasts using threshold- and quantile-weighted scoring rules". With
    probabilities (i - 1/2) / Q it tends to the CRPS as Q grows; with few of them it compares forecasts, no more.

    Args:
        actual: (N,) values.
        quantiles_NQ: (N, Q) forecast quantiles.
        probabilities: (Q,) their probabilities, in (0, 1).
    """
    errors_NQ = np.asarray(actual, dtype=np.float64)[:, None] - np.asarray(quantiles_NQ, dtype=np.float64)
    probabilities_Q = np.asarray(probabilities, dtype=np.float64)
    return 2 * np.maximum(probabilities_Q * errors_NQ, (probabilities_Q - 1) * errors_NQ).mean(axis=1)


def covered(actual: ArrayLike, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
    """(N,) whether each value lies in its interval, ends included; the mean is the coverage."""
    actual_N = np.asarray(actual, dtype=np.float64)
    return (np.asarray(low) <= actual_N) & (actual_N <= np.asarray(high))


def coverage_by_quartile(covered_N: ArrayLike, volatility: ArrayLike) -> tuple[float, float, float, float]:
    """The share of covered values on the calmest quarter of days, the next two, and the stormiest.

    Days are put in order by volatility; those of equal volatility keep their order in time.

    Args:
        covered_N: (N,) whether each value was in its interval.
        volatility: (N,) of the days, e.g. the standard deviation forecast for each.

    Raises:
        ValueError: Different lengths, or fewer than 4 days.
    """
    covered_N, volatility_N = np.asarray(covered_N, dtype=bool), np.asarray(volatility, dtype=np.float64)
    if covered_N.shape != volatility_N.shape or covered_N.size < 4:
        raise ValueError(
            f"expected at least 4 days and a volatility for each, got shapes {covered_N.shape}, {volatility_N.shape}"
        )
    first, second, third, fourth = np.array_split(covered_N[np.argsort(volatility_N, kind="stable")], 4)
    return float(first.mean()), float(second.mean()), float(third.mean()), float(fourth.mean())

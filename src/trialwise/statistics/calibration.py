"""Whether a classifier's confidence means what it says: of what it is 80 % sure of, 80 % should be right.

Legend: N rows, K classes, logits before the softmax.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax

N_BINS = 15  # as in Guo et al. 2017
LOG_TEMPERATURE_BOUNDS = (np.log(0.01), np.log(100.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """The rows whose confidence lies in (low, high], the first bin with 0 included.

    Attributes:
        low: Where the bin begins, in [0, 1).
        high: Where it ends.
        n: How many rows lie in it.
        confidence: Their mean confidence; None where there are none.
        accuracy: The share of them that is right; None where there are none.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


def probabilities(logits_NK: ArrayLike, temperature: float = 1.0) -> NDArray[np.float64]:
    """Class probabilities (N, K): the softmax of the logits over the temperature."""
    return softmax(np.asarray(logits_NK, dtype=np.float64) / temperature, axis=1)


def negative_log_likelihood(logits_NK: ArrayLike, labels_N: ArrayLike, temperature: float = 1.0) -> float:
    """The mean of -log p(true class), in nats; 0 is perfect, log K is what knowing nothing gives."""
    logits_NK, labels_N = np.asarray(logits_NK, dtype=np.float64), np.asarray(labels_N)
    log_NK = log_softmax(logits_NK / temperature, axis=1)
    return float(-log_NK[np.arange(len(labels_N)), labels_N].mean())


def brier_score(probabilities_NK: ArrayLike, labels_N: ArrayLike) -> float:
    """The mean squared distance of the probabilities from the truth, summed over classes: 0 is perfect, 2 the worst.

    Brier 1950, "Verification of forecasts expressed in terms of probability".
    """
    wrong_NK = np.array(probabilities_NK, dtype=np.float64)
    wrong_NK[np.arange(len(wrong_NK)), np.asarray(labels_N)] -= 1
    return float((wrong_NK**2).sum(axis=1).mean())


def reliability_table(
    probabilities_NK: ArrayLike, labels_N: ArrayLike, *, n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Confidence (the probability of the predicted class) beside accuracy, in bins of equal width over [0, 1]."""
    probabilities_NK = np.asarray(probabilities_NK, dtype=np.float64)
    confidence_N = probabilities_NK.max(axis=1)
    right_N = probabilities_NK.argmax(axis=1) == np.asarray(labels_N)
    bin_N = np.clip(np.ceil(confidence_N * n_bins).astype(int) - 1, 0, n_bins - 1)
    table = []
    for i in range(n_bins):
        in_bin_N = bin_N == i
        n = int(in_bin_N.sum())
        table.append(
            ReliabilityBin(
                low=i / n_bins,
                high=(i + 1) / n_bins,
                n=n,
                confidence=float(confidence_N[in_bin_N].mean()) if n else None,
                accuracy=float(right_N[in_bin_N].mean()) if n else None,
            )
        )
    return tuple(table)


def expected_calibration_error(table: tuple[ReliabilityBin, ...]) -> float:
    """The mean distance between confidence and accuracy over the bins, weighted by their rows: 0 to 1.

    Naeini et al. 2015 and Guo et al. 2017, "On calibration of modern neural networks". Chance keeps it above 0: of
    1,000 rows of a perfectly calibrated classifier it is 0.01 to 0.03.
    """
    n = sum(found.n for found in table)
    gaps = [found.n * abs(found.confidence - found.accuracy) for found in table if found.n]  # type: ignore[operator]
    return sum(gaps) / n if n else 0.0


def fit_temperature(logits_NK: ArrayLike, labels_N: ArrayLike) -> float:
    """The temperature that makes the negative log-likelihood of these rows smallest: above 1 for the overconfident.

    Temperature scaling: Guo et al. 2017. It changes no prediction, only how sure it claims to be. The rows must not
    have been trained on. One row more is imagined whose label is drawn at random, in the manner of Platt 1999,
    "Probabilistic outputs for support vector machines": where all of a few rows are right, the best temperature
    would otherwise be 0, and every probability 0 or 1. With thousands of rows it makes no difference.

    Args:
        logits_NK: (N, K) logits.
        labels_N: The true class of each row.

    Returns:
        A temperature from 0.01 to 100; 1 where no other is better.
    """
    logits_NK, labels_N = np.asarray(logits_NK, dtype=np.float64), np.asarray(labels_N)
    n = len(labels_N)
    # What the labels say of each row's logits, with the weight of the imagined row spread over all rows and classes.
    told_N = (n * logits_NK[np.arange(n), labels_N] + logits_NK.mean(axis=1)) / (n + 1)

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        return float((logsumexp(logits_NK * scale, axis=1) - told_N * scale).mean())

    found = minimize_scalar(loss, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0

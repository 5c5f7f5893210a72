"""Predictions and labels -> accuracy, confusion, calibration: plain JSON values.

Shapes: N rows, K classes.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    probabilities,
    reliability_table,
)
from trialwise.statistics.intervals import wilson_interval

MOST_CONFUSION_CLASSES = 100  # beyond, the matrix has more cells than anybody reads; the pairs say it
N_CONFUSED_PAIRS = 10


def accuracy_scores(
    predicted_N: NDArray[np.int64], labels_N: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, Any]:
    """Accuracy with its 95 % interval, by class, and what is taken for what.

    Returns:
        "accuracy", "ci95" (Wilson), "n"; "balanced_accuracy", the mean of the classes' accuracies;
        "largest_class_share", what always naming the most frequent class would give; "per_class" with the first three,
        None where a class has no rows; "confusion" (rows: true class, columns: predicted class; None for more than 100
        classes); "confused_pairs", the most frequent mistakes with "true", "predicted", "n" and "share" of the true
        class; "classes".
    """
    n_classes = len(classes)
    confusion_KK = np.bincount(labels_N * n_classes + predicted_N, minlength=n_classes**2).reshape(n_classes, n_classes)
    counts_K = confusion_KK.sum(axis=1)
    return accuracy_with_interval(predicted_N == labels_N) | {
        "balanced_accuracy": float(np.mean(np.diag(confusion_KK)[counts_K > 0] / counts_K[counts_K > 0])),
        "largest_class_share": float(counts_K.max() / counts_K.sum()),
        "per_class": {
            name: {
                "n": int(row.sum()),
                "accuracy": float(row[i] / row.sum()) if row.sum() else None,
                "ci95": wilson_interval(int(row[i]), int(row.sum())) if row.sum() else None,
            }
            for i, (name, row) in enumerate(zip(classes, confusion_KK, strict=True))
        },
        "confusion": confusion_KK.tolist() if n_classes <= MOST_CONFUSION_CLASSES else None,
        "confused_pairs": _confused_pairs(confusion_KK, classes),
        "classes": list(classes),
    }


def accuracy_with_interval(right_N: NDArray[np.bool_]) -> dict[str, Any]:
    """How many rows are right: "accuracy", "ci95" and "n"; the first two None where there are no rows."""
    n, n_right = len(right_N), int(right_N.sum())
    if n == 0:
        return {"accuracy": None, "ci95": None, "n": 0}
    return {"accuracy": n_right / n, "ci95": wilson_interval(n_right, n), "n": n}


def _confused_pairs(confusion_KK: NDArray[np.int64], classes: Sequence[str]) -> list[dict[str, Any]]:
    wrong_KK = confusion_KK.copy()
    np.fill_diagonal(wrong_KK, 0)
    frequent = np.argsort(-wrong_KK, axis=None, kind="stable")[:N_CONFUSED_PAIRS]
    pairs = [divmod(int(cell), len(classes)) for cell in frequent]
    return [
        {
            "true": classes[true],
            "predicted": classes[predicted],
            "n": int(wrong_KK[true, predicted]),
            "share": float(wrong_KK[true, predicted] / confusion_KK[true].sum()),
        }
        for true, predicted in pairs
        if wrong_KK[true, predicted]
    ]


def calibration_scores(
    logits_NK: NDArray[np.float32], labels_N: NDArray[np.int64], temperature: float
) -> dict[str, Any]:
    """How far confidence can be believed, before and after the temperature.

    Returns:
        "temperature"; "before" and "after", each with "ece" (expected calibration error, 15 bins), "nll" (nats),
        "brier" (0 to 2) and "reliability", the bins with "low", "high", "n", "confidence" and "accuracy".
    """
    found: dict[str, Any] = {"temperature": temperature}
    for name, used in (("before", 1.0), ("after", temperature)):
        probabilities_NK = probabilities(logits_NK, used)
        table = reliability_table(probabilities_NK, labels_N)
        found[name] = {
            "ece": expected_calibration_error(table),
            "nll": negative_log_likelihood(logits_NK, labels_N, used),
            "brier": brier_score(probabilities_NK, labels_N),
            "reliability": [dataclasses.asdict(found_bin) for found_bin in table],
        }
    return found

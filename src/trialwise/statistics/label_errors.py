"""Rows whose given label is probably wrong.

Legend: N rows, K classes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def likely_label_errors(
    probabilities_NK: ArrayLike, labels_N: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose label the probabilities confidently contradict, the likeliest errors first, and the likelier class.

    Confident learning: Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset labels",
    the off-diagonal rows of its confident joint, less those whose own label is still the likeliest class. A class is
    confidently present in a row where its probability is at least the mean it has over the rows of that label, so
    that a classifier which is shy of a class does not put that class's labels in doubt. Rows are ranked by
    self-confidence, the probability of the given label.

    Args:
        probabilities_NK: (N, K) class probabilities of rows that the classifier was not trained on.
        labels_N: The given label of each row.

    Returns:
        Row numbers, and the suggested class of each.
    """
    probabilities_NK, labels_N = np.asarray(probabilities_NK, dtype=np.float64), np.asarray(labels_N)
    n_rows, n_classes = probabilities_NK.shape
    self_confidence_N = probabilities_NK[np.arange(n_rows), labels_N]
    counts_K = np.bincount(labels_N, minlength=n_classes)
    sums_K = np.bincount(labels_N, weights=self_confidence_N, minlength=n_classes)
    # Nothing is known of a class without rows, so it is never suggested.
    thresholds_K = np.where(counts_K > 0, sums_K / np.maximum(1, counts_K), np.inf)
    confident_NK = np.where(probabilities_NK >= thresholds_K, probabilities_NK, -1.0)
    suggested_N = confident_NK.argmax(axis=1)
    is_error_N = (
        (confident_NK.max(axis=1) >= 0) & (suggested_N != labels_N) & (probabilities_NK.argmax(axis=1) != labels_N)
    )
    rows = np.flatnonzero(is_error_N)
    rows = rows[np.argsort(self_confidence_N[rows], kind="stable")]
    return rows, suggested_N[rows]

"""Rows whose class is probably wrong, as a list for people to look at.

Shapes: N rows judged, M rows of the whole set, K classes.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.statistics.calibration import probabilities
from trialwise.statistics.label_errors import likely_label_errors

N_LISTED = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """Rows to look at.

    Attributes:
        document: "n" of them; "n_wrong", how many rows the model gets wrong at all; "rows", the 100 likeliest errors,
            each with its "row" in the set, its "file", its "given" class, the "suggested" one, and the probabilities of
            both: "self_confidence" and "suggested_confidence".
        rows: The rows listed, by their position in the whole set.
    """

    document: dict[str, Any]
    rows: NDArray[np.int64]


def list_label_errors(
    logits_NK: NDArray[np.float32],
    labels_N: NDArray[np.int64],
    *,
    rows_N: NDArray[np.int64],
    files: Sequence[str],
    classes: Sequence[str],
    temperature: float,
) -> LabelErrors:
    """The rows that confident learning doubts, the likeliest errors first.

    Args:
        logits_NK: What the model says of rows that it was not trained on.
        labels_N: Their given classes.
        rows_N: Their positions in the whole set.
        files: The file of every row of the whole set.
        classes: The names of the classes.
        temperature: See `SavedModel`.
    """
    probabilities_NK = probabilities(logits_NK, temperature)
    found, suggested = likely_label_errors(probabilities_NK, labels_N)
    listed = []
    for i, likelier in zip(found[:N_LISTED].tolist(), suggested.tolist(), strict=False):
        row, given = int(rows_N[i]), int(labels_N[i])
        listed.append(
            {
                "row": row,
                "file": files[row],
                "given": classes[given],
                "suggested": classes[likelier],
                "self_confidence": float(probabilities_NK[i, given]),
                "suggested_confidence": float(probabilities_NK[i, likelier]),
            }
        )
    n_wrong = int((probabilities_NK.argmax(axis=1) != labels_N).sum())
    return LabelErrors(document={"n": len(found), "n_wrong": n_wrong, "rows": listed}, rows=rows_N[found[:N_LISTED]])

"""Which images a model gets most wrong, and which classes it takes for each other.

Shapes: N images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialwise.images.examples import UNKNOWN, Judged


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One class taken for another.

    Attributes:
        true: What the images show.
        predicted: What the model says.
        n: How many.
        n_true: Of how many images of the true class.
        rows: Those images, the most confident mistake first.
    """

    true: int
    predicted: int
    n: int
    n_true: int
    rows: tuple[int, ...]


def worst_mistakes(judged: Judged, n: int) -> list[int]:
    """The numbers of at most `n` images that are wrong, the most confident first."""
    wrong = np.flatnonzero(judged.is_wrong_N)
    return wrong[np.argsort(-judged.probabilities_N2[wrong, 0], kind="stable")][:n].tolist()


def confusing_pairs(judged: Judged, n: int) -> list[Pair]:
    """At most `n` pairs of a true and a predicted class, the most frequent mistake first."""
    wrong = worst_mistakes(judged, len(judged.names))
    by_pair: dict[tuple[int, int], list[int]] = {}
    for row in wrong:
        by_pair.setdefault((int(judged.labels_N[row]), int(judged.predicted_N[row])), []).append(row)
    n_true = np.bincount(judged.labels_N[judged.labels_N != UNKNOWN])
    pairs = [
        Pair(true=true, predicted=predicted, n=len(rows), n_true=int(n_true[true]), rows=tuple(rows))
        for (true, predicted), rows in by_pair.items()
    ]
    # As many of a smaller class are worse; then by class, so that the same mistakes give the same table.
    return sorted(pairs, key=lambda pair: (-pair.n, -pair.n / pair.n_true, pair.true, pair.predicted))[:n]


def typical_images(judged: Judged, n: int, generator: np.random.Generator) -> list[int]:
    """At most `n` images that the model gets right (or whose class is not known), of different classes if possible."""
    candidates = generator.permutation(np.flatnonzero(~judged.is_wrong_N))
    first_of_class = np.unique(judged.predicted_N[candidates], return_index=True)[1]
    others = np.setdiff1d(np.arange(len(candidates)), first_of_class)
    order: NDArray[np.int64] = np.concatenate([np.sort(first_of_class), others])
    return candidates[order][:n].tolist()

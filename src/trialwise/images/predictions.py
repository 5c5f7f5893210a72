"""What a classifier said of each row, on disk: for comparing classifiers, and for statistics nobody thought of yet.

Shapes: N rows, K classes.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialwise.base.arrays import load_arrays, save_arrays

VALID_FILE = "valid_predictions.npz"
TEST_FILE = "test_predictions.npz"
PICTURES_FILE = "evaluation_pictures.npz"  # the images that a report on the test rows shows


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidPredictions:
    """What the kept weights say of the validation rows.

    Attributes:
        rows_N: int64, their positions among the training rows of the store.
        labels_N: int64, their given classes.
        logits_NK: float32, before any temperature.
    """

    rows_N: NDArray[np.int64]
    labels_N: NDArray[np.int64]
    logits_NK: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TestPredictions:
    """What a classifier says of the test rows.

    Attributes:
        digests_N8: uint8, the hash of each row's pixels, by which rows are found again in other data.
        labels_N: int64, their given classes.
        plain_N: int64, the predicted classes.
        tta_N: int64, the classes predicted from views of each image together; None where not asked for.
    """

    __test__ = False  # no test, whatever pytest thinks of the name

    digests_N8: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    plain_N: NDArray[np.int64]
    tta_N: NDArray[np.int64] | None = None


def save_predictions(found: ValidPredictions | TestPredictions, folder: Path) -> None:
    """Write them into `folder`, whole or not at all."""
    arrays = {name: array for name, array in vars(found).items() if array is not None}
    save_arrays(folder / (VALID_FILE if isinstance(found, ValidPredictions) else TEST_FILE), arrays)


def load_valid(folder: Path) -> ValidPredictions | None:
    """What was kept in `folder`; None where nothing was.

    Raises:
        UserError: The file is damaged.
    """
    arrays = load_arrays(folder / VALID_FILE, ("rows_N", "labels_N", "logits_NK"))
    return ValidPredictions(**arrays) if arrays else None


def load_test(folder: Path) -> TestPredictions | None:
    """What was kept in `folder`; None where nothing was.

    Raises:
        UserError: The file is damaged.
    """
    arrays = load_arrays(folder / TEST_FILE, ("digests_N8", "labels_N", "plain_N"))
    return TestPredictions(**arrays) if arrays else None


def matching_rows(first: TestPredictions, second: TestPredictions) -> NDArray[np.int64] | None:
    """(N,) where each row of the first lies in the second: the same pixels, and of copies the same one.

    None where the two were not measured on the same rows.
    """
    orders = [np.lexsort(np.column_stack([each.labels_N, each.digests_N8]).T[::-1]) for each in (first, second)]
    sorted_rows = [
        (each.digests_N8[order], each.labels_N[order]) for each, order in zip((first, second), orders, strict=True)
    ]
    if not all(np.array_equal(one, other) for one, other in zip(*sorted_rows, strict=True)):
        return None
    place_N = np.empty(len(orders[0]), dtype=np.int64)
    place_N[orders[0]] = orders[1]
    return place_N


def copy_valid(source: Path, target: Path) -> None:
    """Make the predictions kept in `target` those of `source`, or none where it has none."""
    found = load_valid(source)
    (target / VALID_FILE).unlink(missing_ok=True)
    if found is not None:
        save_predictions(found, target)

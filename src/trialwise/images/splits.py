"""Which rows are for training, for choosing and for the one look at the end.

Shapes: N rows. A split is drawn class by class, so that each class has its share of both sides.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.base.seeds import numpy_generator
from trialwise.base.settings import check_range
from trialwise.images.layout import Layout

TEST_FRACTION = 0.2

# The test rows are the same in every run, whatever its seed: a user who tries seeds must not get to choose them.
_TEST_SEED = 0


def split_train_valid(
    labels_N: NDArray[np.int64], *, valid_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers for training and for choosing: both ascending, disjoint, and together all rows.

    Each class gives `valid_fraction` of its rows, rounded, at least one and never all.

    Args:
        labels_N: The class of each training row.
        valid_fraction: The share of the rows for choosing, in (0, 1).
        seed: The same seed gives the same split.

    Raises:
        UserError: `valid_fraction` is out of range, or a class has a single row.
    """
    check_range("valid_fraction", valid_fraction, low=0, high=1, low_open=True)
    if valid_fraction == 1:
        raise UserError("--valid-fraction: expected less than 1, got 1: nothing would be left for training")
    generator = numpy_generator(seed, "valid split")
    is_valid_N = np.zeros(len(labels_N), dtype=bool)
    for label in np.unique(labels_N):
        rows = np.flatnonzero(labels_N == label)
        if len(rows) < 2:
            raise UserError(f"class number {label} has a single training row: expected two or more")
        n_valid = min(max(round(valid_fraction * len(rows)), 1), len(rows) - 1)
        is_valid_N[generator.permutation(rows)[:n_valid]] = True
    return np.flatnonzero(~is_valid_N), np.flatnonzero(is_valid_N)


def split_off_test(labels_N: NDArray[np.int64], digests: Sequence[bytes]) -> NDArray[np.bool_]:
    """Which rows are held out: a fifth of each class, at least one where the class has enough different images.

    Rows with the same digest (the same picture) stay on one side, else a network could be tested on what it learnt by
    heart. A picture that lies in two classes stays in train: no answer to it would be right. A class with
    fewer than three rows, or hardly any different ones, may be left without a test row.

    Args:
        labels_N: The class of each row.
        digests: A hash of each row's pixels.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, digest in enumerate(digests):
        groups[digest].append(row)
    by_class: dict[int, list[list[int]]] = defaultdict(list)
    for rows in groups.values():
        labels = {int(labels_N[row]) for row in rows}
        if len(labels) == 1:
            by_class[labels.pop()].append(rows)
    sizes = np.bincount(labels_N)
    generator = numpy_generator(_TEST_SEED, "test split")
    is_test_N = np.zeros(len(labels_N), dtype=bool)
    for label in sorted(by_class):
        candidates = [by_class[label][number] for number in generator.permutation(len(by_class[label]))]
        for rows in _chosen(candidates, max(round(TEST_FRACTION * sizes[label]), 1), int(sizes[label])):
            is_test_N[rows] = True
    return is_test_N


def _chosen(candidates: list[list[int]], n_wanted: int, n_rows: int) -> list[list[int]]:
    """Groups that together have at most `n_wanted` rows, or else the smallest that leaves two rows for training."""
    chosen, n_chosen = [], 0
    for rows in candidates:
        if n_chosen + len(rows) <= n_wanted and n_rows - n_chosen - len(rows) >= 2:
            chosen.append(rows)
            n_chosen += len(rows)
    if not chosen and candidates:
        smallest = min(candidates, key=len)
        return [smallest] if n_rows - len(smallest) >= 2 else []
    return chosen


def count_classes(
    labels_N: NDArray[np.int64], is_test_N: NDArray[np.bool_], *, layout: Layout, location: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows of each class in train and in test.

    Args:
        labels_N: The class of each row.
        is_test_N: Which rows are held out.
        layout: Where the test rows came from, and the names of the classes.
        location: What messages call the data.

    Raises:
        UserError: A class has too few rows to be trained and judged on, or there are no test rows at all.
    """
    n_classes = len(layout.classes)
    train_counts = np.bincount(labels_N[~is_test_N], minlength=n_classes).tolist()
    test_counts = np.bincount(labels_N[is_test_N], minlength=n_classes).tolist()
    for name, n_train, n_test in zip(layout.classes, train_counts, test_counts, strict=True):
        where = f"{location}: class {name!r}"
        if layout.has_test and n_train < 2:
            raise UserError(f"{where} has too few usable training images: expected two or more, got {n_train}")
        if not layout.has_test and n_train + n_test < 3:
            raise UserError(
                f"{where} has too few usable images: expected three or more, got {n_train + n_test}",
                hint="one to train on, one to choose by and one to test on is the least",
            )
        if not layout.has_test and n_test == 0:
            raise UserError(
                f"{where} has {n_train} images and hardly two different ones: none can be held out for the test "
                "that is not also a training image",
                hint="add more different images, or leave the class out",
            )
    if not any(test_counts):
        raise UserError(f"{location}: none of the test images can be decoded")
    return tuple(train_counts), tuple(test_counts)

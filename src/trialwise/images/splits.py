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
IMBALANCE = 10  # a class with this many times the rows of another is worth a word
_NAMED = 5

# The test rows are the same in every run, whatever its seed: a user who tries seeds must not get to choose them.
_TEST_SEED = 0


def split_train_valid(
    labels_N: NDArray[np.int64], *, valid_fraction: float, seed: int, digests: Sequence[bytes] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers for training and for choosing: both ascending, disjoint, and together all rows.

    Each class gives `valid_fraction` of its rows, rounded, at least one and never all; copies of one picture stay
    on one side (see `_taken`).

    Args:
        labels_N: The class of each training row.
        valid_fraction: The share of the rows for choosing, in (0, 1).
        seed: The same seed gives the same split.
        digests: A hash of each row's pixels; None where all rows are known to differ.

    Raises:
        UserError: `valid_fraction` is out of range, or a class has a single row.
    """
    check_range("valid_fraction", valid_fraction, low=0, high=1, low_open=True)
    if valid_fraction == 1:
        raise UserError("--valid-fraction: expected less than 1, got 1: nothing would be left for training")
    sizes = np.bincount(labels_N)
    if 1 in sizes:
        raise UserError(f"class number {sizes.tolist().index(1)} has a single training row: expected two or more")
    if digests is None:
        digests = [row.to_bytes(8) for row in range(len(labels_N))]
    is_valid_N = _taken(labels_N, digests, valid_fraction, numpy_generator(seed, "valid split"), least_left=1)
    return np.flatnonzero(~is_valid_N), np.flatnonzero(is_valid_N)


def split_off_test(labels_N: NDArray[np.int64], digests: Sequence[bytes]) -> NDArray[np.bool_]:
    """Which rows are held out: a fifth of each class, at least one where the class has enough different images.

    A class with fewer than three rows, or hardly any different ones, may be left without a test row.

    Args:
        labels_N: The class of each row.
        digests: A hash of each row's pixels; rows with the same one stay on one side (see `_taken`).
    """
    return _taken(labels_N, digests, TEST_FRACTION, numpy_generator(_TEST_SEED, "test split"), least_left=2)


def _taken(
    labels_N: NDArray[np.int64],
    digests: Sequence[bytes],
    fraction: float,
    generator: np.random.Generator,
    *,
    least_left: int,
) -> NDArray[np.bool_]:
    """Which rows are taken out of training: `fraction` of each class, at least one, leaving at least `least_left`.

    Rows with the same digest (the same picture) stay on one side, else a network could be judged on what it learnt by
    heart. A picture that lies in two classes stays in training: no answer to it would be right.
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
    is_taken_N = np.zeros(len(labels_N), dtype=bool)
    for label in sorted(by_class):
        candidates = [by_class[label][number] for number in generator.permutation(len(by_class[label]))]
        n_wanted = min(max(round(fraction * int(sizes[label])), 1), int(sizes[label]) - least_left)
        for rows in _chosen(candidates, n_wanted, int(sizes[label]), least_left):
            is_taken_N[rows] = True
    return is_taken_N


def _chosen(candidates: list[list[int]], n_wanted: int, n_rows: int, least_left: int) -> list[list[int]]:
    """Groups that together have at most `n_wanted` rows, or else the smallest that leaves enough for training."""
    chosen, n_chosen = [], 0
    for rows in candidates:
        if n_chosen + len(rows) <= n_wanted:
            chosen.append(rows)
            n_chosen += len(rows)
    if not chosen and candidates:
        smallest = min(candidates, key=len)
        return [smallest] if n_rows - len(smallest) >= least_left else []
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


def note_imbalance(classes: tuple[str, ...], train_counts: tuple[int, ...]) -> tuple[str, ...]:
    """One sentence where the largest class has more than ten times the training rows of the smallest, else none."""
    most = max(train_counts)
    largest = classes[train_counts.index(most)]
    rows = sorted((count, name) for name, count in zip(classes, train_counts, strict=True) if count * IMBALANCE < most)
    if not rows:
        return ()
    few = name_some([f"{name!r} ({count:,})" for count, name in rows])
    return (
        f"the classes are uneven: {largest!r} has {most:,} training images, more than {IMBALANCE} times as many as "
        f"{few}; look at the accuracy of each class beside the overall one, or let all count alike in training with "
        "--set balanced=true",
    )


def name_some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

"""What each trial scored on each validation row, kept when its checkpoint is gone: from it luck is told from skill.

Legend: N rows, T trials.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialwise.base.arrays import load_arrays, save_arrays
from trialwise.base.errors import UserError

FOLDER = "validation"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ValidationRows:
    """One trial's scores, row by row.

    Attributes:
        scores_N: As large as the trial's score is on average, whether more is better or less.
        baseline_N: What needs no training scores on each row: chance, the naive forecast; None where nobody said.
        block_length: Neighbouring rows that are alike, e.g. days; 1 where rows have nothing to do with each other.
        epoch: Of the scores.
    """

    scores_N: NDArray
    baseline_N: NDArray | None
    block_length: int
    epoch: int


def rows_file(trial_folder: Path) -> Path:
    """Where the rows of a trial lie whose checkpoint lies in `trial_folder`: not in there, since that is deleted."""
    return trial_folder.parent.parent / FOLDER / f"{trial_folder.name}.npz"


def keep_rows(
    trial_folder: Path, scores_N: ArrayLike, *, baseline_N: ArrayLike | None, block_length: int, epoch: int
) -> None:
    """Put a trial's rows on disk in place of those of an earlier epoch.

    Raises:
        ValueError: They are not one finite number a row.
    """
    arrays = {"scores_N": _narrow(scores_N)}
    if baseline_N is not None:
        arrays["baseline_N"] = _narrow(baseline_N)
        if len(arrays["baseline_N"]) != len(arrays["scores_N"]):
            raise ValueError(
                f"expected a baseline for each of {len(arrays['scores_N'])} rows, got {len(arrays['baseline_N'])}"
            )
    numbers = {"block_length": np.array(block_length), "epoch": np.array(epoch)}
    save_arrays(rows_file(trial_folder), arrays | numbers)


def _narrow(values_N: ArrayLike) -> NDArray:
    """The values as bool where they are right or wrong, else as float32: small files."""
    found_N = np.asarray(values_N)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        found_N = found_N if found_N.dtype == bool else found_N.astype(np.float32)
    if found_N.ndim != 1 or not len(found_N) or not np.isfinite(found_N).all():
        raise ValueError(f"expected one finite score for each validation row, got an array of shape {found_N.shape}")
    return found_N


def load_rows(trial_folder: Path) -> ValidationRows | None:
    """What a trial left; None where nothing can be read, or one block of rows alone, which tells nothing."""
    try:
        arrays = load_arrays(rows_file(trial_folder), ("scores_N", "block_length", "epoch"))
    except UserError:
        return None
    if not arrays or len(arrays["scores_N"]) <= int(arrays["block_length"]):
        return None
    return ValidationRows(
        scores_N=arrays["scores_N"],
        baseline_N=arrays.get("baseline_N"),
        block_length=int(arrays["block_length"]),
        epoch=int(arrays["epoch"]),
    )


def same_rows(found: Sequence[ValidationRows | None]) -> NDArray[np.float64] | None:
    """Scores (N, T) of trials on the same rows; None where one is missing or has another number of rows."""
    known = [rows.scores_N for rows in found if rows is not None]
    if not known or len(known) < len(found) or len({len(scores_N) for scores_N in known}) > 1:
        return None
    return np.stack(known, axis=1).astype(np.float64)

"""What a study's numbers are worth: luck and skill of its winner, from what trials left and from their re-runs.

Legend: N rows, T trials, S seeds.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialwise.base.seeds import numpy_generator
from trialwise.statistics.selection import LargestByChance, compare_best, confirm_gain, correct_best
from trialwise.tuning.confirmation import DEFAULT, Rerun, rerun_folder
from trialwise.tuning.ledger import trial_folder
from trialwise.tuning.rungs import Direction
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.validation_rows import ValidationRows, load_rows, same_rows
from trialwise.tuning.winner import best_record, gain_over_default

MOST_COMPARED = 500  # trials that did not come to their end, beside those that did


@dataclasses.dataclass(frozen=True, kw_only=True)
class Belief:
    """What may be said of a study. Gains are above 0 where better, whatever the direction of the scores.

    Attributes:
        named: The trial that is named the winner: of those run again, the one with the best mean, the default
            included; without re-runs the one with the best value.
        seen: How much better the best value is than the default's: a pick among many.
        optimism: How much of the best value is luck with its validation rows; None where the rows are not known.
        corrected: "value" without that luck, its "ci95", "n_rows", "n_trials".
        gain: The mean of the best one run again less the default's over the same seeds; without re-runs, `seen`.
        gain_standard_error: Of the gain; None without re-runs, or where they change nothing and no rows are known.
        gain_error_of: "seeds and rows", what that error and the p value count; "seeds" where the rows are not known.
        gain_p_value: That nothing is gained, the choice paid for; None where nothing can tell.
        chance_p_value: That the best is no better than what needs no training; None where nobody said what that is.
        confirmed: What was run again: "n_seeds", "best" and for each of "trials" its values; None for nothing.
    """

    named: int | None
    seen: float | None = None
    optimism: float | None = None
    corrected: dict[str, Any] | None = None
    gain: float | None = None
    gain_standard_error: float | None = None
    gain_error_of: str | None = None
    gain_p_value: float | None = None
    chance_p_value: float | None = None
    confirmed: dict[str, Any] | None = None

    def to_document(self) -> dict[str, Any]:
        """All but the named trial, as plain JSON values."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "named"}


def believe(
    folder: Path,
    records: Sequence[TrialRecord],
    reruns: Sequence[Rerun],
    *,
    direction: Direction,
    max_epochs: int,
    seed: int,
    has_default: bool,
) -> Belief:
    """What may be said of the study in `folder`; the same to the bit for the same records.

    Args:
        folder: Where trials and re-runs left their validation rows.
        records: All trials.
        reruns: What was run again, in whatever state; those that failed count as not run.
        direction: Whether the lowest or the highest score wins.
        max_epochs: Of a whole trial.
        seed: The study's.
        has_default: Whether trial 0 is the untuned default.
    """
    best = best_record(records, direction)
    if best is None:
        return Belief(named=None)
    sign = 1.0 if direction == "maximize" else -1.0
    seen = gain_over_default(records, direction) if has_default else None
    complete = [record for record in records if record.state == "complete"]
    optimism, corrected, chance = _luck(folder, complete, best, sign, seed)
    by_chance = _largest_by_chance(folder, records, sign, seed) if has_default and len(records) > 1 else None
    found = Belief(
        named=best.number,
        seen=seen,
        optimism=optimism,
        corrected=corrected,
        gain=seen,
        gain_p_value=by_chance.p_value if by_chance else None,
        chance_p_value=chance,
    )
    values = _values(reruns, max_epochs)
    candidates = [number for number in values if not (has_default and number == DEFAULT)]
    if not candidates:
        return found
    return _with_reruns(found, folder, values, candidates, sign, by_chance, has_default=has_default)


def _luck(
    folder: Path, complete: Sequence[TrialRecord], best: TrialRecord, sign: float, seed: int
) -> tuple[float | None, dict[str, Any] | None, float | None]:
    """The optimism of the best value, what is left of it, and the p value of chance."""
    rows = {record.number: _rows_of(folder, record) for record in complete}
    known = [rows[record.number] for record in complete if rows[record.number] is not None]
    scores_NT = same_rows(known)
    top = rows[best.number]
    if scores_NT is None or top is None:
        return None, None, None
    chance = None
    if top.baseline_N is not None:
        test = compare_best(
            sign * scores_NT,
            sign * top.baseline_N.astype(np.float64),
            generator=numpy_generator(seed, "chance"),
            block_length=top.block_length,
        )
        chance = test.p_value
    assert best.value is not None
    found = correct_best(sign * scores_NT, generator=numpy_generator(seed, "optimism"), block_length=top.block_length)
    ends = sorted(sign * end for end in found.interval)
    if top.scores_N.dtype == bool:
        ends = [min(max(end, 0.0), 1.0) for end in ends]  # no more than all rows can be right
    corrected = {"value": sign * found.corrected, "ci95": ends, "n_rows": len(scores_NT), "n_trials": len(known)}
    return found.optimism, corrected, chance


def _largest_by_chance(folder: Path, records: Sequence[TrialRecord], sign: float, seed: int) -> LargestByChance | None:
    """The test of all that was tried against the default; what was pruned counts too, since it was looked at."""
    ended = [record for record in records[1:] if record.state == "complete"]
    ended += [record for record in records[1:] if record.state == "pruned"][:MOST_COMPARED]
    default = _rows_of(folder, records[DEFAULT])
    tried = [rows for record in ended if (rows := _rows_of(folder, record)) is not None]
    scores_NT = same_rows([default, *tried])
    if default is None or scores_NT is None or not tried:
        return None
    return compare_best(
        sign * scores_NT[:, 1:],
        sign * scores_NT[:, 0],
        generator=numpy_generator(seed, "default"),
        block_length=default.block_length,
    )


def _values(reruns: Sequence[Rerun], max_epochs: int) -> dict[int, list[float]]:
    """The last scores of the trials all of whose re-runs came to their end, a seed each."""
    values: dict[int, list[float | None]] = {}
    for rerun in sorted(reruns, key=lambda rerun: rerun.seed_number):
        values.setdefault(rerun.trial, []).append(rerun.value(max_epochs))
    return {number: found for number, found in values.items() if None not in found}  # type: ignore[bad-return]


def _with_reruns(
    found: Belief,
    folder: Path,
    values: dict[int, list[float]],
    candidates: list[int],
    sign: float,
    by_chance: LargestByChance | None,
    *,
    has_default: bool,
) -> Belief:
    means = {number: float(np.mean(scores)) for number, scores in values.items()}
    named = max(
        means, key=lambda number: sign * means[number]
    )  # the default stands first, and keeps its place in a tie
    best = max(candidates, key=lambda number: sign * means[number])
    n_seeds = len(values[best])
    trials = [{"trial": number, "values": scores, "mean": means[number]} for number, scores in values.items()]
    found = dataclasses.replace(
        found, named=named, confirmed={"n_seeds": n_seeds, "best": best, "trials": trials}, gain=None, gain_p_value=None
    )
    if not has_default or DEFAULT not in values:
        return found
    gain = sign * (means[best] - means[DEFAULT])
    if n_seeds < 2:
        return dataclasses.replace(found, gain=gain)
    numbers = [DEFAULT, *candidates]
    left = [load_rows(rerun_folder(folder, number, 1 + s)) for number in numbers for s in range(n_seeds)]
    rows_TSN: NDArray[np.float64] | None = None
    if by_chance is not None:
        rows_TSN = _rows_behind(left, np.array([values[number] for number in numbers]), sign)
    tested = confirm_gain(
        [[sign * value for value in values[number]] for number in candidates],
        [sign * value for value in values[DEFAULT]],
        rows_KSN=None if rows_TSN is None else rows_TSN[1:],
        default_SN=None if rows_TSN is None else rows_TSN[0],
        by_chance=by_chance if rows_TSN is not None else None,
        block_length=left[0].block_length if left[0] is not None else 1,
    )
    return dataclasses.replace(
        found,
        gain=tested.gain,
        gain_standard_error=tested.standard_error,
        gain_error_of="seeds" if rows_TSN is None else "seeds and rows",
        gain_p_value=tested.p_value,
    )


def _rows_behind(
    left: Sequence[ValidationRows | None], scores_TS: NDArray[np.float64], sign: float
) -> NDArray[np.float64] | None:
    """(T, S, N) the rows of what was run again, more being better; None where they are not what the scores mean."""
    scores_NT = same_rows(left)
    if scores_NT is None or not _are_means(scores_TS.ravel(), scores_NT):
        return None
    return sign * scores_NT.T.reshape(*scores_TS.shape, -1)


def _are_means(scores_T: ArrayLike, rows_NT: NDArray[np.float64]) -> bool:
    """Whether each score is the mean of its rows; else nothing is known of its luck with them."""
    return np.allclose(rows_NT.mean(axis=0), scores_T, rtol=1e-3, atol=1e-6)  # a score may have been rounded


def _rows_of(folder: Path, record: TrialRecord) -> ValidationRows | None:
    """The rows behind a trial's value; None where they are missing, of another epoch, or not what it is the mean of."""
    rows = load_rows(trial_folder(folder, record.number))
    if rows is None or record.value is None or rows.epoch != max(record.scores, default=0):
        return None
    return rows if _are_means(record.value, rows.scores_N.astype(np.float64)) else None

"""A second goal beside the score: a number that the objective put on record, and the front of the two."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trialwise.base.errors import UserError
from trialwise.base.settings import unknown_name
from trialwise.tuning.rungs import Direction

if TYPE_CHECKING:
    from trialwise.tuning.studies import TrialRecord

_DIRECTIONS: dict[str, Direction] = {"min": "minimize", "max": "maximize"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Goal:
    """A note of the trials that should be small, or large where `direction` is "maximize"."""

    name: str
    direction: Direction = "minimize"


def parse_goal(text: str) -> Goal:
    """The goal written as `n_params`, `n_params:min` or `recall:max`.

    Raises:
        UserError: The text is none of these.
    """
    name, _, word = text.partition(":")
    if not name or word not in ("", *_DIRECTIONS):
        raise UserError(
            f"--also {text}: expected NAME, NAME:min or NAME:max", hint="e.g. --also n_params, where fewer are better"
        )
    return Goal(name=name, direction=_DIRECTIONS.get(word, "minimize"))


def has_note(goal: Goal, notes: Mapping[str, Any]) -> bool:
    """Whether a trial put a number on record for the goal."""
    return _number(notes.get(goal.name)) is not None


def is_nan(note: Any) -> bool:
    """Whether a note is not a number this time, e.g. a share of nothing, or None."""
    return note is None or (isinstance(note, float) and math.isnan(note))


def check_note(goal: Goal, notes: Mapping[str, Any]) -> None:
    """Refuse a goal that a finished trial put no number on record for.

    Raises:
        UserError: With the notes that are numbers.
    """
    if has_note(goal, notes):
        return
    known = sorted(name for name, value in notes.items() if _number(value) is not None)
    if goal.name in notes:
        raise UserError(
            f"--also {goal.name}: expected a number, got {notes[goal.name]!r}",
            hint=f"notes that are numbers: {', '.join(known) or 'none'}",
        )
    if not known:
        raise UserError(
            f"--also {goal.name}: the objective puts no number on record beside its score",
            hint=f"in the objective: trial.notes[{goal.name!r}] = ...",
        )
    near = unknown_name("note", goal.name, known, where="--also")
    others = f"notes that are numbers: {', '.join(known)}"
    raise UserError(near.message, hint=f"{near.hint} ({others})" if near.hint.startswith("did") else others)


def pareto_front(records: "Sequence[TrialRecord]", direction: Direction, goal: Goal) -> list[dict[str, Any]]:
    """The complete trials that no other beats in both, from the best note to the best score.

    Of trials alike in both, the first one counts.

    Returns:
        For each its "number", "value" (the score) and the note by its name.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    note_sign = 1.0 if goal.direction == "minimize" else -1.0
    known = [
        (note_sign * note, sign * record.value, record.number, note, record.value)
        for record in records
        if record.state == "complete" and record.value is not None and math.isfinite(record.value)
        if (note := _number(record.notes.get(goal.name))) is not None
    ]
    front: list[dict[str, Any]] = []
    lowest = math.inf
    for _, score, number, note, value in sorted(known):
        if score < lowest:
            lowest = score
            front.append({"number": number, "value": value, goal.name: note})
    return front


def _number(value: Any) -> float | int | None:
    """A finite number, as which a note of true or false does not count."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None

"""A second goal of a study: minded while it runs, its front at the end."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from trialwise.api.runs import Watch
from trialwise.tuning.goals import Goal, check_note, has_note, is_nan, pareto_front
from trialwise.tuning.rungs import Direction
from trialwise.tuning.studies import Study, TrialRecord


def minding(goal: Goal | None, study: Study, watch: Watch) -> Watch:
    """The watcher, and after it a look at complete trials until one has the goal's number on record.

    One that has no such note ends the study; where the number is nan, a later trial may have one.
    """
    if goal is None:
        return watch
    is_known = any(record.state == "complete" and has_note(goal, record.notes) for record in study.records())

    def see(event: Any) -> None:
        nonlocal is_known
        watch(event)
        if not is_known and getattr(event, "kind", "") == "complete":
            (record,) = study.records(range(event.number, event.number + 1))
            is_known = has_note(goal, record.notes)
            if goal.name not in record.notes or not is_nan(record.notes[goal.name]):
                check_note(goal, record.notes)

    return see


def second_goal_document(goal: Goal | None, records: Sequence[TrialRecord], direction: Direction) -> dict[str, Any]:
    """What the result says of a second goal: "also" and "pareto"; nothing without one."""
    if goal is None:
        return {}
    return {"also": dataclasses.asdict(goal), "pareto": pareto_front(records, direction, goal)}

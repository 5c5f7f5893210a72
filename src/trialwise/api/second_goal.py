"""A second goal of a study: minded while it runs, its front at the end."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from trialwise.api.runs import Watch
from trialwise.tuning.goals import Goal, check_note, pareto_front
from trialwise.tuning.rungs import Direction
from trialwise.tuning.studies import Study, TrialRecord


def minding(goal: Goal | None, study: Study, watch: Watch) -> Watch:
    """The watcher, and after it a look at the first complete trial, which must have the goal's number on record."""
    if goal is None:
        return watch
    is_known = False

    def see(event: Any) -> None:
        nonlocal is_known
        watch(event)
        if not is_known and getattr(event, "kind", "") == "complete":
            (record,) = study.records(range(event.number, event.number + 1))
            check_note(goal, record.notes)
            is_known = True

    return see


def second_goal_document(goal: Goal | None, records: Sequence[TrialRecord], direction: Direction) -> dict[str, Any]:
    """What the result says of a second goal: "also" and "pareto"; nothing without one."""
    if goal is None:
        return {}
    return {"also": dataclasses.asdict(goal), "pareto": pareto_front(records, direction, goal)}

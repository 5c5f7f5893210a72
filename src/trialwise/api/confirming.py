"""The end of a study: its best trials again on fresh seeds, and what may be said of the winner."""

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from trialwise.api.runs import Note, Stage, Watch
from trialwise.base.runs import RunFolder
from trialwise.tuning.belief import Belief, believe
from trialwise.tuning.confirmation import (
    DEFAULT,
    Confirming,
    Rerun,
    confirm,
    contenders,
    known_reruns,
    rerun_folder,
    tidy,
)
from trialwise.tuning.driver import trial_folder
from trialwise.tuning.rungs import Direction
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.tasks import Pool
from trialwise.tuning.winner import best_record, gain_over_default


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyEnd:
    """What the end of a study needs to know of it.

    Attributes:
        confirming: What is run again.
        direction: Whether the lowest or the highest score wins.
        max_epochs: Of a whole trial.
        has_default: Whether trial 0 is the untuned default.
        deterministic: Whether one configuration always gives one score, so that there is no luck to speak of.
        trial_minutes: A re-run that gives no score for so long is ended; None for no limit.
    """

    confirming: Confirming
    direction: Direction
    max_epochs: int
    has_default: bool
    deterministic: bool = False
    trial_minutes: float | None = None


def reruns_of(run: RunFolder, records: Sequence[TrialRecord], end: StudyEnd) -> list[Rerun]:
    """The re-runs that the study asks for, as they stand on record; none where no trial but the default is complete."""
    if end.deterministic or not end.confirming.top:
        return []
    numbers = contenders(records, end.direction, top=end.confirming.top, has_default=end.has_default)
    return known_reruns(run.path, numbers, end.confirming.seeds, records)


def confirm_best(run: RunFolder, records: Sequence[TrialRecord], end: StudyEnd, pool: Pool, watch: Watch) -> None:
    """Run what is missing of the re-runs; what they cost is said first."""
    reruns = reruns_of(run, records, end)
    epochs_left = sum(end.max_epochs - len(rerun.scores) for rerun in reruns if not rerun.is_over(end.max_epochs))
    if epochs_left:
        watch(Note(text=_cost(reruns, records, end, epochs_left)))
    steps = confirm(
        run.path,
        reruns,
        pool,
        seed=run.seed,
        max_epochs=end.max_epochs,
        first_number=len(records),
        trial_minutes=end.trial_minutes,
    )
    with closing(steps):
        for step in steps:
            watch(Stage(name="the best again on fresh seeds", done=step.done, total=step.total))
    tidy(run.path, reruns)


def _cost(reruns: Sequence[Rerun], records: Sequence[TrialRecord], end: StudyEnd, epochs_left: int) -> str:
    """What is run again, and how long that takes beside the trials."""
    numbers = {rerun.trial for rerun in reruns}
    n_best = len(numbers - {DEFAULT}) if end.has_default else len(numbers)
    what = f"the best {n_best} trials" if n_best > 1 else "the best trial"
    if end.has_default and DEFAULT in numbers:
        what += " and the default"
    seeds = f"{end.confirming.seeds} fresh seed" + ("s" if end.confirming.seeds > 1 else "")
    spent = sum(len(record.scores) for record in records)
    unit = "epochs" if end.max_epochs > 1 else "evaluations"
    cost = f"{epochs_left:,} {unit}, where all trials took {spent:,}"
    return f"next, {what} again on {seeds}: {cost}; --confirm 0 leaves it out"


def judge(run: RunFolder, records: Sequence[TrialRecord], end: StudyEnd) -> Belief:
    """What may be said of the study as it stands."""
    if end.deterministic:
        best = best_record(records, end.direction)
        seen = gain_over_default(records, end.direction) if best and end.has_default else None
        return Belief(named=best.number if best else None, seen=seen, gain=seen)
    return believe(
        run.path,
        records,
        reruns_of(run, records, end),
        direction=end.direction,
        max_epochs=end.max_epochs,
        seed=run.seed,
        has_default=end.has_default,
    )


def folder_of(run: RunFolder, belief: Belief, number: int) -> Path | None:
    """Where a trial's model lies at the end: its first re-run's folder, else its own; None where it is gone.

    The first fresh seed is nobody's pick, so what is measured of it is a fair sample of its configuration.
    """
    folder = rerun_folder(run.path, number, 1) if _is_confirmed(belief, number) else trial_folder(run.path, number)
    return folder if folder.is_dir() else None


def folder_name(belief: Belief) -> str | None:
    """The name of the folder that the winner's model comes from: "TRIAL-SEED" of a re-run, "TRIAL" of a trial."""
    if belief.named is None:
        return None
    return f"{belief.named:04d}" + ("-1" if _is_confirmed(belief, belief.named) else "")


def _is_confirmed(belief: Belief, number: int) -> bool:
    return belief.confirmed is not None and any(row["trial"] == number for row in belief.confirmed["trials"])

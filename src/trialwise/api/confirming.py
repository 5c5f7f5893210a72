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


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyEnd:
    """What the end of a study needs to know of it.

    Attributes:
        confirming: What is run again.
        direction: Whether the lowest or the highest score wins.
        max_epochs: Of a whole trial.
        has_default: Whether trial 0 is the untuned default.
    """

    confirming: Confirming
    direction: Direction
    max_epochs: int
    has_default: bool


def reruns_of(run: RunFolder, records: Sequence[TrialRecord], end: StudyEnd) -> list[Rerun]:
    """The re-runs that the study asks for, as they stand on record; none where nothing was gained to be confirmed."""
    if not end.confirming.top or not end.confirming.seeds:
        return []
    numbers = contenders(records, end.direction, top=end.confirming.top, has_default=end.has_default)
    return known_reruns(run.path, numbers, end.confirming.seeds, records)


def run_again(
    run: RunFolder,
    reruns: Sequence[Rerun],
    records: Sequence[TrialRecord],
    end: StudyEnd,
    pool: Pool,
    watch: Watch,
    *,
    seconds_per_epoch: float | None,
) -> None:
    """Run what is missing of the re-runs; what they cost is said first."""
    epochs_left = sum(end.max_epochs - len(r.scores) for r in reruns if not r.is_over(end.max_epochs))
    if not epochs_left:
        return
    spent = sum(len(record.scores) for record in records)
    n_trials = len({rerun.trial for rerun in reruns} - ({DEFAULT} if end.has_default else set()))
    what = f"the best {n_trials} trials" if n_trials > 1 else "the best trial"
    what += " and the default" if any(rerun.trial == DEFAULT for rerun in reruns) and end.has_default else ""
    time = f", about {epochs_left * seconds_per_epoch:.0f} s" if seconds_per_epoch is not None else ""
    seeds = f"{end.confirming.seeds} fresh seed" + ("s" if end.confirming.seeds > 1 else "")
    watch(
        Note(
            text=f"to confirm: {what} again on {seeds}, {epochs_left:,} epochs{time} "
            f"(all trials: {spent:,} epochs; --confirm 0 leaves it out)"
        )
    )
    with closing(
        confirm(run.path, reruns, pool, seed=run.seed, max_epochs=end.max_epochs, first_number=len(records))
    ) as steps:
        for step in steps:
            watch(Stage(name="again on fresh seeds", done=step.done, total=step.total))
    tidy(run.path, reruns)


def judge(run: RunFolder, records: Sequence[TrialRecord], reruns: Sequence[Rerun], end: StudyEnd) -> Belief:
    """What may be said of the study as it stands."""
    return believe(
        run.path,
        records,
        reruns,
        direction=end.direction,
        max_epochs=end.max_epochs,
        seed=run.seed,
        has_default=end.has_default,
    )


def folder_of(run: RunFolder, belief: Belief, number: int) -> Path | None:
    """Where a trial's model lies at the end: its first re-run's folder, else its own; None where it is gone.

    The first fresh seed is nobody's pick, so what is measured of it is a fair sample of its configuration.
    """
    again = belief.confirmed is not None and any(row["trial"] == number for row in belief.confirmed["trials"])
    folder = rerun_folder(run.path, number, 1) if again else trial_folder(run.path, number)
    return folder if folder.is_dir() else None

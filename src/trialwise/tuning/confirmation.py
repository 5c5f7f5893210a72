"""The best trials and the untuned default once more, on seeds that none was chosen by, each run on record."""

import dataclasses
import shutil
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trialwise.base.files import read_json, write_json
from trialwise.base.seeds import child_seed
from trialwise.tuning.rungs import Direction, best_first
from trialwise.tuning.silences import Losses
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.task_lists import run_all
from trialwise.tuning.tasks import Failure, Pool, Score, Task
from trialwise.tuning.trials import Trial
from trialwise.tuning.validation_rows import rows_file

FOLDER = "confirmation"
DEFAULT = 0  # the untuned default's trial


@dataclasses.dataclass(frozen=True, kw_only=True)
class Confirming:
    """What is run again.

    Attributes:
        top: The best trials that are.
        seeds: Fresh seeds for each; 0 runs nothing again.
    """

    top: int = 3
    seeds: int = 2


@dataclasses.dataclass(kw_only=True)
class Rerun:
    """One trial's configuration on one fresh seed.

    Attributes:
        trial: Whose configuration it is.
        seed_number: Which fresh seed, from 1; the same seed for all trials.
        params: The configuration.
        scores: One for each epoch so far.
        reason: Why it failed; None where it did not.
    """

    trial: int
    seed_number: int
    params: dict[str, Any]
    scores: list[float] = dataclasses.field(default_factory=list)
    reason: str | None = None

    def is_over(self, max_epochs: int) -> bool:
        """Whether nothing of it is left to do."""
        return self.reason is not None or len(self.scores) >= max_epochs

    def value(self, max_epochs: int) -> float | None:
        """The last score of a run that came to its end; None where it did not."""
        return self.scores[-1] if self.reason is None and len(self.scores) >= max_epochs else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """So many of all epochs of the re-runs are done."""

    done: int
    total: int


def rerun_folder(folder: Path, trial: int, seed_number: int) -> Path:
    """Where a re-run keeps its checkpoint and, at its end, its model; its record is the JSON file beside it."""
    return folder / FOLDER / f"{trial:04d}-{seed_number}"


def contenders(records: Sequence[TrialRecord], direction: Direction, *, top: int, has_default: bool) -> list[int]:
    """The trials that are run again, best first, the default (where there is one) in front of them.

    A configuration that was tried twice, or is the default, comes once. None where only the default is complete.
    """
    complete = {r.number: r for r in records if r.state == "complete" and r.value is not None}
    chosen: list[int] = []
    seen = [complete[DEFAULT].params] if has_default and DEFAULT in complete else []
    n_fixed = len(seen)
    for number in best_first({number: r.value for number, r in complete.items()}, direction):  # type: ignore[bad-argument-type]
        if complete[number].params not in seen and len(chosen) < top:
            chosen.append(number)
            seen.append(complete[number].params)
    return [DEFAULT] * n_fixed + chosen if chosen else []


def known_reruns(folder: Path, numbers: Sequence[int], n_seeds: int, records: Sequence[TrialRecord]) -> list[Rerun]:
    """The re-runs of these trials as they stand on record, those not begun included, seed by seed."""
    params = {record.number: record.params for record in records}
    found = []
    for seed_number in range(1, n_seeds + 1):
        for number in numbers:
            file = rerun_folder(folder, number, seed_number).with_suffix(".json")
            rerun = Rerun(trial=number, seed_number=seed_number, params=params[number])
            found.append(Rerun(**read_json(file)) if file.exists() else rerun)
    return found


def confirm(
    folder: Path,
    reruns: Sequence[Rerun],
    pool: Pool,
    *,
    seed: int,
    max_epochs: int,
    first_number: int,
    trial_minutes: float | None = None,
) -> Generator[Progress]:
    """Run what is missing of the re-runs, yielding how far they are; stop by closing, go on by calling it again.

    A run's scores are on record after each epoch, and a killed one goes on from its checkpoint, so what comes out
    depends on the study's seed and the trials alone, never on the workers.

    Args:
        folder: The study's.
        reruns: As `known_reruns` gives them; brought up to date in place.
        pool: What runs them.
        seed: The study's.
        max_epochs: The epochs of each.
        first_number: A trial number that the study does not have: what the runs are called in the pool.
        trial_minutes: A run that gives no score for so long is ended, and has failed; None for no limit.
    """
    by_number = dict(enumerate(reruns, start=first_number))
    losses = Losses()
    total = max_epochs * len(reruns)
    while tasks := [
        _task(folder, number, rerun, seed, max_epochs)
        for number, rerun in by_number.items()
        if not rerun.is_over(max_epochs)
    ]:
        for message in run_all(pool, tasks, trial_minutes=trial_minutes):
            rerun = by_number[message.number]
            if isinstance(message, Score):
                rerun.scores[message.epoch - 1 :] = [message.score]
                losses.forget(message.number)
            elif isinstance(message, Failure):
                rerun.reason = losses.reason_to_end(message)
                if rerun.reason is None:
                    continue  # the outer loop starts it again, from its checkpoint
            else:
                continue
            write_json(rerun_folder(folder, rerun.trial, rerun.seed_number).with_suffix(".json"), vars(rerun))
            yield Progress(done=sum(max_epochs if r.reason else len(r.scores) for r in reruns), total=total)


def _task(folder: Path, number: int, rerun: Rerun, seed: int, max_epochs: int) -> Task:
    trial = Trial(
        number=number,
        seed=child_seed(seed, "confirm", rerun.seed_number),
        max_epochs=max_epochs,
        epochs_done=len(rerun.scores),
        folder=rerun_folder(folder, rerun.trial, rerun.seed_number),
    )
    return Task(trial=trial, config=rerun.params, until_epoch=max_epochs)


def tidy(folder: Path, reruns: Sequence[Rerun]) -> None:
    """Delete what is no longer needed: the folders of all seeds but the first, and all of trials not among these."""
    if not (folder / FOLDER).exists():
        return
    names = {rerun_folder(folder, rerun.trial, rerun.seed_number).name: rerun for rerun in reruns}
    for path in sorted((folder / FOLDER).iterdir()):
        rerun = names.get(path.stem if path.suffix == ".json" else path.name)
        if path.is_dir() and (rerun is None or rerun.seed_number > 1):
            shutil.rmtree(path)
        elif path.suffix == ".json" and rerun is None:
            path.unlink()
            with suppress(FileNotFoundError):
                rows_file(path.with_suffix("")).unlink()

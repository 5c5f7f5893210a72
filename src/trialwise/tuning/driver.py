"""The loop that proposes, runs, compares and ends trials: ask-and-tell with successive halving, in lockstep."""

import dataclasses
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from trialwise.base.errors import WorkError
from trialwise.base.seeds import child_seed
from trialwise.tuning.earlier import Proposals
from trialwise.tuning.rungs import Direction, promoted, rung_epochs
from trialwise.tuning.samplers import SamplerName, sampler_for_each_trial
from trialwise.tuning.spaces import Space, missing
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.trials import Config, Trial
from trialwise.tuning.winner import best_record
from trialwise.tuning.workers import Failure, Pool, Score, Task

BATCH_OF_TRIALS = 9  # as measured best for lockstep halving: 9 trials, then 3, then 1
MAX_LOSSES = 3  # a trial whose process died this often is given up
SAME_ERRORS = 3  # the study stops when this many first trials fail alike


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """How a study goes.

    Attributes:
        n_trials: Trials in all, those of an earlier session included.
        max_epochs: The epochs of a trial that is never pruned; 1 means that nothing is pruned.
        batch_size: Trials proposed together and compared with each other at every rung.
        direction: Whether the lowest or the highest score wins.
        sampler: Which sampler proposes.
        seed: The study's one seed.
        first_rung: The epochs before trials are first compared.
        eta: One trial in `eta` goes on past each rung.
        deterministic: Whether one configuration is known to give one score always.
        proposals: What an earlier study proposes, if one is to be started from.
    """

    n_trials: int
    max_epochs: int
    batch_size: int
    direction: Direction
    sampler: SamplerName
    seed: int
    first_rung: int = 1
    eta: int = 3
    deterministic: bool = False
    proposals: Proposals | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialEvent:
    """One thing that happened, for whoever watches: a progress bar, a log."""

    kind: Literal["score", "complete", "pruned", "failed"]
    number: int
    config: Config
    epoch: int = 0
    score: float = math.nan
    reason: str = ""


def run_study(
    study: Study, space: Space, plan: StudyPlan, pool: Pool, *, default: Config | None = None
) -> Generator[TrialEvent]:
    """Run the study's open and missing trials, yielding what happens; stop by closing, go on by calling it again.

    Trials are proposed in batches. All trials of a batch run to the first rung, the best one in `eta` goes on to
    the next, and so on. Trial 0, the untuned default, is never pruned and takes no other trial's place, so that at
    the end there is a tuned trial and something to compare it with. The value of a complete trial is its last score:
    the one of the weights that are kept, where the best of all epochs would be one more pick from noise. Proposals
    and comparisons depend on the record alone, so the table of trials is the same for any number of workers and for
    a study that was killed and resumed.

    Args:
        study: Where everything is put on record.
        space: What is tuned.
        plan: How.
        pool: What runs the trials.
        default: The untuned configuration, tried first.

    Raises:
        WorkError: The first trials all failed with the same error; with the traceback of the first.
    """
    sampler = sampler_for_each_trial(plan.sampler, plan.seed, deterministic=plan.deterministic)
    if plan.proposals is not None:
        sampler = plan.proposals.before(sampler)
    for first in range(0, plan.n_trials, plan.batch_size):
        numbers = range(first, min(first + plan.batch_size, plan.n_trials))
        _propose(study, space, sampler, numbers, default)
        for epochs in rung_epochs(plan.max_epochs, first=plan.first_rung, eta=plan.eta):
            yield from _run_to_rung(study, plan, pool, numbers, epochs)
            yield from _end_rung(study, plan, numbers, epochs, keep_default=default is not None)


def _propose(
    study: Study, space: Space, sampler: Callable[[int], BaseSampler], numbers: range, default: Config | None
) -> None:
    """Propose the batch's missing trials, and finish one that a killed driver left without all its parameters."""
    known = study.n_asked()
    if known == 0 and default is not None:
        study.enqueue(default)
    for number in numbers:
        if number >= known or missing(space, study.records(range(number, number + 1))[0].params):
            study.ask(number, sampler(number), space)


def _run_to_rung(study: Study, plan: StudyPlan, pool: Pool, numbers: range, epochs: int) -> Iterator[TrialEvent]:
    losses: Counter[int] = Counter()
    while True:
        open_trials = [r for r in study.records(numbers) if r.state == "paused" and len(r.scores) < epochs]
        if not open_trials:
            return
        configs = {record.number: record.params for record in open_trials}
        for message in pool.run([_task(study, plan, record, epochs) for record in open_trials]):
            number = message.number
            if isinstance(message, Score):
                study.report(number, message.epoch, message.score, message.notes)
                yield TrialEvent(
                    kind="score", number=number, config=configs[number], epoch=message.epoch, score=message.score
                )
            elif isinstance(message, Failure):
                losses[number] += message.lost
                if message.lost and losses[number] < MAX_LOSSES:
                    continue  # the outer loop sends it again, and it goes on from its checkpoint
                study.tell(number, TrialState.FAIL, reason=message.reason)
                _stop_if_all_fail_alike(study, message)
                yield TrialEvent(kind="failed", number=number, config=configs[number], reason=message.reason)


def _task(study: Study, plan: StudyPlan, record: TrialRecord, epochs: int) -> Task:
    trial = Trial(
        number=record.number,
        seed=child_seed(plan.seed, "trial", record.number),
        max_epochs=plan.max_epochs,
        epochs_done=len(record.scores),
        folder=trial_folder(study.folder, record.number),
    )
    return Task(trial=trial, config=record.params, until_epoch=epochs)


def _end_rung(
    study: Study, plan: StudyPlan, numbers: range, epochs: int, *, keep_default: bool
) -> Iterator[TrialEvent]:
    reached = [r for r in study.records(numbers) if len(r.scores) >= epochs and r.state != "failed"]
    default = {0} if keep_default else set()
    rivals = {r.number: r.scores[epochs] for r in reached if r.number not in default}
    going_on = promoted(rivals, plan.direction, eta=plan.eta) | default
    for record in reached:
        if record.state != "paused":
            continue  # ended before the driver was killed
        score = record.scores[epochs]
        if epochs == plan.max_epochs:
            kind = "complete"
            study.tell(record.number, TrialState.COMPLETE, value=score)
        elif record.number not in going_on:
            kind = "pruned"
            study.tell(record.number, TrialState.PRUNED)
        else:
            continue
        yield TrialEvent(kind=kind, number=record.number, config=record.params, epoch=epochs, score=score)
    _keep_folders(study, plan)


def _stop_if_all_fail_alike(study: Study, failure: Failure) -> None:
    records = study.records()
    failed = [record for record in records if record.state == "failed"]
    if len(failed) < SAME_ERRORS or any(record.scores for record in records):
        return
    if all(_alike(str(record.notes.get("reason")), failure.reason) for record in failed):
        alike = f"the first {len(failed)} trials all failed with the same error: {failure.reason}"
        raise WorkError(
            f"{alike}\n\n{failure.traceback}".rstrip(),
            hint="mend the objective, then start again",
        )


def _alike(reason: str, other: str) -> bool:
    """Whether two errors are one but for the numbers in them."""
    number = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
    return number.sub("#", reason) == number.sub("#", other)


def trial_folder(folder: Path, number: int) -> Path:
    """Where trial `number` of the study in `folder` keeps its checkpoint."""
    return folder / "trials" / f"{number:04d}"


def _keep_folders(study: Study, plan: StudyPlan) -> None:
    """Delete the checkpoints that can no longer be needed: all but the open trials' and the best one's."""
    if not (study.folder / "trials").exists():
        return
    records = study.records()
    best = best_record(records, plan.direction)
    kept = {record.number for record in records if record.state == "paused"} | ({best.number} if best else set())
    for record in records:
        if record.number not in kept:
            with suppress(FileNotFoundError):
                shutil.rmtree(trial_folder(study.folder, record.number))

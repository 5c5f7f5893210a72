"""The loop that proposes, runs, compares and ends trials: ask-and-tell with successive halving."""

import dataclasses
import math
import re
import time
from collections.abc import Generator, Iterator
from typing import Literal

import optuna

from trialwise.base.errors import WorkError
from trialwise.base.seeds import child_seed
from trialwise.tuning.asynchronous import Asynchronous
from trialwise.tuning.budgets import Budget, Spent, StoppedBy, check_epochs, reached
from trialwise.tuning.earlier_proposals import Proposals
from trialwise.tuning.ladders import ladder
from trialwise.tuning.ledger import Ledger, LedgerTrial, trial_folder
from trialwise.tuning.lockstep import Lockstep
from trialwise.tuning.orders import Halving, Order, Step
from trialwise.tuning.rungs import Direction, RungUnit
from trialwise.tuning.samplers import SamplerName, sampler_for_each_trial
from trialwise.tuning.silences import Losses, Silences
from trialwise.tuning.spaces import Space, missing
from trialwise.tuning.studies import Study
from trialwise.tuning.tasks import Done, Failure, Message, Pool, Score, Task
from trialwise.tuning.trials import Config, Trial
from trialwise.tuning.views import PausedAsPruned

BATCH_OF_TRIALS = 9  # as measured best for lockstep halving: 9 trials, then 3, then 1
SAME_ERRORS = 3  # the study stops when this many first trials fail alike
SECONDS_BETWEEN_NOTES = 10.0
LONGEST_WAIT = 3600.0  # seconds; the system's own limit is some weeks
FAILED_IN_A_ROW = 50  # trials, after which a study that no number of trials ends is stopped
FAILED_ON_THE_WAY = 20  # the same of trials that had scores, where no tuned trial ever came to its end


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """How a study goes.

    Attributes:
        budget: What ends it.
        max_epochs: The epochs of a trial that is never pruned; 1 means that nothing is pruned.
        direction: Whether the lowest or the highest score wins.
        sampler: Which sampler proposes.
        seed: The study's one seed.
        first_rung: What a trial has spent when it is first compared.
        rung_unit: In which unit.
        eta: One trial in `eta` goes on past each rung.
        lockstep: Whether trials are compared in batches, so that the table of trials does not depend on the workers.
        batch_size: In lockstep: trials proposed together and compared with each other at every rung.
        deterministic: Whether one configuration is known to give one score always.
        trial_minutes: A trial that gives no score for so long is ended; None for no limit.
        proposals: What an earlier study proposes, if one is to be started from.
        keep_default: Whether the folder of the untuned default stays when another trial is better.
    """

    budget: Budget
    max_epochs: int
    direction: Direction
    sampler: SamplerName
    seed: int
    first_rung: float = 1
    rung_unit: RungUnit = "epochs"
    eta: int = 3
    lockstep: bool = False
    batch_size: int = BATCH_OF_TRIALS
    deterministic: bool = False
    trial_minutes: float | None = None
    proposals: Proposals | None = None
    keep_default: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialEvent:
    """One thing that happened, for whoever watches: a progress bar, a log."""

    kind: Literal["score", "paused", "complete", "pruned", "failed"]
    number: int
    config: Config
    epoch: int = 0
    score: float = math.nan
    reason: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyOver:
    """The last event of a study that came to its end.

    Attributes:
        stopped_by: What of the budget was reached.
        epochs: On record, of all sessions.
        seconds: Of wall time, of all sessions.
    """

    stopped_by: StoppedBy
    epochs: int
    seconds: float


def run_study(
    study: Study, space: Space, plan: StudyPlan, pool: Pool, *, default: Config | None = None
) -> Generator[TrialEvent | StudyOver]:
    """Run the study's open and missing trials, yielding what happens; stop by closing, go on by calling it again.

    Trials are compared at rungs, and the best one in `eta` goes on; the others wait, and are pruned once they cannot
    go on any more (see `orders`). Trial 0, the untuned default, is never pruned and takes no other trial's place, so
    that at the end there is a tuned trial and something to compare it with. The value of a complete trial is its last
    score: the one of the weights that are kept, where the best of all epochs would be one more pick from noise.
    In lockstep, proposals and comparisons depend on the record alone, so the table of trials is the same for any
    number of workers and for a study that was killed and resumed; otherwise that holds for one worker.

    Args:
        study: Where everything is put on record.
        space: What is tuned.
        plan: How.
        pool: What runs the trials.
        default: The untuned configuration, tried first.

    Raises:
        UserError: The budget of a new study cannot hold one tuned trial and the default.
        WorkError: The first trials all failed with the same error; with the traceback of the first.
    """
    if not study.n_asked():  # one that goes on may have been given less than it has used
        check_epochs(plan.budget, plan.max_epochs, with_default=default is not None)
    driver = _Driver(study, space, plan, pool, default)
    try:
        yield from driver.run()
    finally:
        driver.note_seconds()


class _Driver:
    """One session of a study."""

    def __init__(self, study: Study, space: Space, plan: StudyPlan, pool: Pool, default: Config | None) -> None:
        self._study, self._space, self._plan, self._pool, self._default = study, space, plan, pool, default
        self._ledger = Ledger(
            study,
            plan.direction,
            unit=plan.rung_unit,
            kept=(0,) if plan.keep_default else (),
            notes_end=plan.max_epochs > 1 and not plan.lockstep,
        )
        self._sampler = sampler_for_each_trial(
            plan.sampler, plan.seed, deterministic=plan.deterministic, default=default
        )
        if plan.proposals is not None:
            self._sampler = plan.proposals.before(self._sampler)
        self._running: dict[int, int] = {}  # the level of the ladder to which each runs
        self._silences, self._losses = Silences(plan.trial_minutes), Losses()
        self._failed_in_a_row, self._failed_on_the_way = 0, 0
        self._seconds_before = study.seconds
        self._start = self._noted = time.monotonic()
        self._ladder = ladder(plan.rung_unit, first=plan.first_rung, eta=plan.eta, max_epochs=plan.max_epochs)
        halving = Halving(
            ladder=self._ladder,
            eta=plan.eta,
            direction=plan.direction,
            budget=plan.budget,
            batch_size=plan.batch_size,
            default=0 if default is not None else None,
        )
        by_rung = None if plan.rung_unit == "epochs" else self._scores_by_rung
        if self._ladder.top and (by_rung or not plan.lockstep):
            view = PausedAsPruned(study.storage, self._is_paused, by_rung)
            study.optuna = optuna.load_study(study_name=study.optuna.study_name, storage=view)
        self._settle()
        order = Lockstep if plan.lockstep else Asynchronous
        self._order: Order = order(halving, self._ledger, self._propose)

    def run(self) -> Generator[TrialEvent | StudyOver]:
        """What happens, until the budget is used up and everything has come to its end."""
        while True:
            self._look_at_the_budget()
            while len(self._running) < self._pool.capacity and (step := self._next_step()) is not None:
                self._begin(step)
            if self._order.pruned:
                yield from self._prune()
                continue
            if not self._running:
                break
            message = self._pool.receive(self._seconds_to_wait())
            if message is not None:
                yield from self._heard(message)
            yield from self._hung()
        assert self._order.over is not None
        yield StudyOver(stopped_by=self._order.over, epochs=self._ledger.n_epochs, seconds=self._seconds())

    def note_seconds(self) -> None:
        """Put the wall time on the study's record."""
        self._study.note_seconds(self._seconds())
        self._noted = time.monotonic()

    def _settle(self) -> None:
        """End what a killed driver left half-way."""
        for trial in list(self._ledger.trials.values()):
            if missing(self._space, trial.config):
                self._propose(trial.number)
            elif trial.number in self._ledger.open and trial.epochs >= self._plan.max_epochs:
                self._ledger.end(trial.number, "complete")

    def _is_paused(self, number: int) -> bool:
        return not self._plan.lockstep and number not in self._running

    def _scores_by_rung(self, number: int) -> dict[int, float]:
        return self._ladder.scores_by_rung(self._ledger.trials[number])

    def _propose(self, number: int | None = None) -> LedgerTrial:
        number = len(self._ledger.trials) if number is None else number
        return self._ledger.propose(number, self._sampler(number), self._space, default=self._default)

    def _next_step(self) -> Step | None:
        return None if self._order.pruned else self._order.next_step(self._running)

    def _begin(self, step: Step) -> None:
        record = self._ledger.trials[step.number]
        trial = Trial(
            number=record.number,
            seed=child_seed(self._plan.seed, "trial", record.number),
            max_epochs=self._plan.max_epochs,
            epochs_done=record.epochs,
            folder=trial_folder(self._study.folder, record.number),
        )
        self._running[step.number] = step.level
        until_epoch, limit = self._ladder.until_epoch(step.level), self._ladder.limit(record, step.level)
        self._pool.start(Task(trial=trial, config=record.config, until_epoch=until_epoch, limit=limit))

    def _heard(self, message: Message) -> Iterator[TrialEvent]:
        trial = self._ledger.trials[message.number]
        self._silences.hear(message)
        match message:
            case Score(epoch=epoch, score=score):
                if self._ledger.score(message):
                    self._losses.forget(trial.number)
                    yield _event("score", trial, epoch=epoch, score=score)
            case Done():
                del self._running[trial.number]
                self._failed_in_a_row = 0
                self._order.arrived(trial.number)
                if trial.epochs >= self._plan.max_epochs:
                    yield _event("complete", self._ledger.end(trial.number, "complete"))
                else:
                    yield _event("paused", trial)
            case Failure():
                yield from self._failed(message)

    def _failed(self, failure: Failure) -> Iterator[TrialEvent]:
        number = failure.number
        level = self._running.pop(number)
        reason = self._losses.reason_to_end(failure)
        if reason is None:
            self._begin(Step(number, level))  # it goes on from its checkpoint
            return
        trial = self._ledger.end(number, "failed", reason=reason)
        self._stop_if_all_fail(dataclasses.replace(failure, reason=reason))
        yield _event("failed", trial, reason=reason)

    def _hung(self) -> Iterator[TrialEvent]:
        """End the trials that gave no sign of life for too long."""
        for number in self._silences.too_long():
            self._pool.stop(number)
            self._silences.forget(number)
            yield from self._failed(self._silences.failure(number, self._ledger.trials[number].epochs))

    def _seconds_to_wait(self) -> float | None:
        """Until the first running trial has been silent for too long, or time is up."""
        waits = [left] if (left := self._silences.seconds_left()) is not None else []
        if self._plan.budget.minutes is not None and self._order.over in (None, "trials"):
            waits.append(60 * self._plan.budget.minutes - self._seconds())
        return max(0.0, min(*waits, LONGEST_WAIT)) if waits else None

    def _prune(self) -> Iterator[TrialEvent]:
        while self._order.pruned:
            yield _event("pruned", self._ledger.end(self._order.pruned.pop(0), "pruned"))

    def _look_at_the_budget(self) -> None:
        if self._order.over not in (None, "trials"):
            return
        if time.monotonic() - self._noted > SECONDS_BETWEEN_NOTES:  # a later session may be given minutes
            self.note_seconds()
        spent = Spent(
            trials=len(self._ledger.trials),
            epochs=self._ledger.n_epochs,
            seconds=self._seconds(),
            best=self._ledger.best,
            since_best=self._ledger.since_best(0 if self._default is not None else None),
        )
        over = reached(
            self._plan.budget,
            spent,
            self._plan.direction,
            settled=self._order.settled(self._running),
            seconds_to_finish=self._seconds_to_finish(),
        )
        if over is not None:
            for number in self._order.close(over, self._running):
                self._pool.stop(number)
                self._silences.forget(number)
                del self._running[number]

    def _seconds_to_finish(self) -> float:
        """An estimate of what the default and the most promising trial still take, side by side where they can be."""
        seconds_per_epoch = self._silences.seconds_per_epoch
        if self._plan.budget.minutes is None or seconds_per_epoch is None:
            return 0.0
        left = [self._plan.max_epochs - self._ledger.trials[n].epochs for n in self._order.needed()] or [0]
        return seconds_per_epoch * (max(left) if self._pool.capacity > 1 else sum(left))

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._start

    def _stop_if_all_fail(self, failure: Failure) -> None:
        self._failed_in_a_row += 1
        self._failed_on_the_way += self._ledger.trials[failure.number].epochs > 0
        budget, failures = self._plan.budget, self._ledger.failures
        # A plateau or a target ends no study whose trials come to a rung and fail later.
        has_end = budget.epochs is not None or budget.minutes is not None or self._order.n_tuned() > 0
        in_vain = not has_end and self._failed_on_the_way >= FAILED_ON_THE_WAY
        if budget.trials is None and (in_vain or self._failed_in_a_row >= FAILED_IN_A_ROW):
            what = f"the last {FAILED_IN_A_ROW} trials all failed"
            if in_vain:
                what = f"{FAILED_ON_THE_WAY} trials failed on their way and none came to its end"
            raise WorkError(
                f"{what}, the last one with: {failure.reason}\n\n{failure.traceback}".rstrip(),
                hint="mend the objective, then trialwise study resume; --trials ends a study in any case",
            )
        if len(failures) < SAME_ERRORS or self._ledger.n_epochs:
            return
        if all(_alike(reason, failure.reason) for reason in failures):
            alike = f"the first {len(failures)} trials all failed with the same error: {failure.reason}"
            raise WorkError(
                f"{alike}\n\n{failure.traceback}".rstrip(),
                hint="mend the objective, then start again",
            )


def _event(
    kind: Literal["score", "paused", "complete", "pruned", "failed"],
    trial: LedgerTrial,
    *,
    epoch: int | None = None,
    score: float | None = None,
    reason: str = "",
) -> TrialEvent:
    last = trial.last_score
    return TrialEvent(
        kind=kind,
        number=trial.number,
        config=trial.config,
        epoch=trial.epochs if epoch is None else epoch,
        score=score if score is not None else (math.nan if last is None else last),
        reason=reason,
    )


def _alike(reason: str, other: str) -> bool:
    """Whether two errors are one but for the numbers in them."""
    number = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
    return number.sub("#", reason) == number.sub("#", other)

"""Who runs next: successive halving in lockstep, or asynchronously."""

import bisect
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from trialwise.tuning.budgets import Budget, StoppedBy
from trialwise.tuning.ledger import Ledger, LedgerTrial
from trialwise.tuning.rungs import Direction, best_first, promoted, rank_key

MOST_PAUSED = 50  # each is a checkpoint on disk
Propose = Callable[[], LedgerTrial]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Halving:
    """What both orders go by.

    Attributes:
        rungs: The epochs after which trials are compared; the last are all epochs.
        eta: One trial in `eta` goes on.
        direction: Whether the lowest or the highest score wins.
        budget: What may be used.
        batch_size: In lockstep: trials that are compared with each other.
        default: The number of the trial that is never pruned and takes no other's place; None where there is none.
    """

    rungs: tuple[int, ...]
    eta: int
    direction: Direction
    budget: Budget
    batch_size: int
    default: int | None

    @property
    def max_epochs(self) -> int:
        """The epochs of a trial that is never pruned."""
        return self.rungs[-1]


@dataclasses.dataclass(frozen=True)
class Step:
    """Run a trial until so many epochs are done."""

    number: int
    until_epoch: int


class Order(Protocol):
    """Says what runs next. `over` is what used up the budget, once it did; `pruned` are trials to be ended now."""

    over: StoppedBy | None
    pruned: list[int]

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """What to start, while the trials `running` run until so many epochs; None: nothing, before one of them ends.

        None while nothing runs is the end of the study.
        """
        ...

    def arrived(self, number: int) -> None:
        """A trial reached its rung."""
        ...

    def settled(self, running: Mapping[int, int]) -> bool:
        """Whether the study may be ended now for what it found."""
        ...

    def needed(self) -> list[int]:
        """The trials that have to come to their end: the default, and the most promising where none is complete."""
        ...

    def close(self, reason: StoppedBy, running: Mapping[int, int]) -> list[int]:
        """Begin nothing more but what is needed; the running trials to stop."""
        ...


class _Finishing:
    """What both orders do at the end of a budget."""

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        self.over: StoppedBy | None = None
        self.pruned: list[int] = []
        self._halving = halving
        self._ledger = ledger
        self._propose = propose
        self._closing = False

    def close(self, reason: StoppedBy, running: Mapping[int, int]) -> list[int]:
        """See `Order`."""
        self.over, self._closing = reason, True
        needed = self.needed()
        return [number for number in running if number not in needed]

    def n_tuned(self) -> int:
        """How many trials other than the default are complete."""
        default = self._halving.default
        trial = None if default is None else self._ledger.trials.get(default)
        return self._ledger.n_complete - (trial is not None and trial.state == "complete")

    def needed(self) -> list[int]:
        """See `Order`."""
        default, ledger = self._halving.default, self._ledger
        needed = [default] if default is not None and default in ledger.open else []
        rivals = [ledger.trials[number] for number in ledger.open if number != default]
        if rivals and not self.n_tuned():
            most = max(trial.epochs for trial in rivals)
            scores = {t.number: t.last_score or 0.0 for t in rivals if t.epochs == most}
            needed.append(best_first(scores, self._halving.direction)[0])
        return needed

    def _finish(self, running: Mapping[int, int]) -> Step | None:
        if any(number != self._halving.default for number in running):
            # Where those that run may still reach their rung, the most promising one is not known yet.
            return None
        for number in self.needed():
            if number not in running:
                return Step(number, self._halving.max_epochs)
        if not running:
            self.pruned.extend(sorted(self._ledger.open))
        return None


class Lockstep(_Finishing):
    """Batches: all of one run to the first rung, the best in `eta` to the next, and so on, then the next batch.

    What runs depends on the record alone, so the table of trials is the same for any number of workers.
    """

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        super().__init__(halving, ledger, propose)
        self._batch = range(0)
        self._rung = 0
        self._waiting: list[int] = []

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """See `Order`."""
        if self._closing:
            return self._finish(running)
        while not self._waiting and not running:
            if self._batch and self._rung < len(self._halving.rungs):
                self._compare(self._halving.rungs[self._rung])
                self._rung += 1
            elif not self._next_batch():
                return self._finish(running)  # trials wait still where a later session was given less
            if self._rung < len(self._halving.rungs):
                self._fill(self._halving.rungs[self._rung])
        if not self._waiting:
            return None
        return Step(self._waiting.pop(0), self._halving.rungs[self._rung])

    def arrived(self, number: int) -> None:
        """Nothing to do: a rung is looked at when all are there."""

    def settled(self, running: Mapping[int, int]) -> bool:
        """Between two batches alone, whatever the number of workers, and however often the study was killed."""
        return not self._waiting and not running and not self._ledger.open

    def _next_batch(self) -> bool:
        first = self._batch.stop
        size = self._affordable(first)
        if size == 0:
            return False
        self._batch, self._rung = range(first, first + size), 0
        for number in self._batch:
            if number not in self._ledger.trials:
                self._propose()
        return True

    def _affordable(self, first: int) -> int:
        """How many trials the next batch may have."""
        budget, size = self._halving.budget, self._halving.batch_size
        if budget.trials is not None and budget.trials - first < size:
            size = max(0, budget.trials - first)
            self.over = "trials" if size == 0 else None
        if budget.epochs is not None:
            left = budget.epochs - sum(t.epochs for n, t in self._ledger.trials.items() if n < first)
            while size and self._cost(size, first) > left:
                size -= 1
                self.over = "epochs" if size == 0 else None
        return size

    def _cost(self, size: int, first: int) -> int:
        """The epochs that a batch takes where no trial fails."""
        rivals, epochs, done = size, 0, 0
        if self._halving.default in range(first, first + size):
            rivals, epochs = size - 1, self._halving.max_epochs
        for rung in self._halving.rungs:
            epochs += rivals * (rung - done)
            rivals, done = math.ceil(rivals / self._halving.eta), rung
        return epochs

    def _fill(self, epochs: int) -> None:
        trials = [self._ledger.trials[number] for number in self._batch if number not in self.pruned]
        self._waiting = [t.number for t in trials if t.state == "paused" and t.epochs < epochs]

    def _compare(self, epochs: int) -> None:
        """End the trials of the batch that are not among the best after so many epochs."""
        reached = [self._ledger.trials[number] for number in self._batch]
        reached = [trial for trial in reached if trial.epochs >= epochs and trial.state != "failed"]
        rivals = {trial.number: trial.scores[epochs] for trial in reached if trial.number != self._halving.default}
        going_on = promoted(rivals, self._halving.direction, eta=self._halving.eta) | {self._halving.default}
        if epochs < self._halving.max_epochs:
            self.pruned.extend(t.number for t in reached if t.state == "paused" and t.number not in going_on)


class Asynchronous(_Finishing):
    """Asynchronous successive halving with promotion: no worker ever waits for another.

    That is ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2). A free worker
    goes on with a paused trial that is among the best 1/eta of those that reached its rung, the highest rung first,
    else it begins a new one. Once no new trials come, a rung that nobody can reach any more sends on its best 1/eta
    rounded up, so that somebody comes to the end.
    """

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        super().__init__(halving, ledger, propose)
        n_rungs = len(halving.rungs) - 1
        self._reached: list[list[tuple]] = [[] for _ in range(n_rungs)]  # the keys of all that reached it, best first
        self._paused: list[list[tuple]] = [[] for _ in range(n_rungs)]  # of those that wait there
        self._interrupted: list[Step] = []
        for number, trial in ledger.trials.items():
            self._enter_again(number, trial)

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """See `Order`."""
        if self._interrupted:
            return self._interrupted.pop(0)
        if self._closing:
            return self._finish(running)
        budget = self._halving.budget
        new = budget.trials is None or len(self._ledger.trials) < budget.trials
        number = self._promotable()
        if number is None and not new:
            self.over = "trials"
            number = self._last_promotable(running)
        if number is not None:
            step = Step(number, self._rung_above(self._ledger.trials[number].epochs))
        elif new:
            step = Step(len(self._ledger.trials), self._first_rung(len(self._ledger.trials)))
        else:
            return self._finish(running) if not running else None
        if not self._affordable(step, running):
            self.over, self._closing = "epochs", True
            return self._finish(running)
        if number is None:
            assert self._propose().number == step.number
        else:
            self._leave(number)
        return step

    def arrived(self, number: int) -> None:
        """Let the trial wait at its rung; the least promising one may have to make room."""
        trial = self._ledger.trials[number]
        if number == self._halving.default or trial.epochs not in self._halving.rungs[:-1]:
            return
        k = self._halving.rungs.index(trial.epochs)
        key = self._key(trial, k)
        bisect.insort(self._reached[k], key)
        bisect.insort(self._paused[k], key)
        if sum(map(len, self._paused)) > MOST_PAUSED:
            lowest = next(paused for paused in self._paused if paused)
            self.pruned.append(lowest.pop()[-1])

    def settled(self, running: Mapping[int, int]) -> bool:
        """At any time."""
        return True

    def _enter_again(self, number: int, trial: LedgerTrial) -> None:
        """Put a trial of an earlier session where it was."""
        rungs = self._halving.rungs
        if number != self._halving.default:
            for k in range(len(rungs) - 1):
                if trial.epochs >= rungs[k]:
                    bisect.insort(self._reached[k], self._key(trial, k))
        if trial.state != "paused":
            return
        if number != self._halving.default and trial.epochs in rungs[:-1]:
            k = rungs.index(trial.epochs)
            bisect.insort(self._paused[k], self._key(trial, k))
        else:
            self._interrupted.append(Step(number, max(self._first_rung(number), self._rung_above(trial.epochs))))

    def _first_rung(self, number: int) -> int:
        return self._halving.max_epochs if number == self._halving.default else self._halving.rungs[0]

    def _rung_above(self, epochs: int) -> int:
        return next(rung for rung in self._halving.rungs if rung > epochs)

    def _key(self, trial: LedgerTrial, k: int) -> tuple:
        return rank_key(trial.scores[self._halving.rungs[k]], trial.number, self._halving.direction)

    def _leave(self, number: int) -> None:
        trial = self._ledger.trials[number]
        k = self._halving.rungs.index(trial.epochs)
        self._paused[k].remove(self._key(trial, k))

    def _promotable(self) -> int | None:
        """The best trial that waits among the best 1/eta of its rung, the highest rung first."""
        for k in reversed(range(len(self._paused))):
            if self._paused[k] and self._rank(k) < len(self._reached[k]) // self._halving.eta:
                return self._paused[k][0][-1]
        return None

    def _last_promotable(self, running: Mapping[int, int]) -> int | None:
        """The same, rounded up, from the lowest rung, of the rungs that nobody can reach any more."""
        for k in range(len(self._paused)):
            rung = self._halving.rungs[k]
            if any(until <= rung for number, until in running.items() if number != self._halving.default):
                return None
            if self._paused[k] and self._rank(k) < math.ceil(len(self._reached[k]) / self._halving.eta):
                return self._paused[k][0][-1]
        return None

    def _rank(self, k: int) -> int:
        """How many reached rung k with a better score than the best that waits there."""
        return bisect.bisect_left(self._reached[k], self._paused[k][0])

    def _affordable(self, step: Step, running: Mapping[int, int]) -> bool:
        """Whether the epochs left hold this step, what runs, and the end of the default and of one other trial."""
        if self._halving.budget.epochs is None:
            return True
        going = {**running, step.number: step.until_epoch}
        trials, full, default = self._ledger.trials, self._halving.max_epochs, self._halving.default
        done = {number: trials[number].epochs if number in trials else 0 for number in going}
        committed = sum(until - done[number] for number, until in going.items())
        if default is not None and default in self._ledger.open and default not in going:
            committed += full - trials[default].epochs
        if not self.n_tuned() and (self._halving.budget.trials != 1 or default is None):
            reach = {number: trials[number].epochs for number in self._ledger.open} | going
            committed += full - max((until for number, until in reach.items() if number != default), default=0)
        return self._ledger.n_epochs + committed <= self._halving.budget.epochs

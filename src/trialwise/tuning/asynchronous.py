"""Successive halving without waiting: asynchronous, with pauses and promotions."""

import bisect
import math
from collections import Counter
from collections.abc import Mapping

from trialwise.tuning.ledger import Ledger, LedgerTrial
from trialwise.tuning.orders import Finishing, Halving, Propose, Step
from trialwise.tuning.rungs import rank_key

MOST_PAUSED = 50  # each is a checkpoint on disk


class Asynchronous(Finishing):
    """Asynchronous successive halving with promotion: no worker ever waits for another.

    That is ASHA (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", algorithm 2). A free worker
    goes on with a paused trial that is among the best 1/eta of those that reached its rung, the highest rung first,
    else it begins a new one. Once no new trials come, a rung that nobody can reach any more sends on its best 1/eta
    rounded up, so that somebody comes to the end.
    """

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        super().__init__(halving, ledger, propose)
        self._ladder = halving.ladder
        n_rungs = self._ladder.top
        self._reached: list[list[tuple]] = [[] for _ in range(n_rungs)]  # the keys of all that reached it, best first
        self._paused: list[list[tuple]] = [[] for _ in range(n_rungs)]  # of those that wait there
        self._n_entered: Counter[int] = Counter()  # by trial: in how many rungs it is known
        self._interrupted: list[Step] = []
        for number, trial in ledger.trials.items():
            self._enter_again(number, trial)

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """See `Order`."""
        if self._closing:
            return self._finish(running)
        if self._interrupted:
            return self._interrupted.pop(0)
        budget = self._halving.budget
        new = budget.trials is None or len(self._ledger.trials) < budget.trials
        number = self._promotable()
        if number is None and not new:
            self.over = "trials"
            number = self._last_promotable(running)
        if number is not None:
            step = Step(number, self._ladder.n_reached(self._ledger.trials[number]))
        elif new:
            step = Step(len(self._ledger.trials), self._first_level(len(self._ledger.trials)))
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
        if number == self._halving.default:
            return
        self._enter(trial)
        if trial.epochs < self._ladder.max_epochs:
            self._pause(trial)
        if sum(map(len, self._paused)) > MOST_PAUSED:
            lowest = next(paused for paused in self._paused if paused)
            self.pruned.append(lowest.pop()[-1])

    def settled(self, running: Mapping[int, int]) -> bool:
        """At any time."""
        return True

    def _enter(self, trial: LedgerTrial) -> None:
        """Put a trial among those that reached the rungs that it has newly reached: several, where epochs are long."""
        n_reached = self._ladder.n_reached(trial)
        for rung in range(self._n_entered[trial.number], n_reached):
            bisect.insort(self._reached[rung], self._key(trial, rung))
        self._n_entered[trial.number] = n_reached

    def _pause(self, trial: LedgerTrial) -> None:
        rung = self._ladder.n_reached(trial) - 1
        bisect.insort(self._paused[rung], self._key(trial, rung))

    def _enter_again(self, number: int, trial: LedgerTrial) -> None:
        """Put a trial of an earlier session where it was."""
        is_default, rung = number == self._halving.default, self._ladder.n_reached(trial) - 1
        if not is_default:
            self._enter(trial)
        if trial.state != "paused":
            return
        if not is_default and rung >= 0 and self._ladder.epoch_at(trial, rung) == trial.epochs:
            self._pause(trial)
        else:
            self._interrupted.append(Step(number, max(self._first_level(number), rung + 1)))

    def _first_level(self, number: int) -> int:
        return self._ladder.top if number == self._halving.default else 0

    def _key(self, trial: LedgerTrial, k: int) -> tuple:
        return rank_key(self._ladder.score_at(trial, k), trial.number, self._halving.direction)

    def _leave(self, number: int) -> None:
        trial = self._ledger.trials[number]
        k = self._ladder.n_reached(trial) - 1
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
            if any(level <= k for number, level in running.items() if number != self._halving.default):
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
        until_epoch, trials, default = self._ladder.until_epoch, self._ledger.trials, self._halving.default
        full = self._ladder.max_epochs
        going = {number: until_epoch(level) for number, level in {**running, step.number: step.level}.items()}
        done = {number: trials[number].epochs if number in trials else 0 for number in going}
        committed = sum(until - done[number] for number, until in going.items())
        if default is not None and default in self._ledger.open and default not in going:
            committed += full - trials[default].epochs
        if not self.n_tuned() and (self._halving.budget.trials != 1 or default is None):
            reach = {number: trials[number].epochs for number in self._ledger.open} | going
            committed += full - max((until for number, until in reach.items() if number != default), default=0)
        return self._ledger.n_epochs + committed <= self._halving.budget.epochs

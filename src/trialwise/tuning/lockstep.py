"""Successive halving in lockstep: batches, whose table of trials does not depend on the workers."""

import math
from collections.abc import Mapping

from trialwise.tuning.ledger import Ledger
from trialwise.tuning.orders import Finishing, Halving, Propose, Step
from trialwise.tuning.rungs import promoted


class Lockstep(Finishing):
    """Batches: all of one run to the first rung, the best in `eta` to the next, and so on, then the next batch.

    What runs depends on the record alone, so the table of trials is the same for any number of workers.
    """

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        super().__init__(halving, ledger, propose)
        self._batch = range(0)
        self._level = 0
        self._waiting: list[int] = []
        self._beaten: set[int] = set()  # of the batch: an epoch may reach several rungs, but one of them ends it

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """See `Order`."""
        if self._closing:
            return self._finish(running)
        while not self._waiting and not running:
            if self._batch and self._level <= self._halving.ladder.top:
                self._compare(self._level)
                self._level += 1
            elif not self._next_batch():
                return self._finish(running)  # trials wait still where a later session was given less
            if self._level <= self._halving.ladder.top:
                self._fill(self._level)
        if not self._waiting:
            return None
        return Step(self._waiting.pop(0), self._level)

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
        self._batch, self._level, self._beaten = range(first, first + size), 0, set()
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
        ladder = self._halving.ladder
        rivals, epochs, done = size, 0, 0
        if self._halving.default in range(first, first + size):
            rivals, epochs = size - 1, ladder.max_epochs
        for level in range(ladder.top + 1):
            epochs += rivals * (ladder.until_epoch(level) - done)
            rivals, done = math.ceil(rivals / self._halving.eta), ladder.until_epoch(level)
        return epochs

    def _fill(self, level: int) -> None:
        trials = [self._ledger.trials[number] for number in self._batch if number not in self.pruned]
        reached = self._halving.ladder.n_reached
        self._waiting = [t.number for t in trials if t.state == "paused" and reached(t) <= level]

    def _compare(self, level: int) -> None:
        """End the trials of the batch that are not among the best at this rung."""
        ladder = self._halving.ladder
        if level == ladder.top:
            return
        trials = [self._ledger.trials[number] for number in self._batch if number not in self._beaten]
        # One that failed on its way to a later rung was there too: looked at again, a comparison comes out the same.
        reached = [trial for trial in trials if ladder.n_reached(trial) > level]
        rivals = {t.number: ladder.score_at(t, level) for t in reached if t.number != self._halving.default}
        going_on = promoted(rivals, self._halving.direction, eta=self._halving.eta) | {self._halving.default}
        beaten = [trial for trial in reached if trial.number not in going_on]
        self._beaten |= {trial.number for trial in beaten}
        self.pruned.extend(trial.number for trial in beaten if trial.state == "paused")

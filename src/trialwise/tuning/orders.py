"""Who runs next: what every order of trials goes by and does, whatever its rungs are counted in."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from trialwise.tuning.budgets import Budget, StoppedBy
from trialwise.tuning.ladders import Ladder
from trialwise.tuning.ledger import Ledger, LedgerTrial
from trialwise.tuning.rungs import Direction, best_first

Propose = Callable[[], LedgerTrial]
MOST_FINISHERS = 3  # trials that are run to their end once the budget is used up, where one after the other fails


@dataclasses.dataclass(frozen=True, kw_only=True)
class Halving:
    """What both orders go by.

    Attributes:
        ladder: Where trials are compared.
        eta: One trial in `eta` goes on.
        direction: Whether the lowest or the highest score wins.
        budget: What may be used.
        batch_size: In lockstep: trials that are compared with each other.
        default: The number of the trial that is never pruned and takes no other's place; None where there is none.
    """

    ladder: Ladder
    eta: int
    direction: Direction
    budget: Budget
    batch_size: int
    default: int | None


@dataclasses.dataclass(frozen=True)
class Step:
    """Run a trial until it has reached the rung of this level, or to its end; see `Ladder`."""

    number: int
    level: int


class Order(Protocol):
    """Says what runs next. `over` is what used up the budget, once it did; `pruned` are trials to be ended now."""

    over: StoppedBy | None
    pruned: list[int]

    def next_step(self, running: Mapping[int, int]) -> Step | None:
        """What to start, while the trials `running` run to these levels; None: nothing, before one of them ends.

        None while nothing runs is the end of the study.
        """
        ...

    def arrived(self, number: int) -> None:
        """A trial reached its rung, or its end."""
        ...

    def settled(self, running: Mapping[int, int]) -> bool:
        """Whether the study may be ended now for what it found."""
        ...

    def n_tuned(self) -> int:
        """How many trials other than the default are complete."""
        ...

    def needed(self) -> list[int]:
        """The trials that have to come to their end: the default, and the most promising where none is complete."""
        ...

    def close(self, reason: StoppedBy, running: Mapping[int, int]) -> list[int]:
        """Begin nothing more but what is needed; the running trials to stop."""
        ...


class Finishing:
    """What both orders do at the end of a budget."""

    def __init__(self, halving: Halving, ledger: Ledger, propose: Propose) -> None:
        self.over: StoppedBy | None = None
        self.pruned: list[int] = []
        self._halving = halving
        self._ledger = ledger
        self._propose = propose
        self._closing = False
        self._n_finishers = 0
        self._is_given_less = not self._holds(self._unfinished())  # than an earlier session had

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
        unfinished, default = self._unfinished(), self._halving.default
        return [number for number in unfinished if number == default or self._may_finish(unfinished)]

    def _unfinished(self) -> list[int]:
        """The default where it is not complete, and where no other trial is the most promising one."""
        default, ledger = self._halving.default, self._ledger
        unfinished = [default] if default is not None and default in ledger.open else []
        rivals = [ledger.trials[number] for number in ledger.open if number != default]
        if rivals and not self.n_tuned():
            most = max(map(self._halving.ladder.progress, rivals))
            worst = math.inf if self._halving.direction == "minimize" else -math.inf  # where there is no score yet
            scores = {
                t.number: worst if t.last_score is None else t.last_score
                for t in rivals
                if self._halving.ladder.progress(t) == most
            }
            unfinished.append(best_first(scores, self._halving.direction)[0])
        return unfinished

    def _may_finish(self, numbers: list[int]) -> bool:
        """Whether these may be run to their end: epochs were kept back for one, and not for more where that fails."""
        is_first_of_less = self._is_given_less and self._n_finishers == 0
        return self._n_finishers < MOST_FINISHERS and (is_first_of_less or self._holds(numbers))

    def _holds(self, numbers: list[int]) -> bool:
        """Whether the budget holds the epochs that these still take."""
        budget, full = self._halving.budget, self._halving.ladder.max_epochs
        left = sum(full - self._ledger.trials[number].epochs for number in numbers)
        return budget.epochs is None or self._ledger.n_epochs + left <= budget.epochs

    def _finish(self, running: Mapping[int, int]) -> Step | None:
        if self.pruned:  # they are ended first; until then they count as open
            return None
        if any(number != self._halving.default for number in running):
            # Where those that run may still reach their rung, the most promising one is not known yet.
            return None
        for number in self.needed():
            if number not in running:
                self._n_finishers += number != self._halving.default
                return Step(number, self._halving.ladder.top)
        if not running:
            self.pruned.extend(sorted(self._ledger.open))
        return None

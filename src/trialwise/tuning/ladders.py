"""Where trials are compared: after so many epochs, so many samples, or so many minutes of training."""

import bisect
import dataclasses
import math

from trialwise.tuning.ledger import LedgerTrial
from trialwise.tuning.rungs import RungUnit, rung_epochs
from trialwise.tuning.tasks import Limit

N_RUNGS = 30  # of samples or minutes: what a whole trial takes is not known beforehand; 3^30 first rungs is more


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladder:
    """The rungs of a study, counted from 0, and after the last one the end of a trial.

    A trial has reached a rung after the first epoch with which it has spent what the rung stands for. One that came to
    its end has reached all: it cannot spend more, and its last score is what it got out of it.

    Attributes:
        unit: What rungs are counted in.
        amounts: What a trial has spent at each rung, rising.
        max_epochs: The epochs of a whole trial.
    """

    unit: RungUnit
    amounts: tuple[float, ...]
    max_epochs: int

    @property
    def top(self) -> int:
        """The level of a trial that runs to its end; below it, the level of each rung is its number."""
        return len(self.amounts)

    def n_reached(self, trial: LedgerTrial) -> int:
        """How many rungs a trial has reached; `top` once it is at its end."""
        if trial.epochs >= self.max_epochs:
            return self.top
        spent = trial.epochs if self.unit == "epochs" else trial.spent[-1] if trial.spent else 0.0
        return bisect.bisect_right(self.amounts, spent)

    def epoch_at(self, trial: LedgerTrial, rung: int) -> int:
        """The epoch with which a trial reached a rung that it has reached."""
        if self.unit == "epochs":
            return int(self.amounts[rung])
        return min(bisect.bisect_left(trial.spent, self.amounts[rung]) + 1, trial.epochs)

    def score_at(self, trial: LedgerTrial, rung: int) -> float:
        """Its score then."""
        return trial.scores[self.epoch_at(trial, rung)]

    def scores_by_rung(self, trial: LedgerTrial) -> dict[int, float]:
        """The scores at all rungs that it has reached, by rung from 1."""
        return {rung + 1: self.score_at(trial, rung) for rung in range(self.n_reached(trial))}

    def progress(self, trial: LedgerTrial) -> int:
        """How far a trial has come, to be compared with others'."""
        return trial.epochs if self.unit == "epochs" else self.n_reached(trial)

    def until_epoch(self, level: int) -> int:
        """The most epochs that a trial may have at this level."""
        is_early = self.unit == "epochs" and level < self.top
        return int(self.amounts[level]) if is_early else self.max_epochs

    def limit(self, trial: LedgerTrial, level: int) -> Limit | None:
        """What else a trial that is to run to this level may spend; None where epochs say all."""
        if self.unit == "epochs":
            return None
        until = self.amounts[level] if level < self.top else math.inf
        spent = trial.spent[-1] if trial.spent else 0.0
        return Limit(unit=self.unit, until=until, spent=spent, epoch=trial.epochs)


def ladder(unit: RungUnit, *, first: float, eta: int, max_epochs: int) -> Ladder:
    """Rungs from `first`, each about a factor `eta` above the one before."""
    if unit == "epochs":
        amounts: tuple[float, ...] = rung_epochs(max_epochs, first=int(first), eta=eta)[:-1]
    else:
        amounts = tuple(first * eta**rung for rung in range(N_RUNGS)) if max_epochs > 1 else ()
    return Ladder(unit=unit, amounts=amounts, max_epochs=max_epochs)

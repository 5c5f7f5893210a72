"""When a study is over: as many trials, epochs or minutes as were given, no more progress, or the target reached."""

import dataclasses
from typing import Literal

from trialwise.base.errors import UserError
from trialwise.tuning.rungs import Direction

StoppedBy = Literal["trials", "epochs", "minutes", "plateau", "target"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """What a study may use, all its sessions together; whichever is reached first ends it.

    Attributes:
        trials: Configurations tried.
        epochs: Epochs of all trials together, those that finish the winner and the default included.
        minutes: Wall time; the time to finish the winner and the default is estimated and kept back.
        plateau: Trials begun since the best one without a better value.
        target: A complete trial's value that is good enough.
    """

    trials: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    plateau: int | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if all(value is None for value in (self.trials, self.epochs, self.minutes, self.plateau)):
            raise UserError("a study needs an end", hint="--trials, --epochs-total, --minutes or --until-plateau")


def check_epochs(budget: Budget, max_epochs: int, *, with_default: bool) -> None:
    """Refuse a budget of epochs that cannot hold one tuned trial, and the default where there is one.

    Raises:
        UserError: With the least number of epochs.
    """
    least = max_epochs * (2 if with_default and budget.trials != 1 else 1)
    if budget.epochs is not None and budget.epochs < least:
        raise UserError(
            f"--epochs-total {budget.epochs}: expected at least {least}, got too few to finish a trial",
            hint=f"a trial that is never pruned takes {max_epochs}"
            + (", and so does the default" if with_default else ""),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spent:
    """What a study has used so far, and what it has.

    Attributes:
        trials: Configurations proposed.
        seconds: Of wall time, earlier sessions included.
        best: The number and the value of the best complete trial; None where there is none.
    """

    trials: int
    seconds: float
    best: tuple[int, float] | None


def reached(
    budget: Budget, spent: Spent, direction: Direction, *, settled: bool, seconds_to_finish: float
) -> StoppedBy | None:
    """What of the budget is used up; trials and epochs are weighed before each step instead (see `orders`).

    Args:
        budget: What was given.
        spent: What was used.
        direction: Whether the lowest or the highest value wins.
        settled: Whether the study may be ended now for what it found.
        seconds_to_finish: What the winner and the default still take.
    """
    if settled and spent.best is not None:
        number, value = spent.best
        if budget.target is not None and (
            value <= budget.target if direction == "minimize" else value >= budget.target
        ):
            return "target"
        if budget.plateau is not None and spent.trials - 1 - number >= budget.plateau:
            return "plateau"
    if budget.minutes is not None and spent.seconds + seconds_to_finish >= 60 * budget.minutes:
        return "minutes"
    return None

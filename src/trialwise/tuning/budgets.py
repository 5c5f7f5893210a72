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
        plateau: Trials begun since the best one was complete, without a better value.
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
        epochs: On record, of all trials.
        seconds: Of wall time, earlier sessions included.
        best: The number and the value of the best complete trial; None where there is none.
        since_best: Configurations proposed since; see `ledger.since_best`.
    """

    trials: int
    epochs: int
    seconds: float
    best: tuple[int, float] | None
    since_best: int | None = None


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
    if settled and _is_good_enough(budget, spent, direction):
        return "target"
    if settled and _is_plateau(budget, spent):
        return "plateau"
    if budget.minutes is not None and spent.seconds + seconds_to_finish >= 60 * budget.minutes:
        return "minutes"
    return None


def _is_good_enough(budget: Budget, spent: Spent, direction: Direction) -> bool:
    if budget.target is None or spent.best is None:
        return False
    return spent.best[1] <= budget.target if direction == "minimize" else spent.best[1] >= budget.target


def _is_plateau(budget: Budget, spent: Spent) -> bool:
    return budget.plateau is not None and spent.since_best is not None and spent.since_best >= budget.plateau


def used_up(budget: Budget, spent: Spent, direction: Direction, *, is_open: bool, first_rung: int) -> str | None:
    """Why a study that goes on begins no new trial, for people; None where the budget holds another one.

    Args:
        budget: What is given now: perhaps more than at first, or less than was used.
        spent: What was used in earlier sessions.
        direction: Whether the lowest or the highest value wins.
        is_open: Whether trials wait to go on, so that a limit that is just met is no news.
        first_rung: The epochs that a new trial takes at least.
    """
    known: list[tuple[bool, str, str, object]] = []
    if budget.trials is not None:
        is_met = spent.trials + (not is_open) > budget.trials
        known.append((is_met, f"{spent.trials} trials are begun", "trials", budget.trials))
    if budget.epochs is not None:
        is_met = spent.epochs + (0 if is_open else first_rung) > budget.epochs
        known.append((is_met, f"{spent.epochs} epochs are used", "epochs-total", budget.epochs))
    if budget.minutes is not None:
        is_met = spent.seconds >= 60 * budget.minutes
        known.append((is_met, f"{spent.seconds / 60:.3g} minutes are used", "minutes", budget.minutes))
    if spent.best is not None and budget.plateau is not None:
        words = f"{spent.since_best} trials after trial {spent.best[0]} were no better"
        known.append((_is_plateau(budget, spent), words, "until-plateau", budget.plateau))
    if spent.best is not None and budget.target is not None:
        words = f"trial {spent.best[0]} reached {spent.best[1]:.6g}"
        known.append((_is_good_enough(budget, spent, direction), words, "target", budget.target))
    met = [(words, f"--{option}", limit) for is_met, words, option, limit in known if is_met]
    if not met:
        return None
    why = ", ".join(f"{words} and {option} is {limit}" for words, option, limit in met)
    return f"{why}: no new trial begins; another {' and '.join(option for _, option, _ in met)} lets the study go on"

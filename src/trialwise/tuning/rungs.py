"""Successive halving as plain arithmetic: after how many epochs trials are compared, and who goes on."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Literal, get_args

from trialwise.base.errors import UserError

Direction = Literal["minimize", "maximize"]
RungUnit = Literal["epochs", "samples", "minutes"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstRung:
    """What a trial has spent when it is first compared; each further rung is a factor above the one before."""

    amount: float
    unit: RungUnit


def parse_first_rung(text: str) -> FirstRung:
    """The first rung from words like "2", "2epochs", "4000samples", "0.5minutes".

    Raises:
        UserError: It is none.
    """
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", text)
    word = found[2] if found else "?"
    units = [unit for unit in get_args(RungUnit) if word in ("", unit, unit[:-1])]  # without a unit: epochs
    amount = float(found[1]) if found and units else 0.0
    if not amount > 0 or (units[0] != "minutes" and amount != int(amount)):
        raise UserError(
            f"--first-rung {text}: expected a number of epochs, samples or minutes",
            hint="e.g. 2, 4000samples, 0.5minutes",
        )
    return FirstRung(amount=amount, unit=units[0])


def rung_epochs(max_epochs: int, *, first: int = 1, eta: int = 3) -> tuple[int, ...]:
    """The epochs after which trials are compared, the first being `first` and the last `max_epochs`.

    Each rung is about a factor `eta` above the one before
    (Jamieson & Talwalkar 2016, "Non-stochastic Best Arm Identification").
    """
    rungs = [max_epochs]
    while rungs[0] > first:
        rungs.insert(0, max(first, rungs[0] // eta))
    return tuple(rungs)


def best_first(scores: Mapping[int, float], direction: Direction) -> list[int]:
    """The trial numbers from best to worst score; ties to the earlier trial, NaN last."""
    return sorted(scores, key=lambda number: rank_key(scores[number], number, direction))


def rank_key(score: float, number: int, direction: Direction) -> tuple[bool, float, int]:
    """What sorts trials from best to worst score; ties to the earlier trial, NaN last."""
    sign = 1.0 if direction == "minimize" else -1.0
    return (math.isnan(score), 0.0 if math.isnan(score) else sign * score, number)


def promoted(scores: Mapping[int, float], direction: Direction, *, eta: int = 3) -> set[int]:
    """The numbers of the trials that go on past a rung: the best one in `eta` of them, at least one."""
    return set(best_first(scores, direction)[: math.ceil(len(scores) / eta)])

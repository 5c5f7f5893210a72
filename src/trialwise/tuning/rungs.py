"""Successive halving as plain arithmetic: after how many epochs trials are compared, and who goes on."""

import math
from collections.abc import Mapping
from typing import Literal

Direction = Literal["minimize", "maximize"]


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

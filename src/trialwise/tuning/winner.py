"""Which trial won, what it gained over the untuned default, and which parameters mattered."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna

from trialwise.tuning.rungs import Direction, best_first
from trialwise.tuning.spaces import Space, distributions
from trialwise.tuning.studies import TrialRecord

MIN_TRIALS_FOR_IMPORTANCES = 8
RESAMPLES = 20
MOST_RESAMPLED = 500  # trials; with more the shares hardly move, and each resample takes longer


def best_record(records: Sequence[TrialRecord], direction: Direction) -> TrialRecord | None:
    """The complete trial with the best value, ties to the earlier one; None where none is complete."""
    values = {r.number: r.value for r in records if r.state == "complete" and r.value is not None}
    if not values:
        return None
    winner = best_first(values, direction)[0]
    return next(record for record in records if record.number == winner)


def counts(records: Sequence[TrialRecord]) -> dict[str, int]:
    """The number of trials in each state."""
    return {state: sum(r.state == state for r in records) for state in ("complete", "pruned", "paused", "failed")}


def gain_over_default(records: Sequence[TrialRecord], direction: Direction) -> float | None:
    """How much better the best complete trial is than trial 0, the untuned default; 0 where the default won.

    A gain seen in validation, where the best of many was picked: part of it is luck.
    """
    best = best_record(records, direction)
    if best is None or best.value is None or records[0].state != "complete" or records[0].value is None:
        return None
    return abs(best.value - records[0].value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Importances:
    """How much each parameter mattered.

    Attributes:
        shares: Each parameter's share, largest first; the shares sum to 1.
        n_trials: Trials that were compared.
        epochs: The epochs after which they were compared, the same for all of them.
        spread: The 10 % and the 90 % quantile of each share over resampled trials; {} where that was not looked at.
        same_first: In how many of the resamples the most important parameter was the most important one.
        n_resamples: How many there were.
    """

    shares: dict[str, float]
    n_trials: int
    epochs: int
    spread: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    same_first: int = 0
    n_resamples: int = 0

    def to_document(self) -> dict[str, Any]:
        """The importances as plain JSON values."""
        return dataclasses.asdict(self)


def importances(records: Sequence[TrialRecord], space: Space, direction: Direction) -> Importances | None:
    """PED-ANOVA importances (Watanabe et al. 2023) from scores after equally many epochs.

    Pruned trials count too: the scores compared are those after the most epochs that at least 8 trials reached.
    None where there is no such rung, or only one parameter.
    """
    reached = {epoch for record in records for epoch in record.scores}
    by_rung = {epoch: [r for r in records if epoch in r.scores] for epoch in reached}
    rungs = [epoch for epoch, rung in by_rung.items() if len(rung) >= MIN_TRIALS_FOR_IMPORTANCES]
    if not rungs or len(space) < 2:
        return None
    epoch = max(rungs)
    known = distributions(space)
    trials = [
        optuna.trial.create_trial(
            params=record.params,
            distributions={name: known[name] for name in record.params},
            value=record.scores[epoch],
        )
        for record in by_rung[epoch]
    ]
    shares = _shares(trials, direction)
    found = Importances(shares=shares, n_trials=len(trials), epochs=epoch)
    return found if len(trials) > MOST_RESAMPLED else _with_spread(found, trials, direction)


def _with_spread(found: Importances, trials: list[optuna.trial.FrozenTrial], direction: Direction) -> Importances:
    """How the shares move when the trials are drawn anew from themselves (bootstrap)."""
    generator = np.random.default_rng(0)
    again = [
        _shares([trials[i] for i in generator.integers(0, len(trials), len(trials))], direction)
        for _ in range(RESAMPLES)
    ]
    spread = {}
    for name in found.shares:
        low, high = np.quantile([shares.get(name, 0.0) for shares in again], [0.1, 0.9])
        spread[name] = (float(low), float(high))
    first = next(iter(found.shares))
    same = sum(max(shares, key=lambda name: shares[name]) == first for shares in again)
    return dataclasses.replace(found, spread=spread, same_first=same, n_resamples=RESAMPLES)


def _shares(trials: list[optuna.trial.FrozenTrial], direction: Direction) -> dict[str, float]:
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: float(share) for name, share in optuna.importance.get_param_importances(study).items()}

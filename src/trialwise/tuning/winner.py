"""Which trial won, what it gained over the untuned default, and which parameters mattered."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import optuna

from trialwise.tuning.rungs import Direction, best_first
from trialwise.tuning.spaces import Space, distributions
from trialwise.tuning.studies import TrialRecord

MIN_TRIALS_FOR_IMPORTANCES = 8


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
    """

    shares: dict[str, float]
    n_trials: int
    epochs: int

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
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    for record in by_rung[epoch]:
        study.add_trial(
            optuna.trial.create_trial(
                params=record.params,
                distributions={name: known[name] for name in record.params},
                value=record.scores[epoch],
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study)
    return Importances(shares={k: float(v) for k, v in shares.items()}, n_trials=len(by_rung[epoch]), epochs=epoch)

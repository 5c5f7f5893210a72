"""What an earlier study learnt, in the terms of another one's space."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from trialwise.base.errors import UserError
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import Choice, Float, Int, Parameter, Space, distributions, is_active, is_one_of

N_FIRST = 3  # of the best configurations run as they are
MOST_KEPT = 50  # of the earlier study's trials, spread evenly over their ranks


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlierTrial:
    """One trial of the earlier study, with the parameters that both studies search.

    Attributes:
        params: Inside the new study's ranges.
        score: Its value, or where it was pruned its last score.
        epochs: After as many; 0 where it was complete.
    """

    params: Mapping[str, Any]
    score: float
    epochs: int = 0

    def frozen(self, known: Mapping[str, BaseDistribution]) -> FrozenTrial:
        """The trial in Optuna's terms."""
        return optuna.trial.create_trial(
            state=TrialState.PRUNED if self.epochs else TrialState.COMPLETE,
            params=dict(self.params),
            distributions={name: known[name] for name in self.params},
            value=self.score,
            intermediate_values={self.epochs: self.score} if self.epochs else {},
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Earlier:
    """What an earlier study learnt, in the terms of the new study's space.

    Attributes:
        label: What people call the earlier study.
        direction: Which of its scores are better.
        first: Its best configurations, distinct, moved into the new ranges where they lay outside.
        trials: Its trials that lie inside the new ranges, best first.
        differences: What is not the same in the two studies, a sentence each.
    """

    label: str
    direction: Direction
    first: tuple[Mapping[str, Any], ...]
    trials: tuple[EarlierTrial, ...]
    differences: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """What was learnt as plain JSON values; `from_document` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Earlier":
        """What `to_document` wrote."""
        trials = tuple(EarlierTrial(**trial) for trial in document["trials"])
        lists = {name: tuple(document[name]) for name in ("first", "differences")}
        return cls(label=document["label"], direction=document["direction"], trials=trials, **lists)


def learnt_from(
    trials: Sequence[FrozenTrial],
    *,
    label: str,
    direction: Direction,
    space: Space,
    new_direction: Direction,
    default: Mapping[str, Any] | None = None,
) -> Earlier:
    """What the trials of an earlier study say about `space`.

    Parameters are compared by name and kind. A trial outside the new ranges says nothing about what is inside: of
    those, only the best configurations are kept, moved to the nearest value inside. A parameter that the earlier
    study did not have takes its default in them, or is proposed as always.

    Args:
        trials: The earlier study's, as Optuna has them.
        label: What people call it.
        direction: Which of its scores are better.
        space: The new study's.
        new_direction: Which of the new study's scores are better.
        default: The new study's untuned configuration; it runs anyway.

    Raises:
        UserError: No parameter is the same in both, or the earlier study has no complete trial.
    """
    ended = [trial for trial in trials if score_of(trial) is not None]
    if not any(trial.state == TrialState.COMPLETE for trial in ended):
        raise UserError(f"--from-study {label}: it has no complete trial", hint=f"trialwise study resume {label}")
    known = {name: distribution for trial in ended for name, distribution in trial.distributions.items()}
    shared = {name: p for name, p in space.items() if name in known and _kind(known[name]) is type(p)}
    if not shared:
        raise UserError(
            f"--from-study {label}: it has no parameter in common with this study",
            hint=f"it searched {', '.join(sorted(known))}; this study searches {', '.join(sorted(space))}",
        )
    best_first = sorted(ended, key=lambda trial: rank_of(trial, direction))
    first: list[dict[str, Any]] = []
    for trial in best_first:
        config = _moved_inside(trial.params, shared, space, default or {})
        if trial.state == TrialState.COMPLETE and config not in first and config != default and len(first) < N_FIRST:
            first.append(config)
    inside = [trial for trial in best_first if _is_inside(trial.params, shared)]
    inside = inside[:: max(1, math.ceil(len(inside) / MOST_KEPT))]
    return Earlier(
        label=label,
        direction=direction,
        first=tuple(first),
        trials=tuple(_earlier_trial(trial, shared) for trial in inside),
        differences=tuple(_differences(known, space, direction, new_direction)),
    )


def score_of(trial: FrozenTrial) -> float | None:
    """A trial's value, or the last score of one that was pruned or paused; None where there is no number."""
    score = trial.value if trial.state == TrialState.COMPLETE else None
    if trial.state in (TrialState.PRUNED, TrialState.RUNNING) and trial.intermediate_values:
        score = trial.intermediate_values[max(trial.intermediate_values)]
    return None if score is None or math.isnan(score) else score


def _epochs(trial: FrozenTrial) -> int:
    return 0 if trial.state == TrialState.COMPLETE else max(trial.intermediate_values)


def rank_of(trial: FrozenTrial, direction: Direction) -> tuple[float, float, int]:
    """What sorts trials as TPE does: complete ones by value, then pruned ones by how far they came and their score."""
    score = score_of(trial)
    assert score is not None
    return (-(_epochs(trial) or math.inf), score if direction == "minimize" else -score, trial.number)


def _kind(distribution: BaseDistribution) -> type[Parameter]:
    if isinstance(distribution, FloatDistribution):
        return Float
    return Int if isinstance(distribution, IntDistribution) else Choice


def _inside(value: Any, parameter: Parameter) -> Any:
    """The nearest value in the parameter's range; None for a choice that there is no more."""
    if isinstance(parameter, Choice):
        return value if is_one_of(value, parameter.choices) else None
    return min(max(value, parameter.low), parameter.high)


def _is_inside(params: Mapping[str, Any], shared: Space) -> bool:
    known = [name for name in shared if name in params]
    return bool(known) and all(_inside(params[name], shared[name]) == params[name] for name in known)


def _earlier_trial(trial: FrozenTrial, shared: Space) -> EarlierTrial:
    score = score_of(trial)
    assert score is not None
    params = {name: trial.params[name] for name in shared if name in trial.params}
    return EarlierTrial(params=params, score=score, epochs=_epochs(trial))


def _moved_inside(params: Mapping[str, Any], shared: Space, space: Space, default: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, parameter in space.items():
        value = _inside(params[name], parameter) if name in shared and name in params else None
        value = default.get(name) if value is None else value
        if value is not None and is_active(parameter, config):
            config[name] = value
    return config


def _differences(
    known: Mapping[str, BaseDistribution], space: Space, direction: Direction, new_direction: Direction
) -> list[str]:
    found = [] if direction == new_direction else [f"its score was to {direction}, this study's is to {new_direction}"]
    found += [f"{name} was searched then and is not now" for name in known if name not in space]
    for name, parameter in space.items():
        if name not in known:
            found.append(f"{name} was not searched then")
            continue
        kind = _kind(known[name])
        if kind is not type(parameter):
            found.append(f"{name} was of kind {kind.__name__} and is {type(parameter).__name__} now: not taken over")
        elif (then := _range(known[name])) != (now := _range(distributions({name: parameter})[name])):
            found.append(f"{name}: {then} then, {now} now")
    return found


def _range(distribution: BaseDistribution) -> str:
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return f"{distribution.low:g} to {distribution.high:g}"
    assert isinstance(distribution, CategoricalDistribution)
    return ", ".join(map(str, distribution.choices))

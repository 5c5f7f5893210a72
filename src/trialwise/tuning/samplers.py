"""Which sampler proposes the next configuration, and why."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from trialwise.base.errors import UserError
from trialwise.base.seeds import child_seed
from trialwise.tuning.spaces import Float, Space, is_numeric
from trialwise.tuning.trials import Config

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SamplerName = Literal[
    "auto", "gp-polish", "gp", "tpe", "tpe-near-default", "cmaes", "nsga2", "nsga3", "sobol", "random"
]
MOST_NUMBERS = 10  # for models of every parameter at once
N_NEAR_DEFAULT = 10  # of so many first trials every second one is near the default, before TPE has its first model


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplerChoice:
    """The sampler that was chosen, and the reason in a few words."""

    name: SamplerName
    reason: str


def choose_sampler(name: SamplerName, space: Space, *, pruning: bool, has_default: bool) -> SamplerChoice:
    """The sampler for this space: `name` itself, or for "auto" the one that fits.

    Gaussian processes win on numbers alone, and where one point always has one value their best point is polished to
    the last digit; they ignore pruned trials (measured equal to random search where most are pruned), so pruned
    studies and categories get the tree-structured Parzen estimator, which begins around the default where there is one.

    Raises:
        UserError: The sampler cannot propose for this space.
    """
    real = all(isinstance(parameter, Float) for parameter in space.values())
    if name == "gp-polish" and not real:
        raise UserError("--sampler gp-polish: every parameter must be a real number", hint="--sampler auto fits all")
    if name == "cmaes" and not is_numeric(space):
        raise UserError("--sampler cmaes: every parameter must be a number", hint="--sampler auto fits all spaces")
    if name == "tpe-near-default" and not has_default:
        raise UserError(
            "--sampler tpe-near-default: there is no default", hint="give each parameter one, or --sampler tpe"
        )
    if pruning and name in ("gp", "gp-polish"):
        raise UserError(
            f"--sampler {name} learns nothing from pruned trials, and here most trials are pruned",
            hint="--sampler tpe learns from them, and auto takes it",
        )
    if name != "auto":
        return SamplerChoice(name=name, reason="as asked")
    tpe: SamplerName = "tpe-near-default" if has_default else "tpe"
    if pruning:
        return SamplerChoice(name=tpe, reason="trials are pruned, and TPE learns from pruned trials")
    if not is_numeric(space):
        return SamplerChoice(name=tpe, reason="there are choices without an order")
    if len(space) > MOST_NUMBERS:
        return SamplerChoice(name=tpe, reason=f"there are more than {MOST_NUMBERS} parameters")
    numbers = f"{len(space)} number{'s' if len(space) > 1 else ''} and no pruning"
    if real:
        return SamplerChoice(name="gp-polish", reason=f"{numbers}; polished where a point always has one value")
    return SamplerChoice(name="gp", reason=numbers)


def build_sampler(
    name: SamplerName, seed: int, trial_number: int, *, deterministic: bool = False, default: Config | None = None
) -> "BaseSampler":
    """A sampler for one proposal, seeded by (study seed, trial number, and parameter where it is drawn by itself).

    A new sampler for every trial makes a proposal depend on the study's history and the trial's number alone:
    a resumed study proposes what the uninterrupted one would have, and no two trials or parameters share their random
    numbers.

    Args:
        name: Which one; not "auto".
        seed: The study's.
        trial_number: The trial that is proposed.
        deterministic: Whether a point is known to have one value always; asked by "gp-polish" alone.
        default: The untuned configuration; asked by "tpe-near-default" alone.
    """
    import optuna  # here, so that the command line's help need not load it
    from optuna.samplers import (
        CmaEsSampler,
        GPSampler,
        NSGAIIISampler,
        NSGAIISampler,
        RandomSampler,
        TPESampler,
    )

    from trialwise.tuning.seeded import SeededSampler, SobolSampler

    if name == "gp-polish":
        return _polish_sampler(seed, deterministic=deterministic)
    if name == "tpe-near-default":
        return _near_default_sampler(seed, trial_number, default)
    builders: dict[str, Callable[[int], BaseSampler]] = {
        "gp": lambda own: GPSampler(seed=own),
        "cmaes": lambda own: CmaEsSampler(seed=own, warn_independent_sampling=False),
        "nsga2": lambda own: NSGAIISampler(seed=own),
        "nsga3": lambda own: NSGAIIISampler(seed=own),
        "tpe": lambda own: TPESampler(seed=own),
        "random": lambda own: RandomSampler(seed=own),
        "sobol": lambda own: SobolSampler(trial_number, seed=seed % 2**32, independent_seed=own),
    }

    def make(parameter: str) -> "BaseSampler":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            path = ("sampler", trial_number) if not parameter else ("sampler", trial_number, parameter)
            return builders[name](child_seed(seed, *path) % 2**32)

    return SeededSampler(make)


def _polish_sampler(seed: int, *, deterministic: bool) -> "BaseSampler":
    from trialwise.tuning.polish import N_FIRST, PolishSampler

    def look_around(number: int) -> "BaseSampler":
        return build_sampler("random" if number < N_FIRST else "gp", seed, number)

    return PolishSampler(look_around, deterministic=deterministic)


def _near_default_sampler(seed: int, trial_number: int, default: Config | None) -> "BaseSampler":
    from trialwise.tuning.near_default import NearDefaultSampler

    tpe = build_sampler("tpe", seed, trial_number)
    if not default or trial_number >= N_NEAR_DEFAULT or trial_number % 2 == 0:
        return tpe
    return NearDefaultSampler(default, trial_number, seed=seed, otherwise=tpe)


def sampler_for_each_trial(
    name: SamplerName, seed: int, *, deterministic: bool, default: Config | None = None
) -> "Callable[[int], BaseSampler]":
    """`build_sampler` by trial number, with one object for all trials where that saves going through the history."""
    if name == "gp-polish":
        kept = build_sampler(name, seed, 0, deterministic=deterministic)
        return lambda number: kept
    return lambda number: build_sampler(name, seed, number, default=default)

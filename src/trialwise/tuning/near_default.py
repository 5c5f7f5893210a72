"""Proposals near the untuned default, which is seldom far from the best."""

from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from trialwise.base.seeds import numpy_generator
from trialwise.tuning.trials import Config
from trialwise.tuning.unit_scale import from_unit, to_unit

SPREAD = 0.25  # of a changed number around the default: a standard deviation, in shares of its range


class NearDefaultSampler(BaseSampler):
    """One trial with about half of the default's parameters, and the others changed; at least one is.

    After the prior's proposals in PriorBand (Mallik et al. 2023), but for the parameters that stay: what is good about
    a default is often the combination. A changed number comes from a normal distribution around the default, cut off
    at the ends of the range; a changed choice is any other one. The random numbers are those of (study seed, trial
    number, parameter), see `SeededSampler`.
    """

    def __init__(self, default: Config, number: int, *, seed: int, otherwise: BaseSampler) -> None:
        """Make the sampler for one trial.

        Args:
            default: The untuned configuration.
            number: The trial's.
            seed: The study's.
            otherwise: For parameters that the default does not have.
        """
        self._default, self._number, self._seed, self._otherwise = default, number, seed, otherwise
        names = sorted(default)
        generator = numpy_generator(seed, "near default", number)
        changed = generator.random(len(names)) < 0.5
        changed[generator.integers(len(names))] = True
        self._changed = {name for name, is_changed in zip(names, changed, strict=True) if is_changed}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """None: every parameter is drawn by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """None."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The default's value, or another one near it."""
        if param_name not in self._default:
            return self._otherwise.sample_independent(study, trial, param_name, param_distribution)
        value = self._default[param_name]
        if param_name not in self._changed:
            return value
        return _another(
            param_distribution, value, numpy_generator(self._seed, "near default", self._number, param_name)
        )


def _another(distribution: BaseDistribution, value: Any, generator: np.random.Generator) -> Any:
    """Another value than this one, where there is one; a number near it."""
    if isinstance(distribution, CategoricalDistribution):
        others = [choice for choice in distribution.choices if type(choice) is not type(value) or choice != value]
        return others[generator.integers(len(others))] if others else value
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    center = to_unit(distribution, value)
    while True:
        share = generator.normal(center, SPREAD)
        if 0 <= share <= 1 and (near := from_unit(distribution, share)) != value:
            return near

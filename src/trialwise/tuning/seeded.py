"""Proposals whose random numbers depend on the trial and the parameter, never on what was drawn before them."""

from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class SeededSampler(BaseSampler):
    """A sampler for one trial, with random numbers of its own for each parameter that is drawn by itself.

    Drawn one after the other from one generator, the second parameter of a trial would get another value where a
    killed driver had put the first one on record already.
    """

    def __init__(self, make: Callable[[str], BaseSampler]) -> None:
        """Make the sampler.

        Args:
            make: The sampler with the random numbers of a parameter, by its name; "" for all of them together.
        """
        self._make = make
        self._together = make("")

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters that are proposed together."""
        return self._together.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Their values."""
        return self._together.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The value of a parameter by itself."""
        return self._make(param_name).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """What the sampler does before a trial."""
        self._together.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """What the sampler does after one."""
        self._together.after_trial(study, trial, state, values)


class SobolSampler(QMCSampler):
    """Optuna's Sobol sequence, of which trial `number` takes point `number`.

    Optuna counts the points in the storage instead: a trial that a killed driver left half proposed would go on with
    the next one.
    """

    def __init__(self, number: int, *, seed: int, independent_seed: int) -> None:
        """Make the sampler for trial `number`.

        Args:
            number: The trial's.
            seed: The study's, which scrambles the sequence.
            independent_seed: For a parameter that is drawn by itself.
        """
        independent = RandomSampler(seed=independent_seed)
        super().__init__(seed=seed, scramble=True, independent_sampler=independent, warn_independent_sampling=False)
        self._number = number

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number

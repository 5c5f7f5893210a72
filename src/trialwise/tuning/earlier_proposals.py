"""What an earlier study proposes to another one: its best configurations first, then a prior that fades."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from trialwise.base.seeds import child_seed
from trialwise.tuning.earlier import Earlier, rank_of, score_of
from trialwise.tuning.rungs import Direction
from trialwise.tuning.samplers import build_sampler
from trialwise.tuning.spaces import Space, distributions

HALVED_AFTER = 8  # trials: after every so many, half as many of the earlier ones still count

Origin = Literal["default", "earlier best", "from both", "own"]
SamplerOfTrial = Callable[[int], BaseSampler]


class Proposals:
    """Samplers by trial number: the earlier study's proposals, and for all other trials the study's own sampler.

    First come the earlier study's best configurations; of the trials after them every second one is proposed by TPE
    from this study's trials and a share of the earlier one's that fades (see `MixedSampler`). What is proposed follows
    from the seed, the trial's number and the trials on record: the same for any number of workers in lockstep, and
    after a resume.
    """

    def __init__(self, earlier: Earlier, space: Space, *, seed: int, has_default: bool) -> None:
        self._earlier, self._space, self._seed = earlier, space, seed
        self._first_number = 1 if has_default else 0

    def origin(self, number: int) -> Origin:
        """Where trial `number` comes from."""
        place = number - self._first_number
        if place < 0:
            return "default"
        if place < len(self._earlier.first):
            return "earlier best"
        every_second = (place - len(self._earlier.first)) % 2 == 0
        return "from both" if every_second and self._n_kept(number) else "own"

    def before(self, own: SamplerOfTrial) -> SamplerOfTrial:
        """`own`, but for the trials that come from the earlier study."""

        def sampler(number: int) -> BaseSampler:
            match self.origin(number):
                case "earlier best":
                    return self._fixed(number, self._earlier.first[number - self._first_number])
                case "from both":
                    seed = child_seed(self._seed, "from both", number) % 2**32
                    return MixedSampler(self._earlier, self._space, n_kept=self._n_kept(number), seed=seed)
            return own(number)

        return sampler

    def _n_kept(self, number: int) -> int:
        """How many of the earlier study's trials still count."""
        return round(len(self._earlier.trials) * 0.5 ** (number / HALVED_AFTER))

    def _fixed(self, number: int, params: Mapping[str, Any]) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return PartialFixedSampler(dict(params), build_sampler("tpe", self._seed, number))


class MixedSampler(BaseSampler):
    """TPE over the trials of a study and some of an earlier one's, as if they were one study's.

    The scores of two studies cannot be compared, but ranks can: each earlier trial takes the score of that trial of
    the present study which stands at the same place among its own. Before the present study has a score, the earlier
    ones stand as they are.
    """

    def __init__(self, earlier: Earlier, space: Space, *, n_kept: int, seed: int) -> None:
        """Make the sampler for one trial, with `n_kept` of the earlier trials, spread evenly over their ranks."""
        self._earlier, self._space, self._n_kept, self._seed = earlier, space, n_kept, seed
        self._params: dict[str, Any] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: all parameters come at once from the mixed study."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter of the proposal."""
        if self._params is None:
            own = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number and other.params]
            self._params = self._proposed(own, "minimize" if study.direction.name == "MINIMIZE" else "maximize")
        return self._params[param_name]

    def _proposed(self, own: Sequence[FrozenTrial], direction: Direction) -> dict[str, Any]:
        scored = [trial for trial in own if trial.state != TrialState.RUNNING and score_of(trial) is not None]
        ranked = sorted(scored, key=lambda trial: rank_of(trial, direction))
        mixed = optuna.create_study(
            direction=direction if ranked else self._earlier.direction,
            sampler=TPESampler(seed=self._seed, n_startup_trials=1),
        )
        for trial in own:
            if trial.state != TrialState.FAIL:
                mixed.add_trial(_as_if_of(trial.params, trial, trial.distributions))
        known, trials = distributions(self._space), self._earlier.trials
        for place in sorted({i * len(trials) // self._n_kept for i in range(self._n_kept)}):
            earlier = trials[place]
            score = ranked[place * len(ranked) // len(trials)] if ranked else earlier.frozen(known)
            mixed.add_trial(_as_if_of(earlier.params, score, known))
        return mixed.ask(known).params


def _as_if_of(params: Mapping[str, Any], scored: FrozenTrial, known: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """A trial of these parameters with the state and the scores of another."""
    return optuna.trial.create_trial(
        state=scored.state,
        params=dict(params),
        distributions={name: known[name] for name in params},
        value=None if scored.state == TrialState.RUNNING else score_of(scored),
        intermediate_values=scored.intermediate_values,
    )

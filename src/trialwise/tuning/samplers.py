"""Which sampler proposes the next configuration, and why."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from trialwise.base.seeds import child_seed
from trialwise.tuning.spaces import Space, is_numeric

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

SamplerName = Literal["auto", "gp", "tpe", "sobol", "random"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplerChoice:
    """The sampler that was chosen, and the reason in a few words."""

    name: SamplerName
    reason: str


def choose_sampler(name: SamplerName, space: Space, *, pruning: bool) -> SamplerChoice:
    """The sampler for this space: `name` itself, or for "auto" the one that fits.

    Gaussian processes win on numbers alone; they ignore pruned trials (measured equal to random search where
    most are pruned), so pruned studies and categories get the tree-structured Parzen estimator.
    """
    if name != "auto":
        return SamplerChoice(name=name, reason="as asked")
    if pruning:
        return SamplerChoice(name="tpe", reason="trials are pruned, and TPE learns from pruned trials")
    if not is_numeric(space):
        return SamplerChoice(name="tpe", reason="there are choices without an order")
    if len(space) > 10:
        return SamplerChoice(name="tpe", reason="there are more than 10 parameters")
    return SamplerChoice(name="gp", reason=f"{len(space)} numbers and no pruning")


def build_sampler(name: SamplerName, seed: int, trial_number: int) -> "BaseSampler":
    """A sampler for one proposal, seeded by (study seed, trial number).

    A new sampler for every trial makes a proposal depend on the study's history and the trial's number alone:
    a resumed study proposes what the uninterrupted one would have, and no two trials share their random numbers.
    """
    import optuna  # here, so that the command line's help need not load it
    from optuna.samplers import GPSampler, QMCSampler, RandomSampler, TPESampler

    trial_seed = child_seed(seed, "sampler", trial_number) % 2**32
    builders: dict[str, Callable[[], BaseSampler]] = {
        "gp": lambda: GPSampler(seed=trial_seed),
        "tpe": lambda: TPESampler(seed=trial_seed),
        "random": lambda: RandomSampler(seed=trial_seed),
        # Sobol's sequence counts on in the storage, so that its one seed is the study's.
        "sobol": lambda: QMCSampler(seed=seed % 2**32, scramble=True, warn_asynchronous_seeding=False),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return builders[name]()

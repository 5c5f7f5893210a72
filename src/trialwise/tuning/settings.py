"""What every study can be told; needs neither torch nor Optuna, so that the command line's help is fast."""

import dataclasses

from trialwise.base.errors import UserError
from trialwise.tuning.goals import parse_goal
from trialwise.tuning.samplers import SamplerName


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How to search, whatever is tuned. The sentences below are the options' help.

    Attributes:
        trials: Configurations to try, those of an earlier session included; the first is the untuned default. Left
            out, 20 for images, 50 for all else.
        workers: Processes of one thread each; left out, the cores that are free.
        sampler: What proposes the trials; auto picks what fits the space and says why.
        from_study: An earlier study to start from, a run folder or its name: its best configurations first, then a
            prior that fades.
        also: A second goal, a number that every trial puts on record, e.g. n_params (fewer are better) or recall:max;
            the report shows the front of the two.
    """

    trials: int | None = None
    workers: int | None = None
    sampler: SamplerName = "auto"
    from_study: str | None = None
    also: str | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name}: expected at least 1, got {value}")
        if self.also is not None:
            parse_goal(self.also)

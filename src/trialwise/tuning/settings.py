"""What every study can be told; needs neither torch nor Optuna, so that the command line's help is fast."""

import dataclasses

from trialwise.base.errors import UserError
from trialwise.tuning.samplers import SamplerName


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How to search, whatever is tuned. The sentences below are the options' help.

    Attributes:
        trials: Configurations to try, those of an earlier session included; the first is the untuned default. Left
            out, 20 for images, 50 for all else.
        workers: Processes of one thread each; left out, the cores that are free.
        sampler: What proposes the trials; auto picks what fits the space and says why.
        confirm: The best trials that are run again on fresh seeds at the end, with the default, before one is named;
            0 leaves it out.
        confirm_seeds: Fresh seeds for each of them.
    """

    trials: int | None = None
    workers: int | None = None
    sampler: SamplerName = "auto"
    confirm: int = 3
    confirm_seeds: int = 2

    def __post_init__(self) -> None:
        for name in ("trials", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name}: expected at least 1, got {value}")
        if self.confirm < 0:
            raise UserError(f"--confirm: expected at least 0, got {self.confirm}")
        if self.confirm_seeds < 1:
            raise UserError(
                f"--confirm-seeds: expected at least 1, got {self.confirm_seeds}",
                hint="--confirm 0 runs nothing again",
            )

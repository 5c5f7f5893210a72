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
        storage: The database that keeps the study: sqlite:///FILE or postgresql://USER@HOST/DATABASE, the password from
            PGPASSWORD or ~/.pgpass; left out, a journal in the run folder.
    """

    trials: int | None = None
    workers: int | None = None
    sampler: SamplerName = "auto"
    storage: str | None = dataclasses.field(default=None, repr=False)  # it may hold a password

    def __post_init__(self) -> None:
        for name in ("trials", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name}: expected at least 1, got {value}")

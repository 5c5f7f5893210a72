"""What a wing brings to a study."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trialwise.base.runs import RunFolder
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.trials import Config, Objective


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tunable:
    """What a wing brings to a study.

    Attributes:
        name: What is being done, for people.
        objective: What gives a configuration its scores.
        space: What is searched.
        direction: Whether the lowest or the highest score wins.
        max_epochs: The epochs of a trial that is never pruned; 1 means that nothing is pruned.
        first_rung: The epochs before trials are first compared.
        default: The untuned configuration, tried first.
        deterministic: Whether one configuration is known to give one score always.
        in_process: Whether trials run here, one after the other, and not in processes of their own.
        on_gpu: Whether trials compute on a GPU where there is one, so that the GPUs and not the cores set how many run.
        code: The folder from which the user's own modules are imported; they are sent to the nodes of a cluster.
        facts: What the result should say beside the trials.
        keep: Called with the winner at the end, and the folder that it left behind (None where that is gone), to put
            what is worth keeping into the run folder.
        keep_default: The same for the default, where another trial is the winner.
        confirmable: Whether the best trials are worth another run: not where a minimum is looked for, and no model.
    """

    name: str
    objective: Objective
    space: Space
    direction: Direction
    max_epochs: int = 1
    first_rung: int = 1
    default: Config | None = None
    deterministic: bool = False
    in_process: bool = False
    on_gpu: bool = False
    code: Path | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keep: Callable[[RunFolder, TrialRecord, Path | None], None] | None = None
    keep_default: Callable[[RunFolder, Path], None] | None = None
    confirmable: bool = True

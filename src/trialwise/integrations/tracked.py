"""What experiment trackers are told of a run: the same facts for each of them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tracked:
    """A run, or one trial of it.

    Attributes:
        key: What tells it from all others; the same whenever it is told again.
        name: What people call it.
        state: "complete", "pruned", "failed", "paused", "running", "interrupted" or "stopped".
        started: When it began, in seconds since 1970. All epochs of a trial carry it: theirs are not on record.
        ended: When it ended; None where it has not.
        params: The configuration, by dotted names.
        values: What was found, by name.
        curves: By name, the value after each epoch, by epoch from 1; in a study the best value so far after each
            trial.
        tags: Words about it.
        files: By the folder to file them under ("" for the top), what lies in the run folder.
        trials: Those of a study.
    """

    key: str
    name: str
    state: str
    started: float
    ended: float | None
    params: Mapping[str, str | float | int | bool]
    values: Mapping[str, float]
    curves: Mapping[str, Mapping[int, float]]
    tags: Mapping[str, str]
    files: Mapping[str, tuple[Path, ...]] = dataclasses.field(default_factory=dict)
    trials: tuple["Tracked", ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.state in ("complete", "pruned", "failed")

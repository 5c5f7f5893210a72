"""A run as trackers see it: a name that stays, trials with their scores, numbers, words and files."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwise.base.runs import RunFolder
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import TrialRecord

OF_ONE_MODEL = ("gain", "test_accuracy", "test_accuracy_low", "test_accuracy_high")  # known no more once it is another
FILES = ("report.html", "best.toml", "run.json", "trials.json", "README.md")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tracked:
    """What is logged of one run.

    Attributes:
        name: The run folder's name.
        identity: What knows the run again when it is logged a second time, wherever its folder lies.
        kind: The kind of work, e.g. "image-tune".
        seed: Its seed.
        status: How it stands.
        verdict: The run's sentence; empty before there is one.
        params: Settings that a run keeps for life, flat.
        best: The winner of a study; None before there is one, and for a single training.
        direction: Whether the lowest or the highest score wins, in a study.
        space: What was searched, where the run folder says so.
        trials: The trials of a study.
        epochs: (metric, step, value) of a single training.
        numbers: What was found at the end, by name.
        files: What to keep beside the numbers.
        started_seconds: When the run began, in seconds since 1970.
    """

    name: str
    identity: str
    kind: str
    seed: int
    status: str
    verdict: str
    params: Mapping[str, Any]
    best: TrialRecord | None
    direction: Direction | None
    space: Space
    trials: Sequence[TrialRecord]
    epochs: Sequence[tuple[str, int, float]]
    numbers: Mapping[str, float]
    files: Sequence[Path]
    started_seconds: float


def identity_of(run: RunFolder) -> str:
    """The same for one run always, unlike that of all others."""
    words = f"{run.path.name}|{run.kind}|{run.record['started']}|{run.seed}"
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def is_number(value: Any) -> bool:
    """Whether a value can be drawn: no text, no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)

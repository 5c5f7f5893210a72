"""What a pool is asked to run and what it says: tasks, messages, and what every pool can do."""

import dataclasses
import json
import math
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from trialwise.tuning.rungs import RungUnit
from trialwise.tuning.trials import Config, Objective, Trial

_NOT_THE_USERS = ("trialwise", "site-packages", "dist-packages")  # in the path of a file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limit:
    """What a trial may spend beside its epochs; the epoch with which it is spent is the last one.

    Attributes:
        unit: What is counted: samples that the objective says it saw, or minutes that its epochs took in the worker.
        until: So much in all.
        spent: So much is on record.
        epoch: After so many epochs; an epoch that is run again counts with what is on record.
    """

    unit: RungUnit
    until: float
    spent: float
    epoch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Run `trial` with `config` until `until_epoch` epochs are done, or what `limit` allows is spent."""

    trial: Trial
    config: Config
    until_epoch: int
    limit: Limit | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Begun:
    """Trial `number` has a place and begins, or goes on: from now on it owes signs of life."""

    number: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """Trial `number` reached `score` after `epoch` epochs; the last one spent so much of what its task limits."""

    number: int
    epoch: int
    score: float
    notes: dict[str, Any]
    spent: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failure:
    """Trial `number` ended without doing what its task asked for.

    Attributes:
        number: The trial's.
        reason: In words, for people.
        traceback: Of an exception.
        lost: Whether its process died and took the epoch in flight with it; a new start goes on from its checkpoint.
        blameless: Whether, where it was lost, somebody else ended the process (`kill`, a node that went away).
    """

    number: int
    reason: str
    traceback: str = ""
    lost: bool = False
    blameless: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """Trial `number` did all epochs that its task asked for."""

    number: int


Ending = Failure | Done
Message = Begun | Score | Ending


class Pool(Protocol):
    """What runs tasks, several at once.

    A task's messages come in order: `Begun` once a process has taken it up, a `Score` for each epoch, then one
    `Done` or `Failure`, which frees its place.
    """

    @property
    def capacity(self) -> int:
        """How many tasks can run at once, at least 1."""
        ...

    def start(self, task: Task) -> None:
        """Start a task; at most `capacity` may run, and at most one of each trial. Returns at once."""
        ...

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """The next message of any running task; None where none came in time, or nothing runs."""
        ...

    def stop(self, number: int) -> None:
        """End the running task of trial `number` now; no message of it comes any more, and its place is free.

        Its checkpoint stays whole. Nothing happens where that trial does not run.
        """
        ...

    def close(self) -> None:
        """Stop everything, at once."""
        ...


def run_task(objective: Objective, task: Task) -> Iterator[Message]:
    """The messages of one task: `Begun`, a `Score` for each epoch, then `Done` or `Failure`.

    A trial that is to go on but has left nothing in its folder can only begin anew: its scores come again, from
    the first. Whoever records them knows those already.
    """
    number, limit = task.trial.number, task.limit
    yield Begun(number=number)
    left = _Left(task)
    if left.is_over(task.trial.epochs_done):  # its process died after its last score, before it said so
        yield Done(number=number)
        return
    trial = _from_what_is_left(task.trial)
    epoch = trial.epochs_done
    try:
        with closing(_as_generator(objective(task.config, trial))) as scores:
            for score, seconds in _timed(scores):
                epoch += 1
                spent = None if limit is None else left.spend(trial, epoch, seconds)
                if not math.isfinite(score):
                    yield Failure(number=number, reason=f"the score after epoch {epoch} is {float(score)}")
                    return
                if spent == 0 and limit is not None and limit.unit == "samples":
                    reason = f"the objective did not say how many samples epoch {epoch} saw: trial.saw(n_samples)"
                    yield Failure(number=number, reason=reason)
                    return
                yield Score(number=number, epoch=epoch, score=float(score), notes=_plain(trial.notes), spent=spent)
                if left.is_over(epoch):
                    break
    except (Exception, SystemExit) as error:  # an objective that calls sys.exit ends its trial, not the study
        yield Failure(number=number, reason=reason_of(error) + _place(error), traceback=traceback.format_exc())
        return
    if left.is_over(epoch):
        yield Done(number=number)
    else:
        yield Failure(number=number, reason=f"the objective ended after {epoch} of {task.until_epoch} epochs")


def _plain(notes: Mapping[str, Any]) -> dict[str, Any]:
    """The notes as values that JSON can write: NumPy's and PyTorch's numbers and arrays as Python's.

    Raises:
        TypeError: One is none.
    """
    plain = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in notes.items()}
    for name, value in plain.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"trial.notes[{name!r}]: expected a value that JSON can write ({error})") from None
    return plain


class _Left:
    """What a task may still do."""

    def __init__(self, task: Task) -> None:
        self._until_epoch, self._limit = task.until_epoch, task.limit
        self._spent = task.limit.spent if task.limit else 0.0

    def spend(self, trial: Trial, epoch: int, seconds: float) -> float:
        """What this epoch spent; it counts where it is not on record yet."""
        assert self._limit is not None
        n_samples = trial.take_samples()
        spent = float(n_samples) if self._limit.unit == "samples" else seconds / 60
        if epoch > self._limit.epoch:
            self._spent += spent
        return spent

    def is_over(self, epoch: int) -> bool:
        return epoch >= self._until_epoch or (self._limit is not None and self._spent >= self._limit.until)


def _timed(scores: Iterator[float]) -> Iterator[tuple[float, float]]:
    """Each score with the seconds that it took here; the time in which nobody asks for the next one is not counted."""
    while True:
        start = time.perf_counter()
        try:
            score = next(scores)
        except StopIteration:
            return
        yield score, time.perf_counter() - start


def reason_of(error: BaseException) -> str:
    """The error in one line, with "out of memory" in front where that is what happened."""
    line = f"{type(error).__name__}: {error}".strip().removesuffix(":")
    # torch has its own error for a GPU, and on the CPU a plain RuntimeError of the allocator.
    full = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    full = full or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    return f"out of memory ({line})" if full else line


def _place(error: BaseException) -> str:
    """Where in the user's own code it was raised, the innermost such line; nothing where none of that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(part in _NOT_THE_USERS for part in Path(frame.filename).parts)]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno}, in {own[-1].name})" if own else ""


def _from_what_is_left(trial: Trial) -> Trial:
    left = trial.folder.iterdir() if trial.folder and trial.folder.is_dir() else ()
    # A name with a dot in front is what a killed process was writing.
    if trial.folder is None or any(not path.name.startswith(".") for path in left):
        return trial
    return dataclasses.replace(trial, epochs_done=0)


def _as_generator(scores: Iterator[float]) -> Any:
    return scores if hasattr(scores, "close") else (score for score in scores)

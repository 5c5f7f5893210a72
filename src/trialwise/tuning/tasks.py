"""What a pool is asked to run and what it says: tasks, messages, and what every pool can do."""

import dataclasses
import math
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from trialwise.tuning.trials import Config, Objective, Trial

_NOT_THE_USERS = ("trialwise", "site-packages", "dist-packages")  # in the path of a file


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """Run `trial` with `config` until `until_epoch` epochs are done."""

    trial: Trial
    config: Config
    until_epoch: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """Trial `number` reached `score` after `epoch` epochs."""

    number: int
    epoch: int
    score: float
    notes: dict[str, Any]


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


Message = Score | Failure | Done


class Pool(Protocol):
    """What runs tasks, several at once.

    A task's messages come in order: a `Score` for each epoch, then one `Done` or `Failure`, which frees its place.
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


def run_all(pool: Pool, tasks: list[Task]) -> Iterator[Message]:
    """The messages of all tasks as they come in; as many run at once as the pool has places for."""
    waiting, n_running = list(reversed(tasks)), 0
    while waiting or n_running:
        while waiting and n_running < pool.capacity:
            pool.start(waiting.pop())
            n_running += 1
        message = pool.receive()
        assert message is not None, "a pool that runs something waits for it"
        n_running -= not isinstance(message, Score)
        yield message


def run_task(objective: Objective, task: Task) -> Iterator[Message]:
    """The messages of one task: a `Score` for each epoch, then `Done` or `Failure`.

    A trial that is to go on but has left nothing in its folder can only begin anew: its scores come again, from
    the first. Whoever records them knows those already.
    """
    if task.trial.epochs_done >= task.until_epoch:  # its process died after its last score, before it said so
        yield Done(number=task.trial.number)
        return
    trial = _from_what_is_left(task.trial)
    epoch = trial.epochs_done
    try:
        with closing(_as_generator(objective(task.config, trial))) as scores:
            for score in scores:
                epoch += 1
                if not math.isfinite(score):
                    yield Failure(number=trial.number, reason=f"the score after epoch {epoch} is {float(score)}")
                    return
                yield Score(number=trial.number, epoch=epoch, score=float(score), notes=dict(trial.notes))
                if epoch >= task.until_epoch:
                    break
    except (Exception, SystemExit) as error:  # an objective that calls sys.exit ends its trial, not the study
        yield Failure(number=trial.number, reason=reason_of(error) + _place(error), traceback=traceback.format_exc())
        return
    if epoch < task.until_epoch:
        yield Failure(number=trial.number, reason=f"the objective ended after {epoch} of {task.until_epoch} epochs")
    else:
        yield Done(number=trial.number)


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

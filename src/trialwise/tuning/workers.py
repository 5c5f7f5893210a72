"""Trials run in processes of one thread each, or right here."""

import dataclasses
import math
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from trialwise.tuning.trials import Config, Objective, Trial

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


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
    """Trial `number` ended with an error; `lost` where its process died and took the epoch in flight with it."""

    number: int
    reason: str
    traceback: str = ""
    lost: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """Trial `number` did all epochs that its task asked for."""

    number: int


Message = Score | Failure | Done


class Pool(Protocol):
    """What runs tasks: all of them, in any order, each ending in one `Done` or `Failure`."""

    def run(self, tasks: list[Task]) -> Iterator[Message]:
        """The messages of the tasks as they come in."""
        ...

    def close(self) -> None:
        """Stop what is running."""
        ...


def run_task(objective: Objective, task: Task) -> Iterator[Message]:
    """The messages of one task: a `Score` for each epoch, then `Done` or `Failure`."""
    trial = _from_its_first_epoch(task.trial)
    epoch = trial.epochs_done
    try:
        with closing(_as_generator(objective(task.config, trial))) as scores:
            for score in scores:
                epoch += 1
                if epoch <= task.trial.epochs_done:
                    continue  # on record already
                if not math.isfinite(score):
                    yield Failure(number=trial.number, reason=f"the score after epoch {epoch} is {float(score)}")
                    return
                yield Score(number=trial.number, epoch=epoch, score=float(score), notes=dict(trial.notes))
                if epoch >= task.until_epoch:
                    break
    except (Exception, SystemExit) as error:  # an objective that calls sys.exit ends its trial, not the study
        reason = f"{type(error).__name__}: {error}".strip()
        yield Failure(number=trial.number, reason=reason, traceback=traceback.format_exc())
        return
    if epoch < task.until_epoch:
        yield Failure(number=trial.number, reason=f"the objective ended after {epoch} of {task.until_epoch} epochs")
    else:
        yield Done(number=trial.number)


def _from_its_first_epoch(trial: Trial) -> Trial:
    """The trial, to be run from its first epoch again where the objective left nothing behind to go on from."""
    left = trial.folder.iterdir() if trial.folder and trial.folder.is_dir() else ()
    if trial.folder is None or any(not path.name.startswith(".") for path in left):
        return trial
    return dataclasses.replace(trial, epochs_done=0)


def _as_generator(scores: Iterator[float]) -> Any:
    return scores if hasattr(scores, "close") else (score for score in scores)


class InlinePool:
    """Runs tasks one after the other in this process."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def run(self, tasks: list[Task]) -> Iterator[Message]:
        """The messages of the tasks, one task after the other."""
        for task in tasks:
            yield from run_task(self._objective, task)

    def close(self) -> None:
        """Nothing to stop: an inline task ends with its generator."""


class ProcessPool:
    """Runs tasks in `n_workers` spawned processes of one thread each.

    A process that dies (killed, out of memory) is replaced; its trial fails with `lost`, so that the driver may
    send it again from its checkpoint. Ctrl-C is left to this process: the workers ignore it and are stopped here.
    """

    def __init__(self, objective: Objective, n_workers: int) -> None:
        self._objective = objective
        self._workers = [_Worker(objective) for _ in range(n_workers)]

    def run(self, tasks: list[Task]) -> Iterator[Message]:
        """The messages of the tasks as the processes send them."""
        waiting = list(reversed(tasks))
        while waiting or any(worker.task for worker in self._workers):
            for worker in self._workers:
                if worker.task is None and waiting:
                    worker.start(waiting.pop())
            busy = {worker.connection: worker for worker in self._workers if worker.task}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                message = worker.receive()
                if isinstance(message, Failure) and message.lost:
                    self._workers[self._workers.index(worker)] = _Worker(self._objective)
                yield message

    def close(self) -> None:
        """Stop every process at once; checkpoints are whole on disk."""
        for worker in self._workers:
            worker.stop()


class _Worker:
    """One spawned process, its pipe and the task it is on."""

    def __init__(self, objective: Objective) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self._process = context.Process(target=_serve, args=(theirs, objective), daemon=True)
        with _worker_surroundings():
            self._process.start()
        theirs.close()

    def start(self, task: Task) -> None:
        self.task = task
        with suppress(BrokenPipeError):  # a dead process is noticed on receive
            self.connection.send(task)

    def receive(self) -> Message:
        assert self.task is not None
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            message = Failure(
                number=self.task.trial.number,
                reason=f"its process died (exit code {self._process.exitcode})",
                lost=True,
            )
        if not isinstance(message, Score):
            self.task = None
        return message

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


@contextmanager
def _worker_surroundings() -> Iterator[None]:
    """What a process started in this block inherits: one thread for every library, and deafness to Ctrl-C."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    is_main = threading.current_thread() is threading.main_thread()  # only there can a signal's handler be changed
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if is_main:
            signal.signal(signal.SIGINT, handler)


def _serve(connection: Connection, objective: Objective) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch  # here, so that the driver's own process need not load it

    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError):
        while True:
            task = connection.recv()
            for message in run_task(objective, task):
                connection.send(message)

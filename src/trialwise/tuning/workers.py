"""Trials run in processes of one thread each, or right here."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from trialwise.base.errors import WorkError
from trialwise.tuning.tasks import Begun, Ending, Failure, Message, Task, run_task
from trialwise.tuning.trials import Objective

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class InlinePool:
    """Runs one task at a time in this process, an epoch for each message; no timeout can interrupt an epoch."""

    capacity = 1

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._running: tuple[int, Generator[Message]] | None = None

    def start(self, task: Task) -> None:
        """Make the task the one that `receive` runs."""
        assert self._running is None, "an inline pool has one place"
        self._running = (task.trial.number, _messages(self._objective, task))

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """Run the task to its next message."""
        if self._running is None:
            return None
        message = next(self._running[1])
        if isinstance(message, Ending):
            self.close()
        return message

    def stop(self, number: int) -> None:
        """Close the trial's generator."""
        if self._running is not None and self._running[0] == number:
            self.close()

    def close(self) -> None:
        """Close the running generator."""
        if self._running is not None:
            self._running[1].close()
            self._running = None


def _messages(objective: Objective, task: Task) -> Generator[Message]:
    yield from run_task(objective, task)


class ProcessPool:
    """Runs tasks in `n_workers` spawned processes of one thread each.

    A process that dies (killed, out of memory) is replaced; its trial fails with `lost`, so that the driver may
    start it again from its checkpoint. Ctrl-C is left to this process: the workers ignore it and are stopped here.

    Args:
        objective: What gives a configuration its scores.
        n_workers: How many.
        gpus: What the processes see as CUDA_VISIBLE_DEVICES, in turn; none leaves it as it is.
        gpu_memory: The share of its GPU's memory that PyTorch hands out in a process.
    """

    def __init__(
        self, objective: Objective, n_workers: int, *, gpus: Sequence[str] = (), gpu_memory: float = 1.0
    ) -> None:
        self.capacity = n_workers
        self._objective = objective
        self._gpu_memory = gpu_memory
        seen = [gpus[place % len(gpus)] if gpus else None for place in range(n_workers)]
        self._workers = [_Worker(objective, gpu, gpu_memory) for gpu in seen]
        self._unread: deque[Message] = deque()
        self._works = False  # whether any process came so far as to begin a task

    def start(self, task: Task) -> None:
        """Send the task to a free process."""
        free = next((worker for worker in self._workers if worker.task is None), None)
        assert free is not None, f"all {self.capacity} places are taken"
        if not free.is_alive():
            free = self._replace(free)
        free.start(task)

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """The next message of any process; those that wait are read in turn, so that none is kept waiting.

        Raises:
            WorkError: A process died by itself before any could begin a task.
        """
        if not self._unread:
            busy: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers if worker.task}
            for connection in wait(list(busy), timeout_seconds) if busy else ():
                message = busy[connection].receive()
                self._works = self._works or isinstance(message, Begun)
                if isinstance(message, Failure) and message.lost:
                    if not (self._works or message.blameless):
                        raise _no_worker_starts(message)
                    self._replace(busy[connection])
                self._unread.append(message)
        return self._unread.popleft() if self._unread else None

    def stop(self, number: int) -> None:
        """Kill the trial's process and start another in its place."""
        self._unread = deque(message for message in self._unread if message.number != number)
        for worker in self._workers:
            if worker.task is not None and worker.task.trial.number == number:
                self._replace(worker)
                return

    def close(self) -> None:
        """Stop every process at once; checkpoints are whole on disk."""
        for worker in self._workers:
            worker.stop()

    def _replace(self, worker: "_Worker") -> "_Worker":
        worker.stop()
        new = _Worker(self._objective, worker.gpu, self._gpu_memory)
        self._workers[self._workers.index(worker)] = new
        return new


def _no_worker_starts(failure: Failure) -> WorkError:
    return WorkError(
        f"no worker process can start, so no trial can begin: {failure.reason}",
        hint="what it said stands above; a script that starts a study keeps the call under "
        'if __name__ == "__main__":, and whatever the objective needs must be importable',
    )


class _Worker:
    """One spawned process, its pipe and the task it is on."""

    def __init__(self, objective: Objective, gpu: str | None, gpu_memory: float) -> None:
        self.gpu = gpu
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: Task | None = None
        self._n_out_of_memory = _kernel_out_of_memory_kills()
        self._process = context.Process(target=_serve, args=(theirs, objective, gpu_memory), daemon=True)
        with _worker_surroundings(gpu):
            self._process.start()
        theirs.close()

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def start(self, task: Task) -> None:
        self.task = task
        self._n_out_of_memory = _kernel_out_of_memory_kills()
        with suppress(BrokenPipeError, ConnectionError):  # a dead process is noticed on receive
            self.connection.send(task)

    def receive(self) -> Message:
        assert self.task is not None
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            message = self._death(self.task.trial.number)
        if isinstance(message, Ending):
            self.task = None
        return message

    def _death(self, number: int) -> Failure:
        code = self._process.exitcode or 0
        if code == -signal.SIGKILL and _kernel_out_of_memory_kills() > self._n_out_of_memory:
            return Failure(number=number, reason="out of memory (the kernel killed its process)", lost=True)
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            name = signal.Signals(-code).name
            return Failure(
                number=number,
                reason=f"its process was killed ({name}), by somebody or for want of memory",
                lost=True,
                blameless=True,
            )
        by = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return Failure(number=number, reason=f"its process died ({by})", lost=True)

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def _kernel_out_of_memory_kills() -> int:
    """How many processes Linux has killed for want of memory since it started; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


@contextmanager
def _worker_surroundings(gpu: str | None) -> Iterator[None]:
    """What a process started in this block inherits: one thread for every library, its GPU, and deafness to Ctrl-C."""
    changes = ONE_THREAD if gpu is None else ONE_THREAD | {"CUDA_VISIBLE_DEVICES": gpu}
    before = {name: os.environ.get(name) for name in changes}
    is_main = threading.current_thread() is threading.main_thread()  # only there can a signal's handler be changed
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    os.environ.update(changes)
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


def _serve(connection: Connection, objective: Objective, gpu_memory: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_the_driver, daemon=True).start()
    import torch  # here, so that the driver's own process need not load it

    torch.set_num_threads(1)
    if gpu_memory < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(gpu_memory)  # what asks for more fails, and not its neighbour
    with suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv()
            for message in run_task(objective, task):
                connection.send(message)


def _leave_with_the_driver() -> None:
    """End this process once the driver's is gone: a resumed study starts the trial again, and two must not write."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)

"""What runs on the nodes of a Ray cluster: an actor that runs one trial at a time, an epoch for each call."""

import dataclasses
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from trialwise.integrations.trial_archives import TrialArchives
from trialwise.tuning.tasks import Failure, Message, Score, Task, reason_of, run_task
from trialwise.tuning.validation_rows import rows_file

PACKAGES = ("trialwise", "torch", "numpy")  # different ones would give different numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shipment:
    """What every worker needs besides the objective.

    Attributes:
        n_threads: The threads of one trial.
        modules: The user's own modules: their text by their path below the folder they are imported from.
        archives: Where trials' folders are kept; None where the run folder is seen by all nodes.
        run_folder: Where that is.
    """

    n_threads: int
    modules: Mapping[str, bytes]
    archives: TrialArchives | None
    run_folder: Path


class Worker:
    """Runs trials; made a Ray actor by `ray_workers`."""

    def __init__(self, objective: list[Any], shipment: Shipment) -> None:
        """Load the objective.

        Args:
            objective: Ray's reference to it, pickled by Ray's own pickle, in a list so that Ray leaves it alone.
            shipment: All else.
        """
        os.dup2(2, 1)  # what trials print must not end up among the driver's data
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(shipment.n_threads)
        import ray
        import torch

        torch.set_num_threads(shipment.n_threads)
        self._scratch = Path(tempfile.mkdtemp(prefix="trialwise-"))
        self._shipment = shipment
        self._running: Generator[tuple[Message, bytes | None]] | None = None
        modules = self._scratch / "modules"
        for name, text in shipment.modules.items():
            path = modules / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        sys.path.insert(0, str(modules))
        self._objective = ray.cloudpickle.loads(ray.get(objective[0]))

    def about(self) -> dict[str, Any]:
        """Where this worker runs and with what."""
        return {
            "node": socket.gethostname(),
            "versions": package_versions(),
            "sees_run_folder": (self._shipment.run_folder / "run.json").exists(),
        }

    def begin(self, task: Task) -> tuple[Message, bytes | None]:
        """Start the task; its first message, and the file of its validation rows where that is not seen elsewhere."""
        if self._running is not None:
            self._running.close()
        self._running = self._messages(task)
        return next(self._running)

    def go_on(self) -> tuple[Message, bytes | None]:
        """The task's next message, and the same."""
        assert self._running is not None
        return next(self._running)

    def _messages(self, task: Task) -> Generator[tuple[Message, bytes | None]]:
        archives, trial = self._shipment.archives, task.trial
        if archives is None or trial.folder is None:
            yield from ((message, None) for message in run_task(self._objective, task))
            return
        name = str(trial.folder.relative_to(self._shipment.run_folder))
        folder = self._scratch / name
        rows = rows_file(folder)
        try:
            done = archives.bring(folder, name, trial.epochs_done)
            task = dataclasses.replace(task, trial=dataclasses.replace(trial, folder=folder, epochs_done=done))
            for message in run_task(self._objective, task):
                if isinstance(message, Score):
                    archives.save(folder, name, message.epoch)  # before its score is on record
                yield message, rows.read_bytes() if rows.exists() else None
        except Exception as error:  # of the archives: an objective's own errors are messages already
            yield Failure(number=trial.number, reason=f"its checkpoint: {reason_of(error)}", lost=True), None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            rows.unlink(missing_ok=True)


def package_versions() -> dict[str, str]:
    """The versions on which a trial's numbers depend."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}

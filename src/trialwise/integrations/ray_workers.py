"""Trials run on a Ray cluster, an actor for each that runs at once, wherever a node has room."""

import dataclasses
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, RayTaskError

from trialwise.base.errors import UserError, WorkError
from trialwise.base.files import replacing
from trialwise.integrations.ray_cluster import connect, disconnect, own_modules, room_for_trials
from trialwise.integrations.ray_nodes import Shipment, Worker, package_versions
from trialwise.integrations.trial_archives import TrialArchives
from trialwise.tuning.settings import ClusterSettings
from trialwise.tuning.tasks import Done, Ending, Failure, Message, Score, Task
from trialwise.tuning.trials import Objective
from trialwise.tuning.validation_rows import rows_file

FAILED_STARTS = 5  # so many workers in a row that died before they were ready end the study
SILENT_SECONDS = 30.0  # then it is said that the cluster has no room
ELSEWHERE = "elsewhere.txt"  # in the run folder's place of a trial whose checkpoint is in the archives


class RayPool:
    """Runs tasks on a Ray cluster that is there already.

    Each of the `capacity` places is an actor, which is started when it is first needed and then runs one trial after
    the other. An actor that dies with its process or node is replaced as soon as a node has room for another, and its
    trial fails with `lost`, so that the driver may start it again: it goes on from its checkpoint, on any node. A task
    waits where there is no room; the first actor that is free takes it.
    """

    def __init__(
        self,
        objective: Objective,
        cluster: ClusterSettings,
        *,
        run_folder: Path,
        study: str,
        n_workers: int | None = None,
        n_trials: int | None = None,
        code: Path | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Connect to the cluster.

        Args:
            objective: Shipped once.
            cluster: Where it is and what a trial needs.
            run_folder: The study's.
            study: The study's name, unique among those that share its checkpoints' place.
            n_workers: The most trials at once; None for as many as the cluster has room for now.
            n_trials: Of the study; never more at once.
            code: The folder from which the user's own modules are imported.
            say: Told what people should know.

        Raises:
            UserError: The cluster has no node that a trial fits on, or the checkpoints' place cannot be written to.
            WorkError: The cluster cannot be reached.
        """
        self._say = say
        self._archives = TrialArchives(cluster.checkpoints, study) if cluster.checkpoints else None
        if self._archives is not None:
            self._archives.check()
        self._run_folder = run_folder.absolute()
        self._is_ours = connect(cluster)
        try:
            n_workers = n_workers or room_for_trials(cluster)
            self.capacity = min(n_workers, n_trials or n_workers)
            shipment = Shipment(
                n_threads=cluster.cpus_per_trial,
                modules=own_modules(code) if code else {},
                archives=self._archives,
                run_folder=self._run_folder,
            )
            actor = ray.remote(num_cpus=cluster.cpus_per_trial, num_gpus=cluster.gpus_per_trial)(Worker)
            shipped = [ray.put(ray.cloudpickle.dumps(objective))]
            self._new_actor = lambda: actor.remote(shipped, shipment)
        except BaseException:
            self._disconnect()
            raise
        self._places: list[_Place] = []
        self._waiting: deque[Task] = deque()
        self._failed_starts = 0
        self._forget_ended()

    def start(self, task: Task) -> None:
        """Give the task to a free actor, or have it wait for one that is being started."""
        n_running = len(self._waiting) + sum(place.task is not None for place in self._places)
        assert n_running < self.capacity, f"all {self.capacity} places are taken"
        self._forget_ended()
        folder = task.trial.folder.absolute() if task.trial.folder is not None else None
        if self._archives is not None and folder is not None and not folder.exists():
            folder.mkdir(parents=True)
            (folder / ELSEWHERE).write_text(f"{self._archives.place}\n", encoding="utf-8")
        task = dataclasses.replace(task, trial=dataclasses.replace(task.trial, folder=folder))
        self._waiting.append(task)
        self._assign()

    def receive(self, timeout_seconds: float | None = None) -> Message | None:
        """The next message of any actor."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        silent_since, said = time.monotonic(), False
        while self._waiting or any(place.task for place in self._places):
            self._assign()
            left = SILENT_SECONDS if until is None else max(0.0, min(SILENT_SECONDS, until - time.monotonic()))
            pending = {place.pending: place for place in self._places if place.pending is not None}
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=left)
            if ready:
                place = pending[ready[0]]
                self._places.remove(place)
                self._places.append(place)  # the others are asked first the next time
                message = self._heard(place)
                if message is not None:
                    return message
            elif until is not None and time.monotonic() >= until:
                return None
            if not said and self._waiting and time.monotonic() - silent_since > SILENT_SECONDS:
                self._say(f"{len(self._waiting)} trials wait: no node of the cluster has room for them now")
                said = True
        return None

    def stop(self, number: int) -> None:
        """Kill the trial's actor; another is started when it is needed."""
        self._waiting = deque(task for task in self._waiting if task.trial.number != number)
        for place in [place for place in self._places if place.task and place.task.trial.number == number]:
            self._drop(place)
        self._assign()

    def close(self) -> None:
        """Kill all actors and leave the cluster."""
        with suppress(Exception):  # a cluster that is gone must not hide why the study ended
            self._forget_ended()
        self._waiting.clear()
        for place in list(self._places):
            self._drop(place)
        self._disconnect()

    def _heard(self, place: "_Place") -> Message | None:
        """The message that a place has for us; None where it only says that it is ready."""
        task = place.task
        try:
            answer = ray.get(place.pending)
        except RayError as error:
            self._drop(place)
            if task is None:
                self._failed_start(error)
                self._assign()
                return None
            return _loss(task.trial.number, error)
        place.pending = None
        if task is None:
            self._check(answer)
            self._failed_starts = 0
            place.is_ready = True
            self._assign()
            return None
        message, rows = answer
        if not isinstance(message, Ending):
            place.pending = place.actor.go_on.remote()
            if isinstance(message, Score):
                place.epoch = message.epoch
                self._keep(task, message, rows)
        else:
            place.task = None
            if self._archives is not None and isinstance(message, Done) and place.epoch >= task.trial.max_epochs:
                self._archives.forget(self._name(task))
            self._assign()
        return message

    def _keep(self, task: Task, score: Score, rows: bytes | None) -> None:
        """Put what is needed here into the run folder, before the score is on record."""
        folder = task.trial.folder
        if folder is None or self._archives is None:
            return
        if rows is not None:
            rows_file(folder).parent.mkdir(exist_ok=True)
            with replacing(rows_file(folder)) as new:
                new.write_bytes(rows)
        if score.epoch >= task.trial.max_epochs:
            self._archives.bring(folder, self._name(task), score.epoch)

    def _name(self, task: Task) -> str:
        assert task.trial.folder is not None
        return str(task.trial.folder.relative_to(self._run_folder))

    def _assign(self) -> None:
        """Give waiting tasks to free actors, and start as many actors as still lack."""
        for place in self._places:
            if place.is_ready and place.task is None and self._waiting:
                place.task = self._waiting.popleft()
                place.epoch = place.task.trial.epochs_done
                place.pending = place.actor.begin.remote(place.task)
        n_starting = sum(not place.is_ready for place in self._places)
        for _ in range(min(len(self._waiting) - n_starting, self.capacity - len(self._places))):
            actor: Any = self._new_actor()
            self._places.append(_Place(actor, actor.about.remote()))

    def _drop(self, place: "_Place") -> None:
        self._places.remove(place)
        with suppress(Exception):  # it is dead already
            ray.kill(place.actor)

    def _check(self, about: dict[str, Any]) -> None:
        here = package_versions()
        other = [
            f"{name} {about['versions'][name]} (here {here[name]})"
            for name in here
            if about["versions"][name] != here[name]
        ]
        if other:
            raise UserError(
                f"the node {about['node']} has {', '.join(other)}: its scores would not be comparable",
                hint="install the same packages on all nodes",
            )
        if self._archives is None and not about["sees_run_folder"]:
            raise UserError(
                f"the node {about['node']} does not see {self._run_folder}",
                hint="--checkpoints PATH_OR_URL that all nodes see, or --out on a folder that they share",
            )

    def _failed_start(self, error: RayError) -> None:
        self._failed_starts += 1
        if self._failed_starts < FAILED_STARTS and not getattr(error, "actor_init_failed", False):
            return
        said = str(error).strip().splitlines()
        raise WorkError(
            f"no worker can be started on the Ray cluster: {said[-1] if said else type(error).__name__}",
            hint="trialwise and what the objective needs must be installed on all nodes, in the same versions",
        )

    def _forget_ended(self) -> None:
        """Drop the archives of the trials whose place in the run folder the driver has deleted."""
        if self._archives is None:
            return
        for name in self._archives.names():
            if not (self._run_folder / name).exists():
                self._archives.forget(name)

    def _disconnect(self) -> None:
        if self._is_ours:
            disconnect()


class _Place:
    """An actor, what it was last asked, the task it is on, and the last epoch of which it told."""

    def __init__(self, actor: Any, pending: Any) -> None:
        self.actor = actor
        self.pending = pending
        self.is_ready = False
        self.task: Task | None = None
        self.epoch = 0


def _loss(number: int, error: RayError) -> Failure:
    """The failure of a trial whose actor is gone."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, OutOfMemoryError) or "running low on memory" in str(error):
        return Failure(number=number, reason="out of memory (Ray ended its worker)", lost=True)
    if isinstance(error, RayTaskError):  # not the objective's: those are messages
        return Failure(number=number, reason=lines[-1], traceback=str(error))
    why = lines[-1] if isinstance(error, ActorDiedError) and lines else type(error).__name__
    return Failure(number=number, reason=f"its worker or node is gone ({why})", lost=True, blameless=True)

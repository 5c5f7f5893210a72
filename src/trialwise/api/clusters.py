"""Studies on a cluster: its pool, and the address of another one."""

import dataclasses
import importlib.util
import os
import secrets
from pathlib import Path

from trialwise.api.runs import Note, Watch
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.base.settings import fill
from trialwise.tuning.settings import ClusterSettings, SearchSettings
from trialwise.tuning.tasks import Pool
from trialwise.tuning.trials import Objective

NO_CLUSTER = "none"  # as the address: go on here


def checked_cluster(cluster: ClusterSettings) -> None:
    """See that what a cluster needs is installed.

    Raises:
        UserError: It is not.
    """
    if cluster.ray is not None and importlib.util.find_spec("ray") is None:
        raise UserError("--ray needs Ray, which is not installed", hint="pip install 'trialwise[ray]'")


def absolute_checkpoints(cluster: ClusterSettings) -> ClusterSettings:
    """The same with the whole path of the checkpoints' folder: each process of a cluster has its own current folder."""
    if cluster.checkpoints is None or "://" in cluster.checkpoints:
        return cluster
    return dataclasses.replace(cluster, checkpoints=str(Path(cluster.checkpoints).expanduser().absolute()))


def ray_pool(run: RunFolder, search: SearchSettings, objective: Objective, code: Path | None, watch: Watch) -> Pool:
    """The pool of the run's study on its Ray cluster.

    Raises:
        UserError: The cluster has no node that a trial fits on, or something is not set up as it must be.
        WorkError: The cluster cannot be reached.
    """
    checked_cluster(search.cluster)
    os.environ.setdefault("RAY_SCHEDULER_EVENTS", "0")  # Ray reads it when it is loaded, and would print them on stdout
    from trialwise.integrations.ray_workers import RayPool  # here: Ray takes a second to load

    if "cluster_name" not in run.record:
        run.record["cluster_name"] = f"{run.path.name}-{secrets.token_hex(4)}"
        run.save()
    return RayPool(
        objective,
        search.cluster,
        run_folder=run.path,
        study=run.record["cluster_name"],
        n_workers=search.workers,
        n_trials=search.trials,
        code=code,
        say=lambda text: watch(Note(text=text)),
    )


def move_cluster(run: RunFolder, address: str | None) -> None:
    """Let the run's study go on at another address from now on; "none" for this machine's own processes.

    Raises:
        UserError: Its checkpoints are where only a cluster sees them.
    """
    if address is None:
        return
    search = fill(SearchSettings, run.settings["search"])
    if address == NO_CLUSTER:
        if search.cluster.checkpoints is not None:
            raise UserError(
                f"--ray none: the checkpoints of {run.label} are in {search.cluster.checkpoints}",
                hint="ray start --head, and --ray auto, make this machine a cluster of its own",
            )
        cluster = ClusterSettings()
    else:
        cluster = dataclasses.replace(search.cluster, ray=address)
    run.record["settings"] = run.settings | {
        "search": run.settings["search"] | {"cluster": dataclasses.asdict(cluster)}
    }

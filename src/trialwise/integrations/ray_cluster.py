"""A Ray cluster that is there already: connected to, measured, and what of the user's code is sent to it."""

import logging
import socket
import sys
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import ray

from trialwise.base.errors import UserError, WorkError
from trialwise.tuning.settings import ClusterSettings

CONNECT_SECONDS = 10.0


def connect(cluster: ClusterSettings) -> bool:
    """Connect to the cluster; whether that was needed, because no one in this process had done it before."""
    assert cluster.ray is not None
    if ray.is_initialized():
        return False
    _check_address(cluster.ray)
    try:
        with redirect_stdout(sys.stderr):
            _all_logs_to_stderr()
            ray.init(address=cluster.ray, logging_level=logging.ERROR, log_to_driver=True)
    except (Exception, SystemExit) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise WorkError(
            f"--ray {cluster.ray}: no Ray cluster can be reached: {said[0]}",
            hint="on its first machine: ray start --head; the same versions of Ray and Python everywhere",
        ) from None
    return True


def disconnect() -> None:
    """Leave the cluster; what Ray still has to say of its nodes goes to stderr."""
    with redirect_stdout(sys.stderr):
        ray.shutdown()


@cache
def _all_logs_to_stderr() -> None:
    """Keep what Ray prints of its nodes ("marked dead") off stdout, where the data goes; it has no setting for that."""
    with suppress(ImportError, AttributeError):
        from ray._private import worker

        as_ray_prints = worker.print_to_stdstream
        worker.print_to_stdstream = lambda data, ignore_prefix: as_ray_prints({**data, "is_err": True}, ignore_prefix)


def _check_address(address: str) -> None:
    """See that somebody listens there: Ray itself would try for minutes, or end the process."""
    if "local" in (address, address.partition("://")[0]):
        raise UserError("--ray local: expected the address of a cluster that runs", hint="ray start --head; --ray auto")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        if address == "auto":
            return
        raise UserError(f"--ray {address}: expected auto, HOST:6379 or ray://HOST:10001")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise WorkError(
            f"--ray {address}: nobody answers: {error}", hint="is the cluster running, and the address right?"
        ) from None


def room_for_trials(cluster: ClusterSettings) -> int:
    """How many trials the nodes that are there now can run at once."""
    needs = {"CPU": float(cluster.cpus_per_trial), "GPU": cluster.gpus_per_trial}
    needs = {name: need for name, need in needs.items() if need}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(int(min(node.get(name, 0.0) / need for name, need in needs.items()) + 1e-9) for node in nodes)
    if not room:
        needed = " and ".join(f"{need:g} {name}s" for name, need in needs.items())
        raise UserError(
            f"no node of the Ray cluster has {needed} for a trial",
            hint="smaller --cpus-per-trial or --gpus-per-trial; or --workers N, where nodes are still to come",
        )
    return room


def own_modules(code: Path) -> dict[str, bytes]:
    """The modules that this process has imported from below `code`, by their path below it; no installed packages."""
    found: dict[str, bytes] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is None or name.partition(".")[0] == "trialwise":
            continue
        path = Path(file).absolute()
        is_installed = "site-packages" in path.parts or path.is_relative_to(sys.prefix)
        is_own = path.suffix == ".py" and path.is_relative_to(code.absolute()) and not is_installed
        if is_own and path.is_file():  # some modules of torch claim a file that is not there
            found[str(path.relative_to(code.absolute()))] = path.read_bytes()
    return found

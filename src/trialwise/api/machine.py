"""Look at the machine, as the other verbs see it: what works here, what is slow, what is missing."""

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trialwise.base.files import cache_folder, runs_folder
from trialwise.base.runs import versions

ROOM_BYTES = 1_000_000_000  # CIFAR-10, decoded and packed, and some run folders beside it
SLOW_WRITE_SECONDS = 0.1  # of a file that is safe on the disk; a checkpoint an epoch is one

# What each extra brings, by the package that shows whether it is there.
EXTRAS = {
    "onnx": ("onnxruntime", "image export --onnx"),
    "parquet": ("pyarrow", "images in Parquet files, study export --to FILE.parquet"),
    "postgres": ("psycopg", "--storage postgresql://..."),
    "dashboard": ("optuna_dashboard", "study dashboard"),
    "mlflow": ("mlflow", "log --mlflow URI"),
    "tensorboard": ("tensorboard", "log --tensorboard FOLDER"),
    "ray": ("ray", "--ray ADDRESS"),
    "notebook": ("jupytext", "make notebook"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        ok: Whether work can be done with it as it is.
        found: What was found, in a line.
        hint: What to do about it; empty where there is nothing to do.
    """

    name: str
    ok: bool
    found: str
    hint: str = ""


def doctor() -> dict[str, Any]:
    """Look at versions, device, threads, number format, folders, storage and extras.

    Returns:
        "ok" (whether nothing stands in the way of work), "checks" (each with "name", "ok", "found", "hint"),
        "versions" and "verdict". A check that raises is a check that failed.
    """
    looks: list[tuple[str, Callable[[], Check]]] = [
        ("packages", _packages),
        ("device", _device),
        ("cores", _cores),
        ("number format", _number_format),
        ("runs folder", lambda: _folder("runs folder", runs_folder(), "TRIALWISE_RUNS_DIR")),
        ("cache folder", lambda: _folder("cache folder", cache_folder(), "TRIALWISE_CACHE_DIR")),
        ("storage", _storage),
        *((f"extra {extra}", lambda extra=extra: _extra(extra)) for extra in EXTRAS),
    ]
    checks = [_looked(name, look) for name, look in looks]
    failed = [check.name for check in checks if not check.ok]
    verdict = f"Something is wrong with: {', '.join(failed)}." if failed else "Nothing here stands in the way of work."
    return {
        "schema": "trialwise.doctor/1",
        "ok": not failed,
        "verdict": verdict,
        "checks": [dataclasses.asdict(check) for check in checks],
        "versions": versions(),
    }


def _looked(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except Exception as error:  # the doctor must not fall ill of what it finds
        return Check(name=name, ok=False, found=f"{type(error).__name__}: {error}")


def _packages() -> Check:
    found = versions()
    named = ", ".join(f"{name} {found[name]}" for name in ("trialwise", "python", "torch", "optuna") if name in found)
    return Check(name="packages", ok="torch" in found and "optuna" in found, found=named)


def _device() -> Check:
    import torch  # here and below: torch takes a second to load

    from trialwise.training.device import pick_device

    device = pick_device()
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return Check(name="device", ok=True, found=f"{torch.cuda.get_device_name(device)}, {total / 2**30:.0f} GiB")
    if torch.version.cuda and Path("/proc/driver/nvidia").exists():
        hint = "PyTorch was built for another driver; its Get Started page names the build that fits"
        return Check(name="device", ok=False, found="there is an NVIDIA driver, but PyTorch sees no GPU", hint=hint)
    return Check(name="device", ok=True, found=device.type)


def _cores() -> Check:
    from trialwise.training.device import free_cores, usable_cores

    usable, free = usable_cores(), free_cores(0.5)
    hint = ""
    if free < usable:
        hint = "others are busy: PyTorch on more threads than are free waits for itself, so fewer are used"
    threads = os.environ.get("OMP_NUM_THREADS")
    asked = f"; OMP_NUM_THREADS is {threads}" if threads else ""
    found = f"{free} of {usable} usable cores are free: as many threads, or workers, would be used{asked}"
    return Check(name="cores", ok=True, found=found, hint=hint)


def _number_format() -> Check:
    """The verdict that runs go by, and whether the self-test, made anew, comes to another one."""
    from trialwise.training.device import number_format, pick_device, tested_number_format, verdicts_file

    device = pick_device()
    kept, now = number_format(device), tested_number_format(device)
    if kept.dtype == now.dtype:
        return Check(name="number format", ok=True, found=now.reason)
    hint = f"runs go by an earlier test ({kept.reason}); delete {verdicts_file()} to have it made again"
    return Check(name="number format", ok=True, found=now.reason, hint=hint)


def _folder(name: str, folder: Path, variable: str) -> Check:
    """Whether the folder, or the one that it would be made in, takes files, how fast, and how many more."""
    nearest = _nearest(folder)
    hint = f"name another folder in {variable}"
    try:
        with tempfile.TemporaryDirectory(dir=nearest) as inside:
            seconds = _write_seconds(Path(inside) / "checkpoint")
    except OSError as error:
        return Check(name=name, ok=False, found=f"{folder} cannot be written: {error.strerror or error}", hint=hint)
    free = shutil.disk_usage(nearest).free
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    found = (
        f"{folder}, {free / 1e9:,.0f} GB free, {used / 1e9:,.1f} GB used, "
        f"a checkpoint is safe there in {1000 * seconds:.0f} ms"
    )
    if free < ROOM_BYTES:
        return Check(name=name, ok=False, found=found, hint=f"less than 1 GB is left; {hint}")
    return Check(name=name, ok=True, found=found, hint=hint if seconds > SLOW_WRITE_SECONDS else "")


def _nearest(folder: Path) -> Path:
    """The folder itself, or the one above it that is there."""
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())


def _storage() -> Check:
    """Whether a study can be kept in the runs folder: locked, written, and read again."""
    from trialwise.tuning.studies import Study, exclusive

    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=_nearest(runs_folder())) as name, exclusive(Path(name)):
        Study(Path(name), "minimize").enqueue({"x": 0.5})
        n_trials = len(Study(Path(name)).optuna.trials)
    seconds = time.perf_counter() - start
    found = f"a study's journal is locked, written and read again in the runs folder in {1000 * seconds:.0f} ms"
    hint = "" if n_trials == 1 else "what was written cannot be read; name another folder in TRIALWISE_RUNS_DIR"
    return Check(name="storage", ok=n_trials == 1, found=found, hint=hint)


def _write_seconds(path: Path) -> float:
    """How long a file of 1 MB takes until it is safe on the disk."""
    start = time.perf_counter()
    with path.open("wb") as file:
        file.write(bytes(1_000_000))
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - start


def _extra(extra: str) -> Check:
    package, use = EXTRAS[extra]
    if find_spec(package) is None:
        return Check(
            name=f"extra {extra}", ok=True, found="not installed", hint=f"{use}: pip install trialwise[{extra}]"
        )
    return Check(name=f"extra {extra}", ok=True, found=f"{package} {_version(package)}: {use}")


def _version(package: str) -> str:
    name = package.replace("_", "-")
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # mlflow comes from mlflow-skinny alone
        return metadata.version(f"{name}-skinny")

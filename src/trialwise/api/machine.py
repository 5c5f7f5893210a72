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
    """Look at versions, device, threads, number format, folders and extras.

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
    return Check(name="cores", ok=True, found=f"{free} of {usable} usable cores are free{asked}", hint=hint)


def _number_format() -> Check:
    from trialwise.training.device import number_format, pick_device

    return Check(name="number format", ok=True, found=number_format(pick_device()).reason)


def _folder(name: str, folder: Path, variable: str) -> Check:
    """Whether the folder, or the one that it would be made in, takes files, how fast, and how many more."""
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    hint = f"name another folder in {variable}"
    try:
        with tempfile.TemporaryDirectory(dir=nearest) as inside:
            seconds = _write_seconds(Path(inside) / "checkpoint")
    except OSError as error:
        return Check(name=name, ok=False, found=f"{folder} cannot be written: {error.strerror or error}", hint=hint)
    free = shutil.disk_usage(nearest).free
    found = f"{folder}, {free / 1e9:,.0f} GB free, a checkpoint is safe there in {1000 * seconds:.0f} ms"
    if free < ROOM_BYTES:
        return Check(name=name, ok=False, found=found, hint=f"less than 1 GB is left; {hint}")
    return Check(name=name, ok=True, found=found, hint=hint if seconds > SLOW_WRITE_SECONDS else "")


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
    return Check(
        name=f"extra {extra}", ok=True, found=f"{package} {metadata.version(package.replace('_', '-'))}: {use}"
    )

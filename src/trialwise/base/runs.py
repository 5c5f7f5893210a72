"""The run folder: everything one command found, in one place, readable without trialwise."""

import datetime
import multiprocessing
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import append_json_line, read_json, read_json_lines, runs_folder, write_json
from trialwise.base.passwords import without_passwords
from trialwise.base.provenance import commits, machine

SCHEMA = "trialwise.run/1"


class RunFolder:
    """A folder with `run.json` (what was asked, with which versions, how it ended) and the results beside it.

    Made by `RunFolder.create`, opened again by `RunFolder.open`. `record` is the content of `run.json`, `path` is
    absolute (the work may change the current folder), `label` is what people call the folder.
    """

    def __init__(self, path: Path, record: dict[str, Any]) -> None:
        self.label = str(path)
        self.path = path.absolute()
        self.record = record

    @classmethod
    def create(cls, kind: str, settings: dict[str, Any], *, seed: int, out: Path | None = None) -> "RunFolder":
        """Make the folder and its `run.json`; call it when the input is known to be good.

        Args:
            kind: What was done, e.g. "optimize", "image-train": how a reader knows what lies inside.
            settings: The full resolved settings, defaults included, as plain JSON values.
            seed: The one seed of the run.
            out: The folder to make; by default `KIND-DATE-TIME` in the runs folder.

        Raises:
            UserError: `out` is a file, or a folder that already holds something; or this process is a worker that
                still imports the script which started it, so the script's call is not guarded.
        """
        _check_guarded()
        check_out(out)
        path = out if out is not None else fresh_folder(kind)
        path.mkdir(parents=True, exist_ok=True)
        record = {
            "schema": SCHEMA,
            "kind": kind,
            "status": "running",
            "started": _now(),
            "ended": None,
            "seed": seed,
            "settings": settings,
            "command": _command(),
            "versions": versions(),
            "commits": commits(),
            "machine": machine(),
            "result": {},
        }
        run = cls(path, record)
        run.save()
        return run

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """The run folder at `path`, or the one of that name in the runs folder.

        Raises:
            UserError: There is no such folder, or it is not a run folder.
        """
        found = Path(path)
        if not found.exists() and (runs_folder() / str(path)).is_dir():
            found = runs_folder() / str(path)
        if not found.is_dir():
            raise UserError(
                f"no such run folder: {path}",
                hint=f"a run folder is what a command leaves, by default in {runs_folder()}/",
            )
        file = found / "run.json"
        if not file.exists():
            raise UserError(
                f"{path} is not a run folder: it has no run.json",
                hint="give the folder that a trialwise command named as its run",
            )
        record = read_json(file)
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            raise UserError(f"{file}: expected a run record of schema {SCHEMA!r}, got something else")
        wanted = {"kind": str, "status": str, "seed": int, "settings": dict, "result": dict, "versions": dict}
        damaged = [name for name, type_ in wanted.items() if not isinstance(record.get(name), type_)]
        if damaged:
            raise UserError(f"{file} is damaged: {', '.join(damaged)} is missing or wrong")
        return cls(found, record)

    @property
    def kind(self) -> str:
        """What was done here, e.g. "image-train"."""
        return self.record["kind"]

    @property
    def settings(self) -> dict[str, Any]:
        """The full resolved settings of the run."""
        return self.record["settings"]

    @property
    def seed(self) -> int:
        """The one seed of the run."""
        return self.record["seed"]

    @property
    def result(self) -> dict[str, Any]:
        """What was found, as printed by the command's `--json`."""
        return self.record["result"]

    @property
    def has_result(self) -> bool:
        """Whether the result is of all that was done: not of a run that went on after it and has not ended."""
        return "verdict" in self.result and self.record["status"] != "running"

    def save(self) -> None:
        """Write `run.json`, whole or not at all."""
        write_json(self.path / "run.json", self.record)

    def finish(self, result: dict[str, Any], *, status: str = "complete") -> None:
        """Record how the run ended: "complete", "interrupted" or "failed", and what was found."""
        self.record |= {"status": status, "ended": _now(), "result": result}
        self.save()

    def reopen(self) -> None:
        """Record that the run goes on."""
        self.record |= {"status": "running", "ended": None}
        self.save()

    def add_metrics(self, record: dict[str, Any]) -> None:
        """Add one record, e.g. an epoch's scores, to `metrics.jsonl`."""
        append_json_line(self.path / "metrics.jsonl", record)

    def metrics(self) -> list[dict[str, Any]]:
        """The records of `metrics.jsonl`, oldest first."""
        return read_json_lines(self.path / "metrics.jsonl")


def _check_guarded() -> None:
    """Refuse to begin what the parent process began: a spawned worker imports its script from the first line."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UserError(
            "a worker process imports the script that started it, and the script begins the same work again",
            hint='put the call under if __name__ == "__main__":',
        )


def check_out(path: Path | None) -> None:
    """Refuse an output folder that is a file, holds something already or cannot be written.

    Raises:
        UserError: With a hint which name would do.
    """
    if path is None:
        return
    if path.is_file():
        raise UserError(f"--out {path}: expected a folder, got a file")
    if path.is_dir() and any(path.iterdir()):
        raise UserError(
            f"--out {path}: the folder already holds something",
            hint="name a new folder, so that no earlier result is overwritten",
        )
    if len(path.name.encode(errors="replace")) > 255:
        raise UserError(f"--out {path.name[:40]}...: the name is too long")
    existing = next(parent for parent in [path, *path.absolute().parents] if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"--out {path}: {existing} is not a folder that can be written to")


def versions() -> dict[str, str]:
    """The versions a result depends on: Python, the platform and the main packages."""
    names = ["trialwise", "torch", "optuna", "numpy", "scipy", "scikit-learn"]
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _command() -> list[str] | None:
    """How this process was called, without passwords; None where it is not our command."""
    if not Path(sys.argv[0]).name.startswith("trialwise"):
        return None
    return ["trialwise", *map(without_passwords, sys.argv[1:])]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def fresh_folder(kind: str) -> Path:
    """A new folder `KIND-DATE-TIME` in the runs folder, of this caller alone, however many ask in one second."""
    folder = runs_folder()
    stamp = datetime.datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        path = folder / (f"{kind}-{stamp}" + (f"-{number}" if number > 1 else ""))
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path

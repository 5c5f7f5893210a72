"""Tell experiment trackers of runs: MLflow and TensorBoard, from run folders alone."""

import datetime
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.studies import KINDS, show_study
from trialwise.api.study_places import seen_study
from trialwise.base.errors import UserError
from trialwise.base.passwords import without_passwords
from trialwise.base.runs import RunFolder
from trialwise.integrations.mlflow_log import check_mlflow, log_to_mlflow
from trialwise.integrations.tensorboard_log import check_tensorboard, log_to_tensorboard
from trialwise.integrations.tracked import Tracked
from trialwise.tuning.study_comparison import flat_values

# The files of a run folder that a tracker keeps, by the folder it files them under.
FILES = {
    "": ("report.html", "best.toml", "run.json", "README.md"),
    "figures": ("figures/*.svg", "explain/*.svg", "explain/*.png"),
    "model": ("model.json", "model.safetensors"),
}
MAY_CHANGE = ("search.trials", "search.storage", "search.cluster")  # when a study is resumed
WORDS = (str, int, float, bool)


def log(
    run: RunFolder | Path | str,
    *,
    mlflow: str | None = None,
    tensorboard: Path | None = None,
    experiment: str = "trialwise",
) -> dict[str, Any]:
    """Add a run to MLflow, to TensorBoard's folder, or both; called again, only what is new is added.

    Args:
        run: A run folder, or its name in the runs folder. A study's trials become runs of their own below it.
        mlflow: `sqlite:///FILE`, another database, or the address of a tracking server.
        tensorboard: The folder that `tensorboard --logdir` is given.
        experiment: The MLflow experiment; made where there is none.

    Returns:
        "mlflow" and "tensorboard": where it went, and how much was new; None where not asked for.

    Raises:
        UserError: It is no run folder, neither place was named, or the extra is not installed.
        WorkError: MLflow cannot be reached.
    """
    if mlflow is None and tensorboard is None:
        raise UserError("log: expected a place", hint="--mlflow sqlite:///mlflow.db, or --tensorboard FOLDER")
    if tensorboard is not None and tensorboard.exists() and not tensorboard.is_dir():
        raise UserError(f"--tensorboard {tensorboard}: expected a folder, got a file")
    if tensorboard is not None:
        check_tensorboard()
    if mlflow is not None:
        check_mlflow(mlflow)
    opened = run if isinstance(run, RunFolder) else RunFolder.open(run)
    told = _study(opened) if opened.kind in KINDS else _single(opened)
    document: dict[str, Any] = {"schema": "trialwise.log/1", "run": opened.label, "mlflow": None, "tensorboard": None}
    document["n_trials"] = len(told.trials)
    if tensorboard is not None:
        document["tensorboard"] = log_to_tensorboard(told, tensorboard)
    if mlflow is not None:
        found = log_to_mlflow(told, mlflow, experiment=experiment)
        document["mlflow"] = {"uri": without_passwords(mlflow), "experiment": experiment} | found
    return document


def _single(run: RunFolder) -> Tracked:
    """A run without trials: its curves by epoch, and every number of its result as `final.NAME`."""
    rows = [flat_values(row) for row in run.metrics()]
    curves: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, value in _numbers(row).items():
            if name != "epoch" and "epoch" in row:
                curves.setdefault(name, {})[row["epoch"]] = value
    result = {name: value for name, value in run.result.items() if name not in ("seed", "architecture", "data")}
    values = {f"final.{name}": value for name, value in _numbers(flat_values(result)).items()}
    return Tracked(
        key=_key(run),
        name=run.path.name,
        state=run.record["status"],
        started=_seconds(run.record["started"]),
        ended=_seconds(run.record["ended"]) if run.record["ended"] else None,
        params=_params(run),
        values=values | _test_values(run),
        curves=curves,
        tags=_tags(run),
        files=_files(run),
    )


def _study(run: RunFolder) -> Tracked:
    """A study: its settings, the best value so far after each trial, the winner, and every trial."""
    shown = show_study(run)
    with seen_study(run) as study:
        minimize = study.direction == "minimize"
        times = {t.number: (t.datetime_start, t.datetime_complete) for t in study.optuna.get_trials(deepcopy=False)}
    trials = tuple(_trial(run, trial, *times[trial["number"]]) for trial in shown["trials"])
    best_so_far: dict[int, float] = {}
    best: float | None = None
    for trial in shown["trials"]:
        value = trial["value"] if trial["state"] == "complete" else None
        if value is not None and (best is None or (value < best if minimize else value > best)):
            best = value
        if best is not None:
            best_so_far[trial["number"]] = best
    tags = {"direction": "minimize" if minimize else "maximize"}
    tags |= {f"trialwise.n_{state}": str(n) for state, n in shown["counts"].items()}
    values = _test_values(run)
    if shown["best"]:
        winner = shown["best"]
        tags |= {"trialwise.best_key": f"{_key(run)}-{winner['number']}", "trialwise.best_trial": str(winner["number"])}
        tags |= {f"best.{name}": str(value) for name, value in winner["params"].items()}
        values["value_of_winner"] = winner["value"]
    return Tracked(
        key=_key(run),
        name=run.path.name,
        state=shown["status"],
        started=_seconds(run.record["started"]),
        ended=_seconds(run.record["ended"]) if run.record["ended"] else None,
        params=_params(run),
        values=values,
        curves={"best_value": best_so_far},
        tags=_tags(run) | tags,
        files=_files(run),
        trials=trials,
    )


def _trial(
    run: RunFolder, trial: Mapping[str, Any], began: datetime.datetime | None, ended: datetime.datetime | None
) -> Tracked:
    started = began.timestamp() if began else _seconds(run.record["started"])
    reason = trial["notes"].get("reason")
    return Tracked(
        key=f"{_key(run)}-{trial['number']}",
        name=f"trial-{trial['number']:04}",
        state=trial["state"],
        started=started,
        ended=ended.timestamp() if ended else None,
        params={name: value if isinstance(value, WORDS) else str(value) for name, value in trial["params"].items()},
        values={} if trial["value"] is None else _numbers({"value": trial["value"]}),
        curves={"score": _numbers(trial["scores"])} if trial["scores"] else {},
        tags={"trialwise.trial": str(trial["number"])} | ({"trialwise.reason": str(reason)} if reason else {}),
    )


def _key(run: RunFolder) -> str:
    """What tells this run from others, wherever its folder is moved; the folder's own name is part of it."""
    facts = f"{run.kind}|{run.path.name}|{run.record['started']}|{run.seed}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _params(run: RunFolder) -> dict[str, str | float | int | bool]:
    flat = {"kind": run.kind, "seed": run.seed} | flat_values(run.settings)
    chosen = {name: value for name, value in flat.items() if value is not None and not name.startswith(MAY_CHANGE)}
    return {
        name: value if isinstance(value, int | float | bool) else without_passwords(str(value))
        for name, value in chosen.items()
    }


def _tags(run: RunFolder) -> dict[str, str]:
    verdict = run.result.get("verdict") or run.result.get("error") or ""
    tags = {"trialwise.run": str(run.path), "mlflow.note.content": str(verdict)}
    command = run.record.get("command")
    tags |= {"trialwise.command": " ".join(command)} if command else {}
    return tags | {f"trialwise.version.{name}": version for name, version in run.record["versions"].items()}


def _test_values(run: RunFolder) -> dict[str, float]:
    """What `image evaluate` found, with its 95 % interval; nothing before the test rows were read."""
    test = (run.record.get("evaluation") or {}).get("test")
    if not test:
        return {}
    low, high = test["ci95"]
    return {"test.accuracy": test["accuracy"], "test.accuracy_low": low, "test.accuracy_high": high}


def _files(run: RunFolder) -> dict[str, tuple[Path, ...]]:
    found = {folder: [p for name in names for p in sorted(run.path.glob(name))] for folder, names in FILES.items()}
    return {folder: tuple(paths) for folder, paths in found.items() if paths}


def _numbers(values: Mapping[Any, Any]) -> dict[Any, float]:
    """Those of the values that are finite numbers."""
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _seconds(stamp: str) -> float:
    return datetime.datetime.fromisoformat(stamp).timestamp()

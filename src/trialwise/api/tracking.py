"""Put runs into the trackers that people use already."""

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trialwise.api.studies import KINDS, result_of
from trialwise.api.study_places import seen_study
from trialwise.base.errors import UserError
from trialwise.base.passwords import without_passwords
from trialwise.base.runs import RunFolder
from trialwise.integrations.tracked import FILES, Tracked, identity_of, is_number
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.study_comparison import flat_values
from trialwise.tuning.winner import best_record


def log(
    run: RunFolder | Path | str,
    *,
    mlflow: str | None = None,
    experiment: str = "trialwise",
    tensorboard: Path | None = None,
) -> dict[str, Any]:
    """Log a run to MLflow, for TensorBoard, or both; logged again, nothing is there twice.

    Args:
        run: A run folder, or its name in the runs folder.
        mlflow: MLflow's tracking URI, e.g. "sqlite:///mlflow.db" or "http://localhost:5000".
        experiment: The experiment in MLflow.
        tensorboard: The folder that `tensorboard --logdir` is given.

    Returns:
        "run", and "mlflow" and "tensorboard" with what was written where.

    Raises:
        UserError: No place was named, the extra is not installed, or the place cannot be used.
        WorkError: MLflow failed.
    """
    if mlflow is None and tensorboard is None:
        raise UserError("log: expected a place", hint="--mlflow sqlite:///mlflow.db, or --tensorboard FOLDER")
    opened = run if isinstance(run, RunFolder) else RunFolder.open(run)
    tracked = _tracked(opened)
    document: dict[str, Any] = {"schema": "trialwise.log/1", "run": opened.label, "mlflow": None, "tensorboard": None}
    if mlflow is not None:
        from trialwise.integrations.mlflow_log import log_to_mlflow

        found = log_to_mlflow(tracked, mlflow, experiment=experiment)
        document["mlflow"] = {"uri": without_passwords(mlflow)} | found
    if tensorboard is not None:
        from trialwise.integrations.tensorboard_log import log_to_tensorboard

        document["tensorboard"] = log_to_tensorboard(tracked, tensorboard)
    return document


def _tracked(run: RunFolder) -> Tracked:
    records, direction, best = [], None, None
    result = run.result if run.has_result else {}
    if run.kind in KINDS:
        with seen_study(run) as study:
            records, direction = study.records(), study.direction
        result = result_of(run, records)
        named = result.get("best_trial")
        best = next((r for r in records if r.number == named), None) or best_record(records, direction)
    settings = dict(run.settings)
    space = settings.pop("space", None) or {}
    settings.pop("search", None)  # it may change when a study goes on
    files = [run.path / name for name in FILES]
    files += [file for folder in ("figures", "explain") for file in sorted((run.path / folder).glob("*"))]
    return Tracked(
        name=run.path.name,
        identity=identity_of(run),
        kind=run.kind,
        seed=run.seed,
        status=run.record["status"],
        verdict=result.get("verdict", ""),
        params=flat_values(settings) | {"seed": run.seed},
        best=best,
        direction=direction,
        space=space_from_document(space),
        trials=records,
        epochs=[] if records else list(_epochs(run)),
        numbers=_numbers(run, result),
        files=[file for file in files if file.is_file()],
        started_seconds=datetime.datetime.fromisoformat(run.record["started"]).timestamp(),
    )


def _epochs(run: RunFolder) -> Iterator[tuple[str, int, float]]:
    for row in run.metrics():
        network = f"network {row['network']}/" if "network" in row else ""
        yield f"{network}train_loss", row["epoch"], row["train_loss"]
        for name, value in row["valid"].items():
            yield f"{network}valid_{name}", row["epoch"], value


def _numbers(run: RunFolder, result: Mapping[str, Any]) -> dict[str, float]:
    """What was found, as far as it was measured: the test's numbers where the test was read."""
    test = ((result and run.record.get("evaluation")) or {}).get("test") or {}
    found: dict[str, Any] = {"gain": result.get("gain"), "test_accuracy": test.get("accuracy")}
    if "ci95" in test:
        found |= {"test_accuracy_low": test["ci95"][0], "test_accuracy_high": test["ci95"][1]}
    found |= (
        {f"valid_{name}": value for name, value in (result.get("valid") or {}).items()} if not run.metrics() else {}
    )
    if run.kind == "price-backtest":
        for row in result.get("models", ()):
            found |= {f"{row['name']}_{key}": value for key, value in row.items()}
        for row in result.get("volatility", ()):
            found |= {f"volatility_{row['name']}_{key}": value for key, value in row.items()}
        for row in result.get("bands", ()):
            found |= {f"band_{100 * row['level']:g}_{key}": value for key, value in row.items()}
    return {name: value for name, value in found.items() if is_number(value)}

"""A run in MLflow: a study is a parent run and each trial a child of it; told again, only what is new is added."""

import hashlib
import importlib.util
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trialwise.base.errors import TrialwiseError, UserError, WorkError
from trialwise.base.passwords import without_passwords
from trialwise.integrations.tracked import Tracked

KEY = "trialwise.key"
FILES = "trialwise.files"
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "interrupted": "KILLED", "stopped": "KILLED"}
_AT_ONCE = 900  # values, tags or parameters in one request; MLflow takes 1,000 values, 100 of the others
_FEW = 90


def check_mlflow(uri: str) -> None:
    """Refuse where MLflow is not installed, or the URI is none of a tracking server or a database.

    Raises:
        UserError: With what to install or to give.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise UserError("--mlflow needs MLflow, which is not installed", hint="pip install 'trialwise[mlflow]'")
    if not re.match(r"(sqlite|postgresql|mysql|mssql|https?)(\+\w+)?://.", uri):
        raise UserError(
            f"--mlflow {without_passwords(uri)}: expected a database or a tracking server",
            hint="for example sqlite:///mlflow.db, or http://127.0.0.1:5000",
        )


def log_to_mlflow(run: Tracked, uri: str, *, experiment: str) -> dict[str, Any]:
    """Add to MLflow what it does not hold yet of this run.

    Args:
        run: The run; where it has trials, they become children of its run there.
        uri: `sqlite:///FILE`, another database, or a tracking server.
        experiment: The experiment's name; made where there is none.

    Returns:
        "experiment_id", "run_id", "best_run_id" (None without a best trial) and "n_new" (runs there were not before).

    Raises:
        UserError: As `check_mlflow`.
        WorkError: MLflow cannot be reached, or refused.
    """
    check_mlflow(uri)
    with _mlflow_kept_quiet(uri):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment_id = _experiment(client, uri, experiment)
        parent_id, n_new = _told(client, experiment_id, run, parent_id=None)
        ids: dict[str, str] = {}
        for trial in run.trials:
            ids[trial.key], is_new = _told(client, experiment_id, trial, parent_id=parent_id)
            n_new += is_new
        best = ids.get(run.tags.get("trialwise.best_key", ""))
        if best is not None:
            client.set_tag(parent_id, "trialwise.best_run_id", best)
        return {"experiment_id": experiment_id, "run_id": parent_id, "best_run_id": best, "n_new": int(n_new)}


@contextmanager
def _mlflow_kept_quiet(uri: str) -> Iterator[None]:
    """No telemetry, no minutes of trying again, no log lines; what MLflow raises becomes one message."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        with warnings.catch_warnings():
            # MLflow 3.17 on SQLAlchemy 2.1 and pydantic 2.14: of their own parts, and nothing a user could mend.
            warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\b")
            import mlflow  # noqa: F401

            for name in ("mlflow", "alembic"):
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    except TrialwiseError:
        raise
    except Exception as error:  # its own, SQLAlchemy's and requests'
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorkError(
            f"--mlflow {without_passwords(uri)}: {without_passwords(said)}",
            hint="what was logged so far stays; the same command goes on",
        ) from None


def _experiment(client: Any, uri: str, name: str) -> str:
    """The id of the experiment; a new one in a SQLite file keeps its files in mlartifacts/ beside that."""
    known = client.get_experiment_by_name(name)
    if known is None:
        beside = None
        if uri.startswith("sqlite:///"):
            beside = (Path(uri.removeprefix("sqlite:///")).absolute().parent / "mlartifacts").as_uri()
        return client.create_experiment(name, artifact_location=beside)
    if known.lifecycle_stage != "active":
        raise UserError(f"--experiment {name}: it was deleted in MLflow", hint="name another, or restore it there")
    return known.experiment_id


def _told(client: Any, experiment_id: str, told: Tracked, *, parent_id: str | None) -> tuple[str, bool]:
    """The id of the run that now holds all of this, and whether it is new."""
    found = client.search_runs([experiment_id], filter_string=f"tags.`{KEY}` = '{told.key}'", max_results=1)
    tags = {KEY: told.key, "trialwise.state": told.state, **told.tags}
    if found:
        run, is_new = found[0], False
        if (
            parent_id is not None
            and run.info.status != "RUNNING"
            and run.data.tags.get("trialwise.state") == told.state
        ):
            return run.info.run_id, False  # a trial that was over then
    else:
        above = {"mlflow.parentRunId": parent_id} if parent_id else {}
        first = {KEY: told.key, "mlflow.source.name": "trialwise", "mlflow.source.type": "JOB"} | above
        run = client.create_run(experiment_id, int(1000 * told.started), tags=first, run_name=told.name)
        is_new = True
    _add(client, run, told, tags)
    _add_files(client, run, told)
    if told.state in STATUS:
        ended = None if told.ended is None else int(1000 * told.ended)
        client.set_terminated(run.info.run_id, STATUS[told.state], ended)
    elif not is_new:
        client.update_run(run.info.run_id, status="RUNNING")
    return run.info.run_id, is_new


def _add(client: Any, run: Any, told: Tracked, tags: dict[str, str]) -> None:
    """The parameters, values and tags that the run does not have yet."""
    from mlflow.entities import Metric, Param, RunTag

    run_id, at = run.info.run_id, int(1000 * told.started)
    metrics = []
    for name, curve in told.curves.items():
        known = (
            {m.step for m in client.get_metric_history(run_id, _name(name))} if _name(name) in run.data.metrics else ()
        )
        metrics += [Metric(_name(name), value, at, step) for step, value in curve.items() if step not in known]
    metrics += [
        Metric(_name(name), value, at, 0)
        for name, value in told.values.items()
        if run.data.metrics.get(_name(name)) != value
    ]
    params = [Param(_name(k), str(v)[:6000]) for k, v in told.params.items() if _name(k) not in run.data.params]
    new_tags = [RunTag(_name(k), v[:5000]) for k, v in tags.items() if run.data.tags.get(_name(k)) != v[:5000]]
    for start in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + _AT_ONCE])
    for start in range(0, max(len(params), len(new_tags)), _FEW):
        client.log_batch(run_id, params=params[start : start + _FEW], tags=new_tags[start : start + _FEW])


def _add_files(client: Any, run: Any, told: Tracked) -> None:
    """The files, unless they are those that are there already."""
    files = [(folder, file) for folder, group in told.files.items() for file in group]
    if not files:
        return
    content = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for _, file in files)).hexdigest()
    if run.data.tags.get(FILES) == content:
        return
    for folder, file in files:
        client.log_artifact(run.info.run_id, str(file), folder or None)
    client.set_tag(run.info.run_id, FILES, content)


def _name(name: str) -> str:
    """The name with what MLflow does not take in names as _."""
    return re.sub(r"[^\w\-. ]", "_", name).strip(". ") or "_"

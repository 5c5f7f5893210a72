"""A run in MLflow: the study as parent run, its trials as child runs; logged again, only what is new is added."""

import importlib.util
import logging
import math
import os
import re
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError, WorkError
from trialwise.base.passwords import without_passwords
from trialwise.integrations.tracked import FILES, OF_ONE_MODEL, Tracked, is_number
from trialwise.tuning.studies import TrialRecord

ID, TRIAL, STATE, LOGGED = "trialwise.id", "trialwise.trial", "trialwise.state", "trialwise.epochs_logged"
_PARENT = "mlflow.parentRunId"
_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED", "interrupted": "KILLED"}
_BATCH = 100  # the most params and tags that MLflow takes in one call; of metrics it takes 1,000
_LONGEST = 5000  # characters of a tag or a parameter


def log_to_mlflow(tracked: Tracked, uri: str, *, experiment: str) -> dict[str, Any]:
    """Log a run, or what is new of it.

    A single training is one run. Of a study the parent has `best_value`, the tags `best.NAME` (a winner may change
    when the study goes on, and MLflow's params may not) and `trialwise.best_run_id`; each child has the trial's params
    and `score` by epoch. A pruned trial is KILLED and a failed one FAILED, with `trialwise.reason`.

    Args:
        tracked: The run.
        uri: MLflow's tracking URI.
        experiment: The experiment's name; made where there is none.

    Returns:
        "experiment", "run_id", "n_new_trials" and "n_new_metrics".

    Raises:
        UserError: MLflow is not installed, or the URI cannot be used.
        WorkError: MLflow failed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise UserError("log --mlflow needs mlflow, which is not installed", hint="pip install 'trialwise[mlflow]'")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # by default it tries for minutes
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    place = without_passwords(uri)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # else it tells of each table it makes
    try:
        with warnings.catch_warnings():
            # Of MLflow 3.17's own tables with SQLAlchemy 2.1; nothing that a user could mend.
            warnings.filterwarnings("ignore", message="The ``noload`` loader strategy is deprecated")
            client = MlflowClient(tracking_uri=_absolute(uri))
            experiment_id = _experiment(client, uri, experiment)
            return {"experiment": experiment} | _Log(client, experiment_id).run(tracked)
    except MlflowException as error:
        raise WorkError(f"MLflow at {place}: {_first_line(error)}") from None
    except Exception as error:  # SQLAlchemy's and requests' kinds, by the URI's scheme
        raise UserError(f"--mlflow {place}: {_first_line(error)}", hint="e.g. sqlite:///mlflow.db") from None


def _first_line(error: Exception) -> str:
    return without_passwords(str(error).strip().split("\n")[0]) or type(error).__name__


def _absolute(uri: str) -> str:
    """The URI with the whole path of a SQLite file: MLflow keeps one store for each URI, whatever folder is current."""
    path = uri.removeprefix("sqlite:///")
    return f"sqlite:///{Path(path).absolute()}" if path != uri and path and path != ":memory:" else uri


def _experiment(client: Any, uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    location = None
    if uri.startswith("sqlite:///"):  # else MLflow would put artifacts into the current folder
        location = (Path(uri.removeprefix("sqlite:///")).absolute().parent / "mlartifacts").as_uri()
    return client.create_experiment(name, artifact_location=location)


class _Log:
    """One experiment that is written to."""

    def __init__(self, client: Any, experiment_id: str) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.n_new_metrics = 0

    def run(self, tracked: Tracked) -> dict[str, Any]:
        parent = self._parent(tracked)
        run_id = parent.info.run_id
        params = {name: value for name, value in tracked.params.items() if _key(name) not in parent.data.params}
        self._write(run_id, params=params)
        self._add(run_id, tracked.epochs)
        run_ids, n_new = self._trials(tracked, run_id)
        numbers = dict(tracked.numbers)
        tags = {"trialwise.status": tracked.status, "mlflow.note.content": tracked.verdict}
        if tracked.best is not None:
            tags |= {f"best.{_key(name)}": value for name, value in tracked.best.params.items()}
            tags |= {"trialwise.best_run_id": run_ids[tracked.best.number], "trialwise.best_trial": tracked.best.number}
            if tracked.best.value is not None:
                numbers["best_value"] = tracked.best.value
        for gone in (name for name in parent.data.tags if name.startswith("best.") and name not in tags):
            self.client.delete_tag(run_id, gone)
        step = len(tracked.trials)
        latest = parent.data.metrics
        changed = [(name, step, value) for name, value in numbers.items() if latest.get(_key(name)) != value]
        gone = [name for name in OF_ONE_MODEL if name not in numbers and not math.isnan(latest.get(name, math.nan))]
        changed += [(name, step, math.nan) for name in gone]  # MLflow deletes no metric
        self._write(run_id, metrics=changed, tags=tags)
        for file in tracked.files:
            self.client.log_artifact(run_id, str(file), None if file.name in FILES else file.parent.name)
        if tracked.status in _STATUS and parent.info.status != _STATUS[tracked.status]:
            self.client.set_terminated(run_id, _STATUS[tracked.status])
        return {"run_id": run_id, "n_new_trials": n_new, "n_new_metrics": self.n_new_metrics}

    def _parent(self, tracked: Tracked) -> Any:
        found = self._search(f"tags.`{ID}` = '{tracked.identity}'")
        if found:
            return found[0]
        tags = {ID: tracked.identity, "trialwise.kind": tracked.kind, "trialwise.seed": str(tracked.seed)}
        return self._create(tracked.name, tags, tracked.started_seconds)

    def _trials(self, tracked: Tracked, parent_id: str) -> tuple[dict[int, str], int]:
        """The run of every trial by its number, and how many are new."""
        known = {
            int(run.data.tags[TRIAL]): run
            for run in self._search(f"tags.`{_PARENT}` = '{parent_id}'")
            if TRIAL in run.data.tags
        }
        n_known = len(known)
        for record in tracked.trials:
            if record.number not in known:
                tags = {_PARENT: parent_id, TRIAL: str(record.number)}
                known[record.number] = self._create(f"trial {record.number}", tags, tracked.started_seconds)
            self._trial(known[record.number], record)
        return {number: run.info.run_id for number, run in known.items()}, len(known) - n_known

    def _trial(self, run: Any, record: TrialRecord) -> None:
        tags = run.data.tags
        if tags.get(STATE) == record.state and tags.get(LOGGED) == str(len(record.scores)):
            return
        run_id = run.info.run_id
        self._write(run_id, params={k: v for k, v in record.params.items() if _key(k) not in run.data.params})
        self._add(run_id, [("score", epoch, score) for epoch, score in record.scores.items()])
        ends = {} if record.value is None or record.state != "complete" else {"value": record.value}
        ends |= {} if record.seconds is None else {"seconds": record.seconds}
        ends |= {f"note.{name}": value for name, value in record.notes.items() if is_number(value)}
        last = len(record.scores)
        self._write(run_id, metrics=[(k, last, v) for k, v in ends.items() if run.data.metrics.get(_key(k)) != v])
        reason = {"trialwise.reason": record.notes["reason"]} if "reason" in record.notes else {}
        self._write(run_id, tags={STATE: record.state, **reason})
        if record.state in _STATUS:
            self.client.set_terminated(run_id, _STATUS[record.state])
        self._write(run_id, tags={LOGGED: last})  # last: a logging that was killed is made good by the next

    def _search(self, condition: str) -> list[Any]:
        found, token = [], None
        while True:
            page = self.client.search_runs([self.experiment_id], condition, max_results=1000, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _create(self, name: str, tags: Mapping[str, str], started_seconds: float) -> Any:
        start = int(1000 * started_seconds)
        return self.client.create_run(self.experiment_id, start_time=start, tags=dict(tags), run_name=name)

    def _add(self, run_id: str, values: Iterable[tuple[str, int, float]]) -> None:
        """Log the values of all steps that MLflow does not have yet."""
        values = list(values)
        names = {name for name, _, _ in values}
        known = {(name, m.step) for name in names for m in self.client.get_metric_history(run_id, _key(name))}
        self._write(run_id, metrics=[each for each in values if each[:2] not in known])

    def _write(
        self,
        run_id: str,
        *,
        metrics: Iterable[tuple[str, int, float]] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now = int(1000 * time.time())
        wanted = {
            "metrics": [Metric(_key(name), float(value), now, step) for name, step, value in metrics],
            "params": [Param(_key(name), _text(value)) for name, value in (params or {}).items()],
            "tags": [RunTag(_key(name), _text(value)) for name, value in (tags or {}).items()],
        }
        self.n_new_metrics += len(wanted["metrics"])
        for what, entities in wanted.items():
            for start in range(0, len(entities), _BATCH):
                self.client.log_batch(run_id, **{what: entities[start : start + _BATCH]})


def _key(name: str) -> str:
    return re.sub(r"[^\w./ -]", "_", name)[:250]


def _text(value: Any) -> str:
    return without_passwords(str(value))[:_LONGEST]

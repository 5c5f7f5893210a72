"""Runs in the real MLflow and the real TensorBoard: nothing twice, nothing lost, the best not last."""

import importlib.util
import json
import os
import shutil
from types import SimpleNamespace

import pytest

from trialwise import api
from trialwise.cli.app import run

MODEL = """
def objective(config, trial):
    for epoch in trial.remaining_epochs():
        if config["x"] > 0.5:
            raise ValueError("x is <too> large")
        yield (config["x"] - 0.3) ** 2 + 1 / epoch
"""
TUNE = ["tune", "model:objective", "--param", "x=-1.0:1", "--param", "kind=a,b", "--epochs", "9", "--workers", "1"]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One MLflow database for all tests: making its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="module")
def whole_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "model.py").write_text(MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run([*TUNE, "--trials", "9", "--out", "study"]) == 0
    return folder / "study"


@pytest.fixture
def study(whole_study, tmp_path):
    shutil.copytree(whole_study, tmp_path / "study")
    return "study"


def result(capsys, *arguments):
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def client(database):
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

    def seen(experiment):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=database)
        known = client.get_experiment_by_name(experiment)
        runs = client.search_runs([known.experiment_id], max_results=1000)
        parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
        trials = {int(r.data.tags["trialwise.trial"]): r for r in runs if "mlflow.parentRunId" in r.data.tags}
        return SimpleNamespace(client=client, parents=parents, trials=trials)

    return seen


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_study_is_a_parent_with_a_child_a_trial_and_is_not_told_twice(study, database, client, capsys):
    given = ["log", study, "--mlflow", database, "--experiment", "once"]
    shown = api.show_study(study)
    first = result(capsys, *given)["mlflow"]
    assert first["n_new"] == 10
    seen = client("once")
    (parent,) = seen.parents
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best_value"] == min(t["value"] for t in shown["trials"] if t["state"] == "complete")
    assert parent.data.metrics["value_of_winner"] == shown["best"]["value"]
    assert parent.data.tags["best.x"] == str(shown["best"]["params"]["x"])
    assert parent.data.tags["trialwise.best_run_id"] == seen.trials[shown["best"]["number"]].info.run_id
    assert shown["verdict"] == parent.data.tags["mlflow.note.content"]
    files = {file.path for file in seen.client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "best.toml", "run.json", "figures"} <= files
    states = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    assert {trial["state"] for trial in shown["trials"]} == set(states), "all three kinds are looked at"
    for trial in shown["trials"]:
        told = seen.trials[trial["number"]]
        assert told.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert told.info.status == states[trial["state"]]
        assert told.data.tags["trialwise.state"] == trial["state"]
        assert told.data.tags.get("trialwise.reason") == trial["notes"].get("reason")
        assert told.data.params == {name: str(value) for name, value in trial["params"].items()}
        if trial["scores"]:
            curve = {m.step: m.value for m in seen.client.get_metric_history(told.info.run_id, "score")}
            assert curve == trial["scores"]

    before = {r.info.run_id: r.to_dictionary() for r in [*seen.parents, *seen.trials.values()]}
    assert result(capsys, *given)["mlflow"]["n_new"] == 0
    again = client("once")
    assert {r.info.run_id: r.to_dictionary() for r in [*again.parents, *again.trials.values()]} == before
    for trial in again.trials.values():
        history = again.client.get_metric_history(trial.info.run_id, "score")
        assert len({m.step for m in history}) == len(history)


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_after_a_resume_only_new_trials_are_added(study, database, client, capsys):
    given = ["log", study, "--mlflow", database, "--experiment", "resumed", "--tensorboard", "boards"]
    result(capsys, *given)
    result(capsys, "study", "resume", study, "--trials", "12")
    shown = api.show_study(study)
    document = result(capsys, *given)
    assert document["mlflow"]["n_new"] == 3
    assert document["tensorboard"]["n_changed"] >= 3
    seen = client("resumed")
    assert len(seen.trials) == 12
    (parent,) = seen.parents
    history = seen.client.get_metric_history(parent.info.run_id, "best_value")
    assert len({m.step for m in history}) == len(history)
    assert max(history, key=lambda m: m.step).step == 11
    assert parent.data.tags["trialwise.best_trial"] == str(shown["best"]["number"])


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_a_training_is_one_run_and_gains_the_test_result(pictures, database, client, capsys):
    result(capsys, "image", "train", str(pictures), "--epochs", "2", "--max-params", "5000", "--out", "training")
    given = ["log", "training", "--mlflow", database, "--experiment", "single"]
    result(capsys, *given)
    (told,) = client("single").parents
    assert not any(name.startswith("test.") for name in told.data.metrics), "the test images were not read"
    assert told.data.params["train.epochs"] == "2"
    history = client("single").client.get_metric_history(told.info.run_id, "valid.accuracy")
    assert sorted(m.step for m in history) == [1, 2]
    found = result(capsys, "image", "evaluate", "training")
    result(capsys, *given)
    (told,) = client("single").parents
    assert told.data.metrics["test.accuracy"] == found["test"]["accuracy"]
    assert told.data.metrics["test.accuracy_low"] == found["test"]["ci95"][0]


def test_tensorboard_shows_scalars_and_a_working_hparams_tab(study, tmp_path, capsys):
    document = result(capsys, "log", study, "--tensorboard", "boards")
    shown = api.show_study(study)
    sessions = _sessions(tmp_path / "boards")
    assert len(sessions) == document["tensorboard"]["n_sessions"] == 9
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import api_pb2

    own = tmp_path / document["tensorboard"]["folder"]
    for trial in shown["trials"]:
        name = f"trial-{trial['number']:04}"
        group = sessions[f"{own.name}/{name}"]
        assert group.hparams["x"].number_value == trial["params"]["x"]
        assert group.hparams["kind"].string_value == trial["params"]["kind"]
        failed = trial["state"] == "failed"
        assert group.sessions[0].status == (api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS)
        values = {value.name.tag: value.value for value in group.metric_values}
        if trial["value"] is not None:
            assert values["value"] == pytest.approx(trial["value"])
        events = EventAccumulator(str(own / name)).Reload()
        if trial["scores"]:
            curve = {event.step: event.value for event in events.Scalars("score")}
            assert curve == pytest.approx(trial["scores"])
    best = {event.step: event.value for event in EventAccumulator(str(own)).Reload().Scalars("best_value")}
    assert best[8] == pytest.approx(min(t["value"] for t in shown["trials"] if t["state"] == "complete"))

    before = {path: path.read_bytes() for path in own.rglob("*tfevents*")}
    assert result(capsys, "log", study, "--tensorboard", "boards")["tensorboard"]["n_changed"] == 0
    assert {path: path.read_bytes() for path in own.rglob("*tfevents*")} == before


def _sessions(folder):
    """The session groups by name, as the HParams tab asks the plugin's backend for them."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
    experiment = context.experiment_from_metadata(
        RequestContext(), "", True, context.hparams_metadata(RequestContext(), ""), None
    )
    assert {"x", "kind"} == {info.name for info in experiment.hparam_infos}
    assert {"score", "value"} <= {info.name.tag for info in experiment.metric_infos}
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING],
        start_index=0,
        slice_size=100,
        col_params=[api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos]
        + [api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos],
    )
    found = list_session_groups.Handler(RequestContext(), context, "", request).run()
    return {group.name: group for group in found.session_groups}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "expected a place"),
        (["--mlflow", "mlruns"], "expected a database or a tracking server"),
        (["--tensorboard", "run.json"], "expected a folder"),
    ],
)
def test_bad_places_are_refused(given, says, tmp_path, capsys):
    (tmp_path / "run.json").touch()
    assert run(["log", "study", *given]) == 2
    assert says in capsys.readouterr().err


def test_a_password_is_never_printed(study, capsys):
    assert run(["log", study, "--mlflow", "https://me:geheim@127.0.0.1:9/"]) == 1
    printed = capsys.readouterr()
    assert "geheim" not in printed.out + printed.err
    assert "--mlflow https://me@127.0.0.1:9/" in printed.err


@pytest.mark.parametrize(("option", "module"), [("--mlflow", "mlflow"), ("--tensorboard", "tensorboard")])
def test_a_missing_extra_is_named(option, module, study, monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else real(name))
    assert run(["log", study, option, "sqlite:///x.db"]) == 2
    assert f"trialwise[{module}]" in capsys.readouterr().err

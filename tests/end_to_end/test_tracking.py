"""Runs in MLflow and TensorBoard, read back with those packages themselves."""

import json
import math
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

from trialwise import api
from trialwise.api.images import evaluation
from trialwise.base.runs import RunFolder
from trialwise.cli.app import run

MODEL = """
def objective(config, trial):
    if config["x"] > 0.6:
        raise ValueError("too far")
    for epoch in trial.remaining_epochs():
        yield (config["x"] - 0.3) ** 2 + 1 / epoch
"""
# MLflow 3.17 with SQLAlchemy 2.1.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

STORE = "sqlite:///mlflow.db"


@pytest.fixture
def study(tmp_path, capsys):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "space.toml").write_text('[x]\nlow = -1.0\nhigh = 1.0\n[kind]\nchoices = ["a", "b"]\n')
    tune = ["tune", "model:objective", "--space", "space.toml", "--epochs", "9", "--trials", "12", "--out", "study"]
    assert run([*tune, "--workers", "1", "--confirm", "0"]) == 0
    capsys.readouterr()
    return "study"


def logged(capsys, *arguments):
    assert run(["log", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def logged_alone(capsys, folder):
    """The id of MLflow's run, which has no children."""
    capsys.readouterr()
    document = logged(capsys, folder, "--mlflow", STORE)["mlflow"]
    assert document["n_new_trials"] == 0
    return document["run_id"]


def runs_of(client):
    found = client.search_runs([client.get_experiment_by_name("trialwise").experiment_id], max_results=1000)
    children = {int(r.data.tags["trialwise.trial"]): r for r in found if "mlflow.parentRunId" in r.data.tags}
    (parent,) = [r for r in found if "mlflow.parentRunId" not in r.data.tags]
    return parent, children


def history(client, run_id, name):
    return {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}


def test_a_study_in_mlflow_has_all_trials_once_and_the_best_not_the_last(study, capsys):
    first = logged(capsys, study, "--mlflow", STORE)["mlflow"]
    assert first["n_new_trials"] == 12
    shown = api.show_study(study)
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")  # a relative one would be another test's
    parent, children = runs_of(client)
    assert parent.info.run_id == first["run_id"]
    assert {r.data.tags["mlflow.parentRunId"] for r in children.values()} == {first["run_id"]}
    states = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    assert {trial["state"] for trial in shown["trials"]} == set(states)
    for trial in shown["trials"]:
        child = children[trial["number"]]
        assert child.data.params == {name: str(value) for name, value in trial["params"].items()}
        assert child.info.status == states[trial["state"]]
        assert child.data.tags["trialwise.state"] == trial["state"]
        assert child.data.tags.get("trialwise.reason") == trial["notes"].get("reason")
        assert history(client, child.info.run_id, "score") == trial["scores"]
    best = shown["best"]
    assert parent.data.metrics["best_value"] == best["value"] == min(t["value"] for t in shown["trials"] if t["value"])
    assert parent.data.tags["trialwise.best_run_id"] == children[best["number"]].info.run_id
    assert parent.data.tags["best.x"] == str(best["params"]["x"])
    assert {"report.html", "best.toml"} <= {file.path for file in client.list_artifacts(first["run_id"])}
    figures = {file.path for file in client.list_artifacts(first["run_id"], "figures")}
    assert figures == {f"figures/{file.name}" for file in Path(study, "figures").iterdir()}
    assert figures

    again = logged(capsys, study, "--mlflow", STORE)["mlflow"]
    assert (again["run_id"], again["n_new_trials"], again["n_new_metrics"]) == (first["run_id"], 0, 0)
    assert run(["study", "resume", study, "--trials", "15"]) == 0
    capsys.readouterr()
    assert logged(capsys, study, "--mlflow", STORE)["mlflow"]["n_new_trials"] == 3
    parent, children = runs_of(client)
    assert sorted(children) == list(range(15))
    shown = api.show_study(study)
    assert parent.data.metrics["best_value"] == shown["best"]["value"]
    for trial in shown["trials"]:
        assert history(client, children[trial["number"]].info.run_id, "score") == trial["scores"]


def test_a_training_in_mlflow_has_its_epochs_and_what_the_test_images_said(capsys):
    train = ["image", "train", "digits", "--epochs", "2", "--max-params", "4000", "--out", "trained"]
    assert run(train) == 0
    first = logged_alone(capsys, "trained")
    trained = RunFolder.open("trained")
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    for name, value in (("train_loss", "train_loss"), ("valid_accuracy", "accuracy")):
        rows = {row["epoch"]: row.get(value, row["valid"].get(value)) for row in trained.metrics()}
        assert history(client, first, name) == rows
    metrics = client.get_run(first).data.metrics
    assert "test_accuracy" not in metrics
    assert run(["image", "evaluate", "trained"]) == 0
    assert logged_alone(capsys, "trained") == first
    metrics, test = client.get_run(first).data.metrics, RunFolder.open("trained").record["evaluation"]["test"]
    assert metrics["test_accuracy"] == test["accuracy"]
    assert [metrics["test_accuracy_low"], metrics["test_accuracy_high"]] == test["ci95"]
    assert client.get_run(first).data.params["train.network.max_params"] == "4000"
    evaluation.forget_evaluation(RunFolder.open("trained"))  # as where a training goes on
    assert logged_alone(capsys, "trained") == first
    assert math.isnan(client.get_run(first).data.metrics["test_accuracy"])
    assert logged(capsys, "trained", "--mlflow", STORE)["mlflow"]["n_new_metrics"] == 0


def test_a_backtest_in_mlflow_has_every_model_and_each_networks_epochs(tmp_path, capsys):
    (tmp_path / "quick.toml").write_text("epochs = 2\nhidden_size = 4\n")
    assert run(["price", "backtest", "--config", "quick.toml", "--out", "priced"]) == 0
    found = logged_alone(capsys, "priced")
    backtest, client = RunFolder.open("priced"), mlflow.MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    metrics = client.get_run(found).data.metrics
    for row in backtest.result["models"]:
        assert metrics[f"{row['name']}_rmse_over_naive"] == row["rmse_over_naive"]
    volatility, bands = backtest.result["volatility"], backtest.result["bands"]
    assert all(metrics[f"volatility_{row['name']}_qlike_skill"] == row["qlike_skill"] for row in volatility)
    assert all(metrics[f"band_{100 * row['level']:g}_coverage"] == row["coverage"] for row in bands)
    first = [row for row in backtest.metrics() if row["network"] == 0]
    losses = history(client, found, "network 0/train_loss")
    assert losses == {row["epoch"]: row["train_loss"] for row in first}


def test_a_study_in_tensorboard_has_scores_by_epoch_and_a_working_hparams_tab(study, capsys):
    folder = logged(capsys, study, "--tensorboard", "tb")["tensorboard"]["folder"].removeprefix("tb/")
    logged(capsys, study, "--tensorboard", "tb")  # again: nothing is there twice
    shown = api.show_study(study)
    events = plugin_event_multiplexer.EventMultiplexer()
    events.AddRunsFromDirectory("tb")
    events.Reload()
    for trial in shown["trials"]:
        if trial["scores"]:
            found = events.Tensors(f"{folder}/trial-{trial['number']:04}", "score")
            scores = {each.step: each.tensor_proto.float_val[0] for each in found}
            assert scores == pytest.approx(trial["scores"], rel=1e-6)

    provider = data_provider.MultiplexerDataProvider(events, "tb")
    hparams = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir="tb"))
    asked = (RequestContext(), hparams, "")
    experiment = get_experiment.Handler(*asked, api_pb2.GetExperimentRequest()).run()
    infos = {info.name: info for info in experiment.hparam_infos}
    assert set(infos) == {"x", "kind", "trialwise.state"}
    assert (infos["x"].domain_interval.min_value, infos["x"].domain_interval.max_value) == (-1.0, 1.0)
    assert sorted(value.string_value for value in infos["kind"].domain_discrete.values) == ["a", "b"]
    statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=statuses, start_index=0, slice_size=100)
    groups = list_session_groups.Handler(*asked, request).run().session_groups
    found = {group.hparams["x"].number_value: group for group in groups}
    assert set(found) == {trial["params"]["x"] for trial in shown["trials"]}
    for trial in shown["trials"]:
        group = found[trial["params"]["x"]]
        assert group.hparams["trialwise.state"].string_value == trial["state"]
        (session,) = group.sessions
        assert (session.status == api_pb2.STATUS_FAILURE) == (trial["state"] == "failed")
        if trial["scores"]:
            assert session.metric_values[0].value == pytest.approx(list(trial["scores"].values())[-1], rel=1e-6)


def test_two_studies_in_one_folder_stay_two_in_the_hparams_tab(study, capsys):
    shutil.copytree(study, "other")  # the same trials under another name
    for name in (study, "other"):
        logged(capsys, name, "--tensorboard", "tb")
    events = plugin_event_multiplexer.EventMultiplexer()
    events.AddRunsFromDirectory("tb")
    events.Reload()
    provider = data_provider.MultiplexerDataProvider(events, "tb")
    hparams = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir="tb"))
    statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=statuses, start_index=0, slice_size=100)
    groups = list_session_groups.Handler(RequestContext(), hparams, "", request).run().session_groups
    assert len(groups) == 24
    assert {len(group.sessions) for group in groups} == {1}


def test_a_server_that_is_away_is_not_waited_for_and_its_password_is_not_shown(study, capsys):
    assert run(["log", study, "--mlflow", "http://ann:secret@127.0.0.1:9"]) == 1
    told = capsys.readouterr().err
    assert "http://ann@127.0.0.1:9" in told
    assert "secret" not in told


def test_bad_places_get_one_error_and_no_password_is_shown(study, capsys):
    assert run(["log", study]) == 2
    assert run(["log", study, "--mlflow", "nonsense://ann:secret@host/db"]) != 0
    (told := capsys.readouterr().err)
    assert "hint: --mlflow sqlite:///mlflow.db" in told
    assert "secret" not in told


def test_the_recipe_for_weights_and_biases_logs_every_trial(study, monkeypatch):
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "other-tools.md").read_text()
    (recipe,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    made = []

    def init(**given):
        scores, ends = {}, []
        made.append((given, scores, ends))
        return SimpleNamespace(
            log=lambda row, step: scores.update({step: row["score"]}),
            summary={},
            finish=lambda exit_code: ends.append(exit_code),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    monkeypatch.setattr(sys, "argv", ["log_to_wandb.py", study])
    exec(compile(recipe, "recipe", "exec"), {})
    trials = api.show_study(study)["trials"]
    assert [given["config"] for given, _, _ in made] == [trial["params"] for trial in trials]
    assert [scores for _, scores, _ in made] == [trial["scores"] for trial in trials]
    assert [ends for _, _, ends in made] == [[int(trial["state"] == "failed")] for trial in trials]

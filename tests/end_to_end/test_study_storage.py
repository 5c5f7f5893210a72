"""Studies in databases, their tables, comparisons and the dashboard, as a user runs them."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import optuna
import pyarrow.parquet
import pytest
from optuna.trial import TrialState
from postgres_server import PASSWORD

from trialwise import api
from trialwise.base.runs import RunFolder
from trialwise.cli.app import run
from trialwise.integrations import storage_urls
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import Study

MODEL = """
import time

def objective(config, trial):
    scale = {"=SUM(1)": 1.0, "plain": 2.0}[config["kind"]]
    for epoch in trial.remaining_epochs():
        time.sleep(0.02)
        yield scale * (config["x"] - 0.3) ** 2 + 1 / epoch
"""
TUNE = ["tune", "model:objective", "--space", "space.toml", "--epochs", "9", "--trials", "12"]
TUNE += ["--workers", "2", "--lockstep"]


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "space.toml").write_text('[x]\nlow = -1.0\nhigh = 1.0\n[kind]\nchoices = ["plain", "=SUM(1)"]\n')
    monkeypatch.setattr(storage_urls, "_passwords", {})
    monkeypatch.setenv("PGPASSFILE", "/nowhere")


def rows(document):
    return [{name: trial[name] for name in ("number", "state", "params", "value")} for trial in document["trials"]]


def result(capsys, *arguments, code=0):
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_driver_and_database_are_killed_and_the_table_is_that_of_an_undisturbed_study(
    postgres_server, postgres_url, capsys, monkeypatch
):
    whole = result(capsys, *TUNE, "--out", "whole")
    command = [sys.executable, "-m", "trialwise", *TUNE, "--out", "disturbed", "--storage", postgres_url]
    driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    said = ""
    for line in driver.stderr:
        said += line
        if "pruned" in line and "is away" not in said:
            postgres_server.kill()
            threading.Timer(1.0, postgres_server.start).start()
        if "is back" in line:
            break
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stderr.close()
    assert PASSWORD not in said
    assert "trying again" in said

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    until = time.monotonic() + 20
    while (shown := result(capsys, "study", "show", "disturbed"))["status"] == "running":
        assert time.monotonic() < until
    assert shown["status"] == "stopped"
    assert shown["n_trials"] < 12 or shown["counts"]["paused"] > 0
    finished = result(capsys, "study", "resume", "disturbed")
    assert rows(finished) == rows(whole)
    assert "postgresql://trialwise@127.0.0.1" in Path("disturbed/run.json").read_text()

    name = json.loads(Path("disturbed/run.json").read_text())["study_name"]
    assert name.startswith("disturbed-")
    seen = optuna.load_study(study_name=name, storage=(storage := optuna.storages.RDBStorage(postgres_url)))
    assert [trial.value for trial in seen.trials] == [trial["value"] for trial in finished["trials"]]
    storage.remove_session()
    storage.engine.dispose()
    table = subprocess.run(
        [
            Path(sys.executable).with_name("optuna"),
            "trials",
            "--storage",
            postgres_url,
            "--study-name",
            name,
            "-f",
            "json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(table.stdout)) == 12
    (row,) = result(capsys, "study", "list", "--storage", postgres_url)["studies"]
    assert (row["study"], row["n_trials"], row["status"]) == (name, 12, "not running")
    assert row["run"] == str(Path("disturbed").absolute())


def test_no_password_is_written_or_printed(postgres_url, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["trialwise", "optimize", "--storage", postgres_url])
    assert run(["optimize", "quadratic", "--trials", "3", "--storage", postgres_url, "--out", "one"]) == 0
    assert run(["study", "resume", "one", "--trials", "4", "--storage", postgres_url]) == 0
    storage_urls._passwords.clear()
    assert run(["study", "resume", "one", "--trials", "5"]) == 2
    assert run(["optimize", "quadratic", "--storage", postgres_url.replace("/test_", "/nosuch_"), "--out", "two"]) == 2
    assert run(["optimize", "quadratic", "--storage", postgres_url.replace("@", "x@", 1), "--out", "two"]) == 2
    out, err = capsys.readouterr()
    assert "asks for a password" in err
    assert "PGPASSWORD" in err
    assert not Path("two").exists()
    secret = postgres_url[postgres_url.index(":", 12) + 1 : postgres_url.rindex("@")]
    written = [path.read_bytes() for path in Path("one").rglob("*") if path.is_file()]
    assert len(written) > 2
    for text in (out.encode(), err.encode(), *written):
        assert PASSWORD.encode() not in text
        assert secret.encode() not in text
    assert json.loads(Path("one/run.json").read_text())["command"][-1].startswith("postgresql://trialwise@")


def test_sqlite_gives_the_table_of_the_journal(capsys):
    journal = result(capsys, *TUNE, "--out", "a")
    database = result(capsys, *TUNE, "--out", "b", "--storage", "sqlite:///studies.db")
    assert rows(journal) == rows(database)
    assert not Path("b/study.journal").exists()
    assert result(capsys, "study", "show", "b")["storage"] == f"sqlite:///{Path('studies.db').absolute()}"


def test_a_study_that_went_on_shows_nothing_of_its_earlier_end_as_its_own(capsys):
    ended = result(capsys, *TUNE, "--out", "runs/one")
    assert result(capsys, "study", "show", "runs/one")["verdict"] == ended["verdict"]
    folder = RunFolder.open("runs/one")
    folder.reopen()  # as a driver does that is killed a little later
    study = Study(folder.path)
    study.ask(12, optuna.samplers.RandomSampler(seed=1), space_from_document(folder.settings["space"]))
    study.report(12, 9, -1.0, {})
    study.tell(12, TrialState.COMPLETE, value=-1.0)
    shown = result(capsys, "study", "show", "runs/one")
    assert (shown["status"], shown["n_trials"], shown["best"]["number"]) == ("stopped", 13, 12)
    assert [shown[name] for name in ("gain", "optimism", "verdict", "default")] == [None] * 4
    (row,) = result(capsys, "study", "list")["studies"]
    assert row["best_value"] == -1.0
    compared = result(capsys, "study", "compare", "runs/one", "runs/one")
    assert compared["studies"][0]["seconds"] == study.seconds > 0


def test_other_peoples_studies_of_several_goals_hide_nothing(capsys, tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    result(capsys, "optimize", "quadratic", "--trials", "3", "--out", "one", "--storage", url)
    optuna.create_study(storage=url, study_name="theirs", directions=["minimize", "maximize"])
    mine, theirs = result(capsys, "study", "list", "--storage", url)["studies"]
    assert (mine["n_trials"], theirs["status"]) == (3, "unreadable")
    assert run(["study", "list", "--storage", url]) == 0
    assert "theirs: unreadable: the study theirs has 2 goals" in capsys.readouterr().out


def test_a_study_goes_on_where_its_database_has_moved_to_and_nowhere_else(capsys):
    result(capsys, "optimize", "branin", "--trials", "4", "--out", "a", "--storage", "sqlite:///old.db")
    whole = result(capsys, "optimize", "branin", "--trials", "6", "--out", "b")
    assert run(["study", "resume", "a", "--trials", "6", "--storage", "sqlite:///empty.db"]) == 2
    assert "holds no study a-" in capsys.readouterr().err
    Path("old.db").rename("new.db")
    assert run(["study", "show", "a"]) == 2
    moved = result(capsys, "study", "resume", "a", "--trials", "6", "--storage", "sqlite:///new.db")
    assert rows(moved) == rows(whole)
    assert result(capsys, "study", "show", "a")["n_trials"] == 6
    assert run(["study", "resume", "b", "--storage", "sqlite:///new.db"]) == 2
    assert "is in its run folder" in capsys.readouterr().err


def test_studies_are_exported_to_the_last_digit(capsys):
    document = result(capsys, *TUNE, "--out", "a")
    answer = result(capsys, "study", "export", "a", "--to", "a.csv", "--scores-to", "scores.csv")
    assert answer["n_trials"] == 12
    with Path("a.csv").open(newline="") as lines:
        table = list(csv.DictReader(lines))
    trials = document["trials"]
    assert [row["state"] for row in table] == [trial["state"] for trial in trials]
    assert [float(row["value"]) for row in table] == [trial["value"] for trial in trials]
    assert [float(row["param.x"]) for row in table] == [trial["params"]["x"] for trial in trials]
    assert {row["param.kind"] for row in table} == {"plain", "'=SUM(1)"}
    with Path("scores.csv").open(newline="") as lines:
        scores = list(csv.DictReader(lines))
    assert len(scores) == answer["n_scores"] == sum(int(row["epochs"]) for row in table)

    assert run(["study", "export", "a", "--to", "a.parquet"]) == 0
    columns = pyarrow.parquet.read_table("a.parquet").to_pydict()
    assert columns["value"] == [trial["value"] for trial in trials]
    assert columns["param.kind"] == [trial["params"]["kind"] for trial in trials]
    capsys.readouterr()
    for bad, message in (("a.csv", "is there already"), ("a.xlsx", "ends in .csv"), ("no/a.csv", "no folder")):
        assert run(["study", "export", "a", "--to", bad]) == 2
        assert message in capsys.readouterr().err


def test_studies_side_by_side(capsys):
    for name, more in (("a", []), ("b", ["--seed", "6"]), ("c", ["--sampler", "random"])):
        result(capsys, *TUNE, *more, "--out", name)
    document = result(capsys, "study", "compare", "a", "b", "c")
    assert document["settings"]["search.sampler"] == ["auto", "auto", "random"]
    assert [row["runs"] for row in document["over_seeds"]] == [["a", "b"]]
    for row in document["studies"]:
        assert row["best_so_far"][-1][1] == row["best_value"]
        assert row["epochs"] >= document["common_epochs"]
    assert min(row["epochs"] for row in document["studies"]) == document["common_epochs"]
    assert "one draw" in document["sentence"]
    assert run(["study", "compare", "a", "b"]) == 0
    assert "spread between seeds" in capsys.readouterr().out
    assert run(["study", "compare", "a"]) == 2
    assert run(["optimize", "quadratic", "--trials", "2", "--out", "d"]) == 0
    assert run(["study", "compare", "a", "d"]) == 2
    assert "different work" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["folder", "sqlite"])
def test_the_dashboard_answers_on_this_machine_and_ends_with_ctrl_c(where):
    storage = {"folder": None, "sqlite": "sqlite:///studies.db"}[where]
    api.optimize("quadratic", trials=3, out=Path("one"), storage=storage)
    command = [sys.executable, "-m", "trialwise", "study", "dashboard", storage or "one", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}api/studies", timeout=20) as answer:
            (study,) = json.load(answer)["study_summaries"]
        assert study["study_name"].startswith("one")
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.communicate()


def test_a_dashboard_without_its_package_or_port(capsys, monkeypatch):
    api.optimize("quadratic", trials=1, out=Path("one"))
    assert run(["study", "dashboard", "one", "--port", "99999"]) == 2
    assert "--port 99999" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["study", "dashboard", "one"]) == 2
    assert "trialwise[dashboard]" in capsys.readouterr().err

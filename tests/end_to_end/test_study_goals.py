"""`tune --from-study` and `tune --also` as a user runs them."""

import itertools
import json
import shutil
from pathlib import Path

import pytest

from trialwise.cli.app import run

OBJECTIVE = """
def objective(config, trial):
    trial.notes["size"] = 100 * config["width"]
    trial.notes["kind"] = "small"
    for epoch in trial.remaining_epochs():
        trial.notes["last"] = epoch
        yield (config["x"] - 0.7) ** 2 + 1 / config["width"] + 1 / epoch
"""
SPACE = """
[x]
low = 0.0
high = 1.0
default = 0.1
[width]
low = 1
high = 50
default = 20
"""
TUNE = ["tune", "model:objective", "--space", "space.toml", "--epochs", "3", "--sampler", "tpe", "--json"]


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(OBJECTIVE)
    (tmp_path / "space.toml").write_text(SPACE)


@pytest.fixture
def tuned(model, capsys):
    def tune(*arguments):
        assert run([*TUNE, *arguments]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), " ".join(err.split())

    return tune


def rows(document):
    return [{k: t[k] for k in ("number", "state", "params", "value")} for t in document["trials"]]


def test_a_study_starts_from_an_earlier_one_and_says_what_came_of_it(tuned, capsys):
    earlier, _ = tuned("--trials", "18", "--workers", "2", "--out", "earlier")
    start = ["--from-study", "earlier", "--lockstep", "--seed", "5"]
    whole, said = tuned(*start, "--trials", "18", "--workers", "2", "--out", "whole")
    complete = sorted((t["value"], t["number"]) for t in earlier["trials"] if t["state"] == "complete")
    best = [earlier["trials"][number]["params"] for _, number in complete if number][:3]
    assert [t["params"] for t in whole["trials"][1 : 1 + len(best)]] == best
    assert whole["trials"][0]["params"] == {"x": 0.1, "width": 20}
    found = whole["transfer"]
    assert found["groups"]["earlier best"]["trials"] == list(range(1, 1 + len(best)))
    numbers = sorted(n for group in found["groups"].values() for n in group["trials"])
    assert numbers == list(range(1, 18))
    assert found["winner"] in ("default", "earlier best", "from both", "own")
    assert "starting from earlier" in said
    assert "One study is one draw" in said
    assert "What came of the earlier study" in Path("whole/report.html").read_text()

    tuned(*start, "--trials", "9", "--workers", "1", "--out", "parts")
    shutil.rmtree("earlier")
    assert run(["study", "resume", "parts", "--trials", "18", "--json"]) == 0
    assert rows(json.loads(capsys.readouterr().out)) == rows(whole)


def test_without_lockstep_an_earlier_study_is_started_from_too(tuned):
    tuned("--trials", "18", "--workers", "2", "--out", "earlier")
    found, _ = tuned("--from-study", "earlier", "--trials", "30", "--workers", "2", "--out", "later")
    numbers = found["transfer"]["groups"]["from both"]["trials"]
    assert numbers == list(range(4, 30, 2))


def test_the_front_of_two_goals_is_in_the_result_and_in_the_report(tuned):
    document, _ = tuned("--also", "size", "--trials", "18", "--workers", "1", "--out", "both")
    assert document["also"] == {"name": "size", "direction": "minimize"}
    complete = {t["number"]: t for t in document["trials"] if t["state"] == "complete"}
    front = document["pareto"]
    assert document["best"]["number"] in {row["number"] for row in front}
    assert all(row["value"] == complete[row["number"]]["value"] for row in front)
    assert all(row["size"] == 100 * complete[row["number"]]["params"]["width"] for row in front)
    for a, b in itertools.pairwise(front):
        assert a["size"] < b["size"]
        assert a["value"] > b["value"]
    page = Path("both/report.html").read_text()
    assert "Two goals: score and size" in page
    assert "on the front of score and size" in page


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--also", "sizes"], "unknown note 'sizes'", "did you mean 'size'? (notes that are numbers: last, size)"),
        (["--also", "kind"], "expected a number, got 'small'", "notes that are numbers: last, size"),
    ],
)
def test_a_note_that_no_trial_has_ends_the_study_with_the_first_complete_trial(model, capsys, arguments, message, hint):
    assert run([*TUNE, *arguments, "--workers", "1", "--out", "wrong"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert message in error
    assert hint in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--also", "size:up"], "expected NAME, NAME:min or NAME:max"),
        (["--from-study", "nowhere"], "no such run folder: nowhere"),
    ],
)
def test_what_is_known_to_be_wrong_is_refused_before_a_run_is_made(model, capsys, arguments, message):
    assert run([*TUNE, *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()


def test_a_study_of_other_parameters_is_refused(tuned, capsys):
    tuned("--trials", "2", "--workers", "1", "--out", "earlier")
    assert run(["tune", "model:objective", "--param", "y=0:1", "--from-study", "earlier"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "no parameter in common" in error
    assert "it searched width, x; this study searches y" in error
    assert run(["image", "tune", "digits", "--also", "n_parms"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "did you mean 'n_params'?" in error
    assert not Path("runs").exists()

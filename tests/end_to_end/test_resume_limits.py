"""`study resume` with another limit than the study was made for."""

import json

import pytest

from trialwise.cli.app import run

MODEL = """
def objective(config, trial):
    for epoch in trial.remaining_epochs():
        yield config["x"] ** 2 + 1 / epoch
"""
TUNE = ["tune", "bowl:objective", "--param", "x=-1.0:1.0", "--epochs", "9", "--workers", "1", "--confirm", "0"]


@pytest.fixture
def ended(tmp_path, monkeypatch, capsys):
    """A function that runs a study to its end in the run folder "study"."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bowl.py").write_text(MODEL)

    def tuned(*limits):
        assert run([*TUNE, *limits, "--out", "study", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return tuned


def resumed(capsys, *limits):
    assert run(["study", "resume", "study", *limits, "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


@pytest.mark.parametrize(
    ("first", "more", "stopped_by"),
    [
        (["--trials", "6"], ["--trials", "12"], "trials"),
        (["--epochs-total", "30"], ["--epochs-total", "90"], "epochs"),
        (["--until-plateau", "4"], ["--until-plateau", "60", "--trials", "80"], None),
        (["--trials", "90", "--target", "0.9"], ["--target", "0.11112"], None),
        (["--minutes", "0.001"], ["--minutes", "5", "--trials", "30"], "trials"),
    ],
)
def test_a_larger_limit_lets_an_ended_study_go_on(ended, capsys, first, more, stopped_by):
    before = ended(*first)
    after, said = resumed(capsys, *more)
    assert after["n_trials"] > before["n_trials"]
    assert after["trials"][: before["n_trials"]] == before["trials"]
    assert stopped_by in (None, after["stopped_by"])
    assert "no new trial begins" not in said
    again, said = resumed(capsys)  # the new limit is the study's from now on
    if stopped_by != "epochs":  # a few may be left, too few for the trial that was next, enough for a new one
        assert again["trials"] == after["trials"]
        assert "no new trial begins" in said


@pytest.mark.parametrize(
    ("less", "words"),
    [
        (["--trials", "3"], "6 trials are begun and --trials is 3"),
        (["--epochs-total", "2"], "epochs are used and --epochs-total is 2"),
        (["--minutes", "0.000001"], "minutes are used and --minutes is 1e-06"),
        (["--target", "5", "--trials", "50"], "and --target is 5.0: no new trial begins; another --target lets"),
    ],
)
def test_less_than_was_used_ends_the_study_with_one_sentence(ended, capsys, less, words):
    before = ended("--trials", "6")
    after, said = resumed(capsys, *less)
    assert said.count("no new trial begins") == 1
    assert words in said.replace("\n", " ")
    assert after["trials"] == before["trials"]


def test_a_shorter_plateau_is_reached_already(ended, capsys):
    before = ended("--until-plateau", "4")
    after, said = resumed(capsys, "--until-plateau", "1", "--trials", "50")
    assert "were no better and --until-plateau is 1" in said.replace("\n", " ")
    assert after["trials"] == before["trials"]


@pytest.mark.parametrize("limit", [["--trials", "0"], ["--minutes", "-1"], ["--until-plateau", "0"]])
def test_a_limit_that_cannot_be_one_changes_nothing(ended, capsys, limit):
    before = ended("--trials", "6")
    assert run(["study", "resume", "study", *limit]) == 2
    assert f"{limit[0]}: expected" in capsys.readouterr().err
    assert resumed(capsys)[0]["trials"] == before["trials"]

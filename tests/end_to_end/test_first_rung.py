"""`--first-rung`: trials compared after so many epochs, samples, or minutes of training."""

import json
from pathlib import Path

import pytest

from trialwise.cli.app import run

MODEL = """
import time


def objective(config, trial):
    for epoch in trial.remaining_epochs():
        time.sleep(config["width"] / 1000)
        trial.saw(10 * config["width"])
        yield config["x"] ** 2 + 1 / epoch
"""
TUNE = ["tune", "wide:objective", "--param", "x=-1.0:1.0", "--param", "width=1:9", "--epochs", "9", "--confirm", "0"]


@pytest.fixture
def wide(tmp_path):
    (tmp_path / "wide.py").write_text(MODEL)


def tuned(capsys, *arguments):
    assert run([*map(str, arguments), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    return document, json.loads(Path(document["run"], "trials.json").read_text())


def check(trials, unit, first):
    """Pruned trials ended with the epoch that reached a rung."""
    ended = [trial for trial in trials if trial["state"] == "pruned"]
    assert ended
    for trial in ended:
        spent = trial["notes"][f"trialwise:{unit}"]
        assert len(spent) == len(trial["scores"])
        rungs = [first * 3**k for k in range(9) if first * 3**k <= spent[-1]]
        assert rungs
        assert len(spent) == 1 or spent[-2] < rungs[-1]
    return {len(trial["scores"]) for trial in ended}


def test_samples_in_lockstep_for_any_number_of_workers_and_after_more_trials(wide, capsys):
    how = [*TUNE, "--first-rung", "120samples", "--lockstep", "--seed", 1]
    one, trials = tuned(capsys, *how, "--trials", 12, "--workers", 1, "--out", "one")
    assert len(check(trials, "samples", 120)) > 1
    assert one["first_rung"] == "120samples"
    two, _ = tuned(capsys, *how, "--trials", 12, "--workers", 2, "--out", "two")
    assert two["trials"] == one["trials"]
    more, trials = tuned(capsys, "study", "resume", "one", "--trials", 20)
    assert more["trials"][:12] == one["trials"]
    check(trials, "samples", 120)


def test_minutes(wide, capsys):
    _, trials = tuned(capsys, *TUNE, "--first-rung", "0.0002minutes", "--trials", 12, "--workers", 2)
    check(trials, "minutes", 0.0002)


def test_epochs_and_the_prices_own_samples(wide, capsys):
    _, trials = tuned(capsys, *TUNE, "--first-rung", "2", "--trials", 12, "--workers", 1)
    assert {len(trial["scores"]) for trial in trials if trial["state"] == "pruned"} <= {2, 3, 4}
    few = ["--trials", 4, "--confirm", 0, "--workers", 1, "--epochs", 3]
    _, trials = tuned(capsys, "price", "tune", *few, "--first-rung", "1samples")
    check(trials, "samples", 1)


def test_images_say_how_many_samples_they_saw(write_images, tmp_path, capsys):
    data = write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30})
    few = ["--trials", 4, "--epochs", 3, "--max-params", 8000, "--confirm", 0, "--workers", 1]
    _, trials = tuned(capsys, "image", "tune", data, *few, "--first-rung", "10samples")
    check(trials, "samples", 10)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--first-rung", "3hours"], "--first-rung 3hours: expected a number of epochs", "0.5minutes"),
        (["--first-rung", "0.5minutes", "--lockstep"], "--lockstep: no table of trials can be repeated", "samples or"),
        (
            ["--first-rung", "9samples", "--epochs-total", "90"],
            "--epochs-total: with --first-rung 9samples",
            "--minutes",
        ),
        (["--first-rung", "10"], "--first-rung 10: expected at most 9, the epochs of a whole trial", ""),
        (["--first-rung", "2", "--epochs", "1"], "a trial of one epoch is not compared before its end", ""),
    ],
)
def test_what_cannot_be_is_refused_before_a_run_is_made(wide, tmp_path, capsys, arguments, message, hint):
    command = TUNE[:6] + TUNE[8:] if "--epochs" in arguments else TUNE
    assert run([*command, *arguments]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert hint in said
    assert not (tmp_path / "runs").exists()
    assert run(["study", "list"]) == 0


def test_an_objective_that_does_not_count_is_told_how(tmp_path, capsys):
    (tmp_path / "mute.py").write_text("def objective(config, trial):\n    yield from (1.0, 2.0)\n")
    how = ["--param", "x=0.0:1.0", "--epochs", "2", "--first-rung", "9samples", "--workers", "1"]
    assert run(["tune", "mute:objective", *how]) == 1
    assert "trial.saw(n_samples)" in capsys.readouterr().err

"""What a study says of its winner, as a user reads it; the re-runs survive a kill like the trials."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trialwise import tune
from trialwise.base.runs import RunFolder
from trialwise.cli.app import run
from trialwise.reports.results import valid_accuracy
from trialwise.tuning.spaces import Float

COINS = """
import time
import numpy as np

WORTH, SECONDS = {worth}, {seconds}


def objective(config, trial):
    for epoch in trial.remaining_epochs():
        time.sleep(SECONDS)
        (trial.folder / "epoch").write_text(str(epoch))
        right = np.random.default_rng([trial.seed, epoch]).random(500) < 0.5 + WORTH * config["x"]
        trial.keep_rows(epoch, right, baseline_N=np.random.default_rng(1).random(500) < 0.5)
        yield float(right.mean())
"""
OPTIONS = ["--epochs", "3", "--direction", "maximize", "--trials", "9", "--seed", "1", "--lockstep"]


@pytest.fixture
def coins(tmp_path):
    """A function that writes the module of that name: coins that x makes better by `worth`."""

    def write(name, worth=0.0, seconds=0.0):
        (tmp_path / f"{name}.py").write_text(COINS.format(worth=worth, seconds=seconds))
        (tmp_path / "space.toml").write_text("[x]\nlow = 0.0\nhigh = 1.0\ndefault = 0.0\n")
        return ["tune", f"{name}:objective", "--space", "space.toml", *OPTIONS]

    return write


def printed(capsys, *arguments):
    assert run([*map(str, arguments)]) == 0
    return capsys.readouterr()


def test_of_coin_flips_nothing_is_claimed_and_the_cost_is_said_before(coins, capsys):
    out = printed(capsys, *coins("flips"), "--workers", 1, "--out", "study")
    assert "No configuration is better than the default" in out.out
    assert "was luck" in out.out or "may be luck" in out.out
    assert "not better than chance" in out.out
    assert "again on 2 fresh seeds" in out.err
    assert "--confirm 0 leaves it out" in out.err
    page = Path("study/report.html").read_text()
    assert "What the winner is worth" in page
    assert "The best again on fresh seeds" in page
    shown = json.loads(printed(capsys, "study", "show", "study", "--json").out)
    assert set(shown["counts"]) == {"complete", "pruned", "paused", "failed"}
    assert shown["optimism"] > 0
    assert shown["gain_p_value"] > 0.05
    assert shown["corrected"]["ci95"][0] < 0.5 < shown["corrected"]["ci95"][1]
    assert shown["test"] is None
    assert shown["verdict"] in page.replace("&#39;", "'")
    assert shown["verdict"] in printed(capsys, "study", "show", "study").out


def test_a_true_gain_is_claimed_with_its_error(coins, capsys):
    out = printed(capsys, *coins("better", worth=0.4), "--workers", 1, "--out", "study").out
    assert out.startswith("Tuning gained ")
    assert " ± " in out
    assert "not better than chance" not in out


def test_without_confirmation_no_seed_is_run_again(coins, capsys):
    found = json.loads(printed(capsys, *coins("flips"), "--confirm", 0, "--workers", 1, "--out", "s", "--json").out)
    assert found["confirmed"] is None
    assert found["gain"] == found["seen"]
    assert not Path("s/confirmation").exists()
    assert run(["tune", "flips:objective", "--space", "space.toml", "--confirm", "-1"]) == 2
    assert run(["tune", "flips:objective", "--space", "space.toml", "--confirm-seeds", "0"]) == 2


def test_a_study_killed_while_it_confirms_goes_on_to_the_same_end(coins, capsys):
    whole = json.loads(printed(capsys, *coins("slow", seconds=0.02), "--workers", 2, "--out", "whole", "--json").out)
    command = [sys.executable, "-m", "trialwise", *coins("slow", seconds=0.02), "--workers", "2", "--out", "killed"]
    driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(Path("killed/confirmation").glob("*.json"))) < 3:
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.01)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(0.2)
    resumed = json.loads(printed(capsys, "study", "resume", "killed", "--json").out)
    clock = ("run", "seconds", "workers")
    assert {k: v for k, v in resumed.items() if k not in clock} == {k: v for k, v in whole.items() if k not in clock}


@pytest.mark.parametrize("confirm", [0, 2])
def test_the_default_is_measured_on_the_same_test_images(write_images, tmp_path, capsys, confirm):
    data = write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30})
    options = ["--trials", 5, "--epochs", 2, "--max-params", 8000, "--confirm", confirm, "--workers", 1]
    tuned = json.loads(printed(capsys, "image", "tune", data, *options, "--out", "tuned", "--json").out)
    assert (tuned["confirmed"] or {"n_seeds": 0})["n_seeds"] == confirm
    measured = json.loads(printed(capsys, "image", "evaluate", "tuned", "--json").out)
    shown = json.loads(printed(capsys, "study", "show", "tuned", "--json").out)
    assert shown["test"]["ci95"] == measured["test"]["ci95"]
    if tuned["best"]["number"] == 0:
        assert measured["default"] is None
    else:
        found = measured["default"]
        assert found["n"] == measured["test"]["n"] == 18
        assert found["difference"] == pytest.approx(measured["test"]["accuracy"] - found["accuracy"])
        assert "the untuned default gets" in shown["verdict"]


def test_what_was_measured_of_a_former_winner_is_gone(write_images, tmp_path, capsys):
    data = write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30})
    options = ["--trials", 3, "--epochs", 2, "--max-params", 8000, "--confirm", 0, "--workers", 1]
    printed(capsys, "image", "tune", data, *options, "--out", "tuned")
    printed(capsys, "image", "evaluate", "tuned")
    folder = RunFolder.open("tuned")
    assert {"evaluation.json", "test_predictions.npz"} <= {path.name for path in folder.path.iterdir()}
    folder.record["evaluation"]["model"] = "0099"  # as if another trial had been the winner then
    folder.save()
    printed(capsys, "study", "resume", "tuned", "--trials", 4)
    assert RunFolder.open("tuned").record["evaluation"] is None
    assert not {"evaluation.json", "test_predictions.npz"} & {path.name for path in folder.path.iterdir()}


def test_the_validation_accuracy_of_a_study_is_that_of_the_model_it_keeps(tmp_path):
    folder = RunFolder.create("image-tune", {}, seed=0, out=tmp_path / "run")
    again = [{"trial": 0, "values": [0.8, 0.82]}, {"trial": 3, "values": [0.9, 0.94]}]
    folder.finish({"best_value": 0.95, "best_trial": 3, "confirmed": {"trials": again}})
    assert valid_accuracy(folder) == 0.9
    folder.finish({"best_value": 0.95, "best_trial": 3, "confirmed": None})
    assert valid_accuracy(folder) == 0.95


def test_an_objective_without_rows_has_no_optimism():
    def noisy(config, trial):
        for _ in trial.remaining_epochs():
            yield (trial.seed % 1000) / 1000 + config["x"] * 0

    space = {"x": Float(low=0, high=1, default=0.5)}
    found = tune(noisy, space, search={"trials": 6}).result
    assert found["optimism"] is None
    assert found["gain_standard_error"] > 0
    assert "luck" not in found["verdict"].split("seen in validation")[0]

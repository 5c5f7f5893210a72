"""Recipes, time budgets, going on: `image train` and `image resume` as a user runs them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from trialwise import api
from trialwise.base.errors import Interrupted, UserError
from trialwise.cli.app import run
from trialwise.tuning.studies import exclusive


@pytest.fixture
def colours(tmp_path, write_images):
    return write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30})


def trained(*arguments, capsys):
    """The JSON document of an image train in this process."""
    assert run(["image", "train", *map(str, arguments), "--max-params", "8000", "--threads", "1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_training_killed_at_any_epoch_goes_on_to_the_weights_of_one_never_killed(colours, tmp_path, capsys):
    options = ["--epochs", "40", "--set", "average=0.9", "--set", "dropout=0.2"]
    trained(colours, *options, "--out", tmp_path / "whole", capsys=capsys)
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "trialwise", "image", "train", str(colours), "--max-params", "8000"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--threads", "1", *options, "--out", str(killed)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not (killed / "checkpoint.pt").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    if json.loads((killed / "run.json").read_text())["status"] == "complete":
        pytest.skip("the training was over before it could be killed")
    assert run(["image", "resume", str(killed), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["epochs"] == 40
    epochs = [json.loads(line)["epoch"] for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, 41))
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    resumed = load_file(killed / "model.safetensors")
    assert all(bool((whole[name] == resumed[name]).all()) for name in whole)
    assert not (killed / "checkpoint.pt").exists()
    assert run(["image", "resume", str(killed)]) == 2
    assert "is complete: there is nothing left to train" in capsys.readouterr().err


def test_a_recipe_gives_the_settings_and_an_option_changes_one(colours, tmp_path, capsys):
    document = trained(colours, "--recipe", "cifar10_minute", "--epochs", 2, "--out", tmp_path / "run", capsys=capsys)
    assert document["recipe"] == "cifar10_minute"
    settings = json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["train"]
    assert settings["epochs"] == 2
    assert settings["network"]["mirrored"] == "on"
    document = trained(colours, "--epochs", 1, "--set", "separable=true", capsys=capsys)
    assert document["architecture"]["separable"] is True
    assert document["architecture"]["mirrored"] is False
    assert trained(colours, "--epochs", 1, capsys=capsys)["recipe"] == "folder_small"


def test_minutes_become_epochs_at_the_speed_measured_here(colours, tmp_path, capsys):
    document = trained(colours, "--minutes", "0.05", "--out", tmp_path / "run", capsys=capsys)
    assert document["epochs"] > 1
    assert document["epochs"] == json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["train"]["epochs"]
    with pytest.raises(UserError, match="one epoch takes"):
        api.train(str(colours), minutes=1e-6)


def test_minutes_come_with_what_such_a_run_has_given(colours, tmp_path, capsys):
    command = ["image", "train", str(colours), "--max-params", "8000", "--minutes", "0.03"]
    assert run(command) == 0
    assert "no training of this data is on record here" in capsys.readouterr().err
    assert run(command) == 0
    assert "an earlier training of this data gave" in capsys.readouterr().err


def test_the_size_and_the_cost_are_said_before_training(colours, capsys):
    assert run(["image", "train", str(colours), "--epochs", "1", "--max-params", "8000"]) == 0
    text = capsys.readouterr().err
    assert "parameters" in text
    assert "million multiply-adds and" in text
    assert "us an image in training here; 1 epochs of" in text


def test_a_trained_model_is_gone_on_from(colours, tmp_path, write_images, capsys):
    trained(colours, "--epochs", 4, "--out", tmp_path / "first", capsys=capsys)
    other = write_images(tmp_path / "other", {"cat": 30, "dog": 30})
    found = trained(other, "--epochs", 15, "--from", tmp_path / "first", capsys=capsys)
    assert found["valid"]["accuracy"] > 0.9
    assert found["data"]["classes"] == ["cat", "dog"]
    given = ["image", "train", str(other), "--from", str(tmp_path / "first"), "--set", "family=plain"]
    assert run(given) == 2
    assert "--family cannot be changed: the model to go on from decides it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe", "cifar10_fastest"], "cifar10_fast"),
        (["--minutes", "0"], "--minutes: expected more than 0"),
        (["--minutes", "1", "--epochs", "3"], "--minutes and --epochs both say how long to train"),
        (["--set", "cutout"], "--set cutout: expected NAME=VALUE"),
        (["--set", "cutot=8"], "did you mean 'cutout'?"),
        (["--set", "cutout=deep"], "--set: cutout: expected int, got 'deep'"),
        (["--set", "family=plain", "--set", "mirrored=on"], "a plain network has no mirrored filters"),
        (["--set", "separable=true", "--set", "mirrored=on"], "separable convolutions have no mirrored filters"),
        (["--set", "family=plain", "--set", "small_share=0.5"], "a plain network takes images of one size only"),
        (["--from", "nowhere"], "no such run folder: nowhere"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_is_left(options, message, colours, capsys, tmp_path):
    assert run(["image", "train", str(colours), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_only_a_training_is_gone_on_with(tmp_path, capsys):
    assert run(["optimize", "--trials", "2", "--out", str(tmp_path / "study")]) == 0
    assert run(["image", "resume", str(tmp_path / "study")]) == 2
    assert "is a run of optimize: expected one of image train" in capsys.readouterr().err


def test_a_training_that_goes_on_forgets_the_test_of_its_earlier_weights(colours, tmp_path, monkeypatch, capsys):
    def stop(event):
        if getattr(event, "epoch", None) == 2:
            raise KeyboardInterrupt

    settings = {"max_params": 8000, "epochs": 4}
    with pytest.raises(Interrupted):
        api.train(str(colours), settings=settings, n_threads=1, out=tmp_path / "run", watch=stop)
    assert api.evaluate(tmp_path / "run")["times_opened"] == 1
    resumed = api.resume_training(tmp_path / "run")
    assert "test images" not in resumed.result["verdict"] or "not read" in resumed.result["verdict"]
    assert resumed.record["evaluation"] is None
    assert not (tmp_path / "run" / "test_predictions.npz").exists()
    assert api.evaluate(tmp_path / "run")["times_opened"] == 2


def test_images_that_an_earlier_model_was_trained_on_are_no_test(tmp_path, write_images, capsys):
    pets = write_images(tmp_path / "pets", {"cat": 40, "dog": 40})
    first = api.train(str(pets), settings={"max_params": 8000, "epochs": 1}, seed=3, n_threads=1, out=tmp_path / "a")
    same = api.train(str(pets), settings={"epochs": 1}, start_from=first, seed=4, n_threads=1, out=tmp_path / "b")
    assert same.settings["split_seed"] == 3
    few = {"epochs": 1, "max_params": 8000, "valid_fraction": 0.1}
    first_few = api.train(str(pets), settings=few, seed=3, n_threads=1, out=tmp_path / "few")
    again = api.train(str(pets), settings={"epochs": 1}, start_from=first_few, n_threads=1, out=tmp_path / "again")
    assert again.settings["train"]["valid_fraction"] == 0.1
    with pytest.raises(UserError, match=r"valid_fraction=0\.3: on the images of .* it is 0\.1"):
        api.train(str(pets), settings={"valid_fraction": 0.3}, start_from=first_few, out=tmp_path / "other")
    assert api.evaluate(same)["test"]["n_seen_in_training"] == 0
    write_images(pets / "new", {"cat": 40, "dog": 40})
    for image in (pets / "new").glob("*/*.png"):
        image.rename(pets / image.parent.name / f"new-{image.name}")
    shutil.rmtree(pets / "new")
    notes = []
    more = api.train(
        str(pets), settings={"epochs": 1}, start_from=first, n_threads=1, out=tmp_path / "c",
        watch=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    assert any("validation images are among those of" in note for note in notes)
    found = api.evaluate(more)["test"]
    assert found["n_seen_in_training"] > 0
    assert found["n"] + found["n_seen_in_training"] == more.result["data"]["n_test"]


def test_data_in_the_home_folder_is_found_again(colours, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    run = api.train("~/colours", settings={"max_params": 8000, "epochs": 1}, n_threads=1, out=tmp_path / "run")
    assert run.settings["data"] == str(tmp_path / "colours")
    assert api.evaluate(run)["test"]["n"]


def test_nothing_is_evaluated_while_it_is_worked_on(colours, tmp_path):
    run = api.train(str(colours), settings={"max_params": 8000, "epochs": 1}, n_threads=1, out=tmp_path / "run")
    with exclusive(run.path), pytest.raises(UserError, match="is running now"):
        api.evaluate(run)

"""`trialwise tune` as a user runs it, with the model of docs/guides/own-model.md."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trialwise import Choice, Float, api, tune
from trialwise.base.errors import UserError
from trialwise.base.files import file_sha256
from trialwise.base.runs import RunFolder
from trialwise.cli.app import run

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "own-model.md"


@pytest.fixture
def guide(tmp_path, monkeypatch):
    """The guide's module and space in the current folder; the lines of its command."""
    blocks = re.findall(r"```(python|toml|bash)\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    (tmp_path / "digits_mlp.py").write_text(blocks[0][1])
    (tmp_path / "space.toml").write_text(blocks[1][1])
    (tmp_path / "script.py").write_text(blocks[3][1])
    monkeypatch.chdir(tmp_path)
    return blocks[2][1].split()


def rows(document):
    return [{k: t[k] for k in ("number", "state", "params", "value")} for t in document["trials"]]


def test_the_guides_model_is_tuned_and_the_study_survives_a_kill(guide, capsys):
    assert run([*guide[1:], "--json", "--workers", "1"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["n_trials"] == 20
    assert whole["default"]["params"] == {"hidden": 32, "optimizer": "adam", "rate": 1e-3}
    assert whole["default"]["state"] == "complete"
    assert whole["counts"]["pruned"] > 0
    assert whole["best"]["value"] <= whole["default"]["value"]
    assert all(("momentum" in t["params"]) == (t["params"]["optimizer"] == "sgd") for t in whole["trials"])
    best = Path("digits-study/best.toml").read_text()
    assert f"hidden = {whole['best_params']['hidden']}" in best
    page = Path("digits-study/report.html").read_text()
    assert "Tuning on digits_mlp:objective" in page
    assert page.count("momentum") >= 1

    command = [sys.executable, "-m", "trialwise", *guide[1:-1], "killed", "--workers", "1"]
    driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    for line in driver.stderr:
        if "paused" in line:
            break
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stderr.close()
    time.sleep(0.1)
    assert run(["study", "resume", "killed", "--json"]) == 0
    assert rows(json.loads(capsys.readouterr().out)) == rows(whole)


KILLS = """
            if trial.number == {number} and epoch == {epoch} and not Path("killed-once").exists():
                Path("killed-once").touch()
                os.kill(os.getppid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("number", "epoch"), [(0, 2), (2, 1)])
def test_an_epoch_that_was_saved_when_the_study_died_is_not_trained_twice(guide, capsys, number, epoch):
    """The worker kills its driver after the checkpoint of an epoch, before the score of it can be on record."""
    few = ["--epochs", "3", "--trials", "5", "--workers", "1", "--lockstep", "--confirm", "0"]
    command = [word for word in guide[1 : guide.index("--epochs")]] + few
    assert run([*command, "--out", "whole", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    text = Path("digits_mlp.py").read_text()
    saved = "            checkpoint.save(parts, history)\n"
    assert saved in text
    kills = "import os, signal\nfrom pathlib import Path\n" + text.replace(
        saved, saved + KILLS.format(number=number, epoch=epoch)
    )
    Path("digits_mlp.py").write_text(kills)
    killed = subprocess.run(
        [sys.executable, "-m", "trialwise", *command, "--out", "killed"], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert run(["study", "resume", "killed", "--json"]) == 0
    assert rows(json.loads(capsys.readouterr().out)) == rows(whole)


def test_the_guides_script_runs(guide):
    text = Path("script.py").read_text().replace('"trials": 20, "workers": 2', '"trials": 3, "workers": 1')
    Path("script.py").write_text(text)
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The winner of 3 trials on digits_mlp:objective" in done.stdout


WITHOUT_CHECKPOINT = """
def objective(config, trial):
    print("loud")
    state = 100.0
    for epoch in range(trial.epochs_done):
        assert False, "nothing was saved, so the first epoch comes first"
    for epoch in trial.remaining_epochs():
        state = state * config["x"] + trial.seed % 7
        yield state
"""


def test_an_objective_that_saves_nothing_gets_the_scores_of_one_never_paused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unsaved.py").write_text(WITHOUT_CHECKPOINT)
    arguments = ["tune", "unsaved:objective", "--param", "x=0.1:0.9", "--epochs", "9", "--trials", "9", "--json"]
    assert run([*arguments, "--workers", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    best = document["best"]
    state = 100.0
    for record in json.loads(Path(document["run"], "trials.json").read_text()):
        if record["number"] == best["number"]:
            step = record["scores"]["1"] - 100.0 * best["params"]["x"]
    for _ in range(9):
        state = state * best["params"]["x"] + step
    assert best["value"] == pytest.approx(state, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["nowhere:objective", "--param", "x=0:1"], "no module named 'nowhere'", "nowhere.py"),
        (["objective", "--param", "x=0:1"], "expected module:function", "mymodule:objective"),
        (["given:wrong", "--param", "x=0:1"], "cannot be called with a configuration and a trial", "trial.remaining"),
        (["given:right"], "the space is empty", "Float"),
        (["given:right", "--space", "typo.toml"], "unknown option 'hihg'", "did you mean 'high'"),
        (["given:right", "--space", "orphan.toml"], "unknown parameter 'optimiser'", "did you mean 'optimizer'"),
        (["given:right", "--space", "partly.toml"], "no default for y", "every parameter, or for none"),
        (["given:right", "--param", "x=0:1", "--epochs", "0"], "--epochs: expected at least 1", ""),
        (["given:right", "--param", "x=0:1", "--trials", "0"], "--trials: expected at least 1", ""),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_one_message(tmp_path, monkeypatch, capsys, arguments, message, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.py").write_text("def wrong(x): return x\n\n\ndef right(config, trial): yield 1.0\n")
    (tmp_path / "typo.toml").write_text("[x]\nlow = 0.0\nhihg = 1.0\nhigh = 2.0\n")
    (tmp_path / "orphan.toml").write_text(
        '[optimizer]\nchoices = ["a"]\n[x]\nlow = 0.0\nhigh = 1.0\nwhen = { optimiser = "a" }\n'
    )
    (tmp_path / "partly.toml").write_text("[x]\nlow = 0\nhigh = 9\ndefault = 3\n[y]\nlow = 0\nhigh = 9\n")
    assert run(["tune", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert hint in error
    assert not (tmp_path / "runs").exists()


def test_a_function_defined_in_a_notebook_runs_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notes = []
    found = tune(
        lambda config, trial: abs(config["x"] - 0.25) + (config["kind"] == "b"),
        {"x": Float(low=0, high=1), "kind": Choice(choices=("a", "b"))},
        search={"trials": 12},
        out=tmp_path / "here",
        watch=notes.append,
    )
    assert found.result["workers"] == 1
    assert found.result["best"]["value"] < 0.25
    assert any("cannot be imported" in getattr(event, "text", "") for event in notes)
    with pytest.raises(UserError, match="defined in a notebook"):
        api.resume(found)


UNGUARDED = """
from trialwise import Float, tune

def objective(config, trial):
    for epoch in trial.remaining_epochs():
        yield config["x"] ** 2 + 1 / epoch

tune(objective, {"x": Float(low=-3.0, high=3.0)}, search={"trials": 4, "workers": 2}, epochs=3)
"""


def test_a_script_without_a_guard_stops_at_once_and_is_told_why(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no worker process can start" in done.stderr.splitlines()[-2]
    assert 'if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    assert done.stderr.count("a worker process imports the script that started it") <= 2
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.parametrize("command", [["tune", "moving:right"], ["optimize", "moving:loss"]])
def test_code_that_changed_since_the_study_began_is_told_of_on_resume(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "moving", raising=False)
    source = "def right(config, trial): yield config['x']\n\n\ndef loss(x): return x\n"
    (tmp_path / "moving.py").write_text(source)
    assert run([*command, "--param", "x=0.0:1.0", "--trials", "2", "--out", "study", "--json"]) == 0
    assert "has changed" not in capsys.readouterr().err
    code = RunFolder.open("study").settings["code"]
    assert code == {"file": str(tmp_path / "moving.py"), "sha256": file_sha256(tmp_path / "moving.py")}
    assert code["sha256"] in Path("study/report.html").read_text()
    assert run(["study", "resume", "study", "--trials", "3"]) == 0
    assert "has changed" not in capsys.readouterr().err
    (tmp_path / "moving.py").write_text(source + "\n# another thought\n")
    assert run(["study", "resume", "study", "--trials", "4"]) == 0
    assert "moving.py has changed since this study began" in capsys.readouterr().err


def test_a_space_may_be_written_as_toml_would_say_it(tmp_path):
    space = {"x": {"low": 0.0, "high": 1.0}, "kind": {"choices": ["a", "b"]}}
    found = tune(lambda config, trial: config["x"], space, search={"trials": 2}, out=tmp_path / "run")
    assert set(found.result["best"]["params"]) == {"x", "kind"}
    with pytest.raises(UserError, match="x: expected low and high, or choices"):
        tune(lambda config, trial: config["x"], {"x": {"lo": 0.0, "high": 1.0}}, out=tmp_path / "other")
    with pytest.raises(UserError, match=r"\[x\]: expected a parameter, got \(0, 1\)"):
        tune(lambda config, trial: config["x"], {"x": (0, 1)}, out=tmp_path / "other")


def test_an_objective_that_cannot_be_sent_to_another_process_is_refused(tmp_path):
    search = {"trials": 2, "trial_minutes": 1}
    with pytest.raises(UserError, match="this objective cannot be sent to one"):
        tune(lambda config, trial: config["x"], {"x": Float(low=0, high=1)}, search=search, out=tmp_path / "run")

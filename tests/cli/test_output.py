import json
import subprocess
import sys
from pathlib import Path

from trialwise.api.runs import Part, Stage
from trialwise.cli.output import give, watching
from trialwise.training.loop import EpochResult
from trialwise.tuning.driver import TrialEvent

EVENTS = [
    Stage(name="reading images", done=1, total=9),
    Stage(name="reading images", done=2, total=9),
    Part(name="tune on cats", total=3),
    TrialEvent(kind="score", number=0, config={}, epoch=1, score=0.5),
    TrialEvent(kind="pruned", number=0, config={}, epoch=1, score=0.5),
    TrialEvent(kind="failed", number=1, config={}, reason="ValueError: too wide"),
    TrialEvent(kind="complete", number=2, config={}, epoch=9, score=0.75),
    EpochResult(epoch=2, train_loss=1.0, valid={"loss": 0.5}, learning_rate=0.1, seconds=1.25),
]


def test_people_read_plain_lines_on_stderr_where_there_is_no_terminal(capsys):
    with watching() as watch:
        for event in EVENTS:
            watch(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "reading images",
        "tune on cats",
        "  trial 0 pruned after 1 epoch: 0.5",
        "  trial 1 failed: ValueError: too wide",
        "  trial 2 complete: 0.75",
        "  epoch 2/3: validation loss 0.5 (1.2 s)",
    ]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with watching() as watch:
        for event in EVENTS:
            watch(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert "tune on cats" in err


def test_data_goes_to_stdout_and_to_a_new_folder(capsys, tmp_path):
    give({"a": [1.5, None]}, "words", json=True, out=tmp_path / "new")
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None]}
    assert json.loads((tmp_path / "new" / "result.json").read_text()) == {"a": [1.5, None]}
    give({}, "words", json=False)
    assert capsys.readouterr().out == "words\n"


def test_a_reader_that_goes_and_a_full_disk_leave_no_traceback():
    command = f"{sys.executable} -m trialwise completion bash"
    piped = subprocess.run(["bash", "-c", f"{command} | head -1"], capture_output=True, text=True, check=False)
    assert (piped.stdout, piped.stderr) == ("# Bash completion for trialwise\n", "")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trialwise", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: writing: No space left on device\n")
    assert done.stderr.count("error") == 1

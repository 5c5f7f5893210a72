"""Bad input gets one message that names the file, and exit 2; nothing is half-written."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trialwise.cli.app import run


@pytest.fixture
def refused(capsys, tmp_path):
    """A function that runs a command in this process; it must exit with 2 and leave no run behind."""

    def check(*arguments, code=2):
        assert run([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("error: ") == 1
        assert "Traceback" not in err
        assert not (tmp_path / "runs").exists()
        return " ".join(err.split())

    return check


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("optimize quadratic --trials 0", "--trials: expected at least 1, got 0"),
        ("optimize quadratic --trials x", "--trials"),
        ("optimize quadratik", "did you mean 'quadratic'?"),
        ("optimize quadratic --center 1", "--center: expected two numbers"),
        ("optimize quadratic --center a,b", "--center: expected two numbers"),
        ("optimize no_such:f --param x=0:1", "no module named 'no_such'"),
        ("optimize os:getcwd", "needs a space"),
        ("optimize branin --param x=0:1", "has its own space"),
        ("optimize quadratic --sampler magic", "magic"),
        ("optimize quadratic --space missing.toml", "no such file: missing.toml"),
        ("image tune digits --trials 0", "--trials: expected at least 1"),
        ("image tune digits --workers 0", "--workers: expected at least 1"),
        ("image train digits --threads 0", "--threads: expected at least 1"),
        ("image train digits --freeze body", "--freeze body: nothing is trained yet"),
        ("image tune digits --from-study nowhere", "no such run folder: nowhere"),
        ("price tune --also n_parms", "did you mean 'n_params'?"),
        ("image train digits --epochs 0", "--epochs: expected at least 1"),
        ("image train digits --learning-rate 0", "--learning-rate: expected more than 0"),
        ("image train digits --max-params 10", "--max-params 10: the smallest network"),
        ("image train digits --learning-rat 0.1", "--learning-rate"),
        ("image train missing-folder", "missing-folder"),
        ("image train cifar11", "did you mean 'cifar10'?"),
        ("image evaluate missing-run", "no such run folder: missing-run"),
        ("image compare", "expected two runs to compare, got 0"),
        ("image compare missing-run other-run", "no such run folder: missing-run"),
        ("price backtest missing.csv", "missing.csv"),
        ("price backtest --test-fraction 0.9", "--test-fraction: expected"),
        ("study resume missing-run", "no such run folder"),
        ("study show missing-run", "no such run folder"),
        ("report", "at least one run folder"),
        ("report missing-run", "no such run folder"),
        ("fly", "fly"),
        ("image", "--help"),
    ],
)
def test_usage(refused, arguments, message):
    if arguments == "image":
        assert run(["image"]) == 0  # a group alone shows its help
        return
    assert message in refused(*arguments.split())


def test_an_unknown_option_in_a_config_file_is_named_with_its_line(refused):
    Path("run.toml").write_text("# mine\nepochs = 3\nlearning-rat = 0.1\n")
    message = refused("image", "train", "digits", "--config", "run.toml")
    assert "run.toml, line 3: unknown option 'learning_rat'" in message
    assert "did you mean 'learning_rate'?" in message
    Path("run.toml").write_text("epochs = 'many'\n")
    assert "run.toml" in refused("image", "train", "digits", "--config", "run.toml")
    Path("run.toml").write_text("epochs = \n")
    assert "run.toml is not TOML" in refused("price", "backtest", "--config", "run.toml")


def test_folders_that_hold_no_data_set(refused, tmp_path, write_images):
    (tmp_path / "empty").mkdir()
    write_images(tmp_path / "single", {"cats": 5})
    for name in ("empty", "single"):
        message = refused("image", "train", name)
        assert name in message
        assert "hint: " in message


def test_files_that_are_no_prices(refused):
    Path("prose.csv").write_text("Dear diary, today I bought shares.\n" * 20)
    Path("undated.csv").write_text("Close,Volume\n" + "1.0,2\n" * 200)
    dates = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    Path("short.csv").write_text("Date,Close\n" + "".join(f"{day},{i + 1}.5\n" for i, day in enumerate(dates)))
    for name in ("prose.csv", "undated.csv", "short.csv"):
        message = refused("price", "backtest", name)
        assert name in message
        assert "hint: " in message


def test_a_folder_that_is_no_run_or_holds_something_else(refused, tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "thesis.txt").write_text("years of work")
    assert "is not a run folder" in refused("image", "evaluate", "plain")
    assert "already holds something" in refused("optimize", "quadratic", "--out", "plain")
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["thesis.txt"]


def test_a_run_of_another_kind(capsys, tmp_path):
    assert run(["optimize", "quadratic", "--trials", "2", "--out", "optimized"]) == 0
    assert run(["image", "evaluate", "optimized"]) == 2
    assert "is a run of optimize: expected one of image train or image tune" in capsys.readouterr().err


def test_a_broken_image_is_named_and_counted_and_the_work_goes_on(capsys, tmp_path, write_images):
    folder = write_images(tmp_path / "mixed", {"a": 15, "b": 15, "c": 15})
    whole = tmp_path / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(whole)
    (folder / "a" / "cut.jpg").write_bytes(whole.read_bytes()[:600])
    (folder / "b" / "prose.png").write_text("not an image")
    assert run(["image", "train", str(folder), "--epochs", "1", "--max-params", "8000", "--out", "trained"]) == 0
    out = capsys.readouterr().out
    assert "left out: 2 files" in out
    assert "a/cut.jpg: cannot be decoded" in out
    assert "b/prose.png: not an image" in out
    page = Path("trained/report.html").read_text()
    assert "a/cut.jpg" in page
    assert "b/prose.png" in page


def test_data_that_changed_since_the_training_is_refused(capsys, tmp_path, write_images):
    folder = write_images(tmp_path / "pictures", {"a": 15, "b": 15})
    assert run(["image", "train", str(folder), "--epochs", "1", "--max-params", "8000", "--out", "trained"]) == 0
    (folder / "a" / "000.png").unlink()
    assert run(["image", "evaluate", "trained"]) == 2
    assert "is not what it was" in capsys.readouterr().err
    assert run(["image", "compare", "trained", "trained"]) == 2
    assert "hint: trialwise image evaluate trained" in capsys.readouterr().err


def test_a_failing_function_ends_with_exit_1_and_its_traceback(tmp_path):
    Path("broken.py").write_text("def f(x):\n    raise ValueError('no such column')\n")
    done = subprocess.run(
        [sys.executable, "-m", "trialwise", "optimize", "broken:f", "--param", "x=0.0:1", "--out", "failed"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the first 3 trials all failed with the same error: ValueError: no such column" in done.stderr
    assert 'File "' in done.stderr
    assert '"status": "failed"' in Path("failed/run.json").read_text()

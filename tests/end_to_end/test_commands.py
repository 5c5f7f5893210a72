"""Each command as a user runs it: its own process, small sizes, real input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trialwise.prices.reader import embedded_prices

QUICK = ["--epochs", "2", "--max-params", "8000"]


def trialwise(*arguments, code=0):
    """(stdout, stderr) of the command, which must end with `code` and without a traceback."""
    command = [sys.executable, "-m", "trialwise", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def document(*arguments):
    """The one JSON document that the command prints on stdout."""
    return json.loads(trialwise(*arguments, "--json")[0])


@pytest.fixture
def colours(tmp_path, write_images):
    return write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30})


def test_optimize_finds_the_shifted_minimum_and_draws_it(tmp_path):
    found = document("optimize", "quadratic", "--trials", 25, "--seed", 3, "--out", tmp_path / "run")
    assert found["best_value"] < 1e-2
    assert found["best_params"] == pytest.approx({"x": 3.7, "y": -2.1}, abs=0.1)
    assert found["n_trials"] == len(found["trials"]) == 25
    assert found["seconds"] > 0
    assert found["seed"] == 3
    page = (tmp_path / "run" / "report.html").read_text()
    assert "data:image/svg+xml" in page
    assert page.count("<img") == 4
    pictures = {path.stem: path.read_text() for path in (tmp_path / "run" / "figures").iterdir()}
    assert pictures.keys() == {"contour", "history", "importances", "slices"}
    assert all(svg.startswith("<?xml") for svg in pictures.values())


def test_optimize_takes_a_function_of_the_user_with_its_space(tmp_path):
    (tmp_path / "mine.py").write_text("def loss(x, kind):\n    return (x - 1) ** 2 + (kind == 'bad')\n")
    found = document("optimize", "mine:loss", "--param", "x=-2.0:2", "--param", "kind=good,bad", "--trials", 20)
    assert found["best_params"]["kind"] == "good"
    assert found["sampler"] == "tpe"
    (tmp_path / "space.toml").write_text("[x]\nlow = 0.0\nhigh = 2.0\n[kind]\nchoices = ['good']\n")
    assert document("optimize", "mine:loss", "--space", "space.toml", "--trials", 3)["n_trials"] == 3


def test_the_same_seed_gives_the_same_numbers(colours):
    def without_clock(found):
        return {k: v for k, v in found.items() if k not in ("run", "seconds", "workers")}

    for command in (
        ["optimize", "branin", "--trials", 12],
        ["image", "train", colours, *QUICK],
        ["image", "tune", colours, "--trials", 3, *QUICK, "--workers", 1],
    ):
        first, second = document(*command, "--seed", 1), document(*command, "--seed", 1)
        assert without_clock(first) == without_clock(second)


def test_an_image_is_trained_tuned_and_evaluated_once(colours, tmp_path):
    trained = document("image", "train", colours, *QUICK, "--out", "trained")
    assert trained["n_params"] <= 8000
    assert 0 <= trained["valid"]["accuracy"] <= 1
    assert 0 < trained["seconds"]["train"] <= trained["seconds"]["total"]
    assert trained["epochs"] == 2
    tested = document("image", "evaluate", trained["run"], "--tta")["test"]
    assert tested["ci95"][0] <= tested["accuracy"] <= tested["ci95"][1]
    assert tested["n"] == 18
    assert 0 <= tested["accuracy_tta"] <= 1
    assert tested["calibration"]["temperature"] == trained["temperature"] != 1.0
    assert tested["near_duplicates"]["threshold"] >= 0.7
    assert set(tested["label_errors"]) == {"test", "valid"}
    assert "accuracy_tta" not in document("image", "evaluate", trained["run"])["test"]
    assert document("image", "evaluate", trained["run"])["times_opened"] == 3
    # A tuned model is a model like any other, and its settings train another one.
    tuned = document("image", "tune", colours, "--trials", 5, *QUICK, "--out", "tuned")
    assert tuned["counts"]["pruned"] >= 1
    assert tuned["best"]["number"] in range(5)
    assert tuned["default"]["number"] == 0
    robust = document("image", "evaluate", "tuned", "--robustness")["test"]
    assert robust["n"] == 18
    assert len(robust["robustness"]["corruptions"]) == 7
    page = (Path("tuned") / "report.html").read_text()
    assert ">When the images get worse</h3>" in page
    compared = document("image", "compare", trained["run"], "tuned")
    assert compared["plain"]["n"] == 18
    assert compared["plain"]["interval"][0] <= compared["plain"]["difference"] <= compared["plain"]["interval"][1]
    assert 0 < compared["plain"]["p_value"] <= 1
    again = document("image", "train", colours, "--config", Path("tuned") / "best.toml", "--epochs", 1)
    assert again["epochs"] == 1
    shown = document("study", "show", "tuned")
    assert shown["test"]["n"] == 18
    assert [t["params"] for t in shown["trials"]] == [t["params"] for t in tuned["trials"]]
    # More trials may bring another winner; what was measured of the old one is not said of the new one.
    more = document("study", "resume", "tuned", "--trials", 9)
    same_winner = more["best"]["number"] == tuned["best"]["number"]
    assert (document("study", "show", "tuned")["test"] is not None) == same_winner
    assert document("image", "evaluate", "tuned")["times_opened"] == 2


def test_a_study_that_was_killed_goes_on_to_the_table_of_one_that_was_not(colours):
    options = ["image", "tune", colours, "--trials", 9, *QUICK, "--workers", 2, "--lockstep", "--seed", 5]
    options.append("--json")
    whole = json.loads(trialwise(*options, "--out", "whole")[0])
    process = subprocess.Popen(
        [sys.executable, "-m", "trialwise", *map(str, options), "--out", "killed"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    journal = Path("killed") / "study.journal"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_text().count('"op_code":7') >= 3):  # three scores are on record
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert document("study", "list")["studies"] == []  # these lie outside the runs folder
    assert document("study", "show", "killed")["status"] == "stopped"
    assert "It has not ended" in Path(document("report", "killed")["report"]).read_text()
    resumed = document("study", "resume", "killed")
    assert resumed["trials"] == whole["trials"]
    assert resumed["best"] == whole["best"]


def test_ctrl_c_saves_what_exists_and_says_how_to_go_on(colours):
    options = ["image", "tune", colours, "--trials", 9, *QUICK, "--workers", "1", "--out", "stopped"]
    process = subprocess.Popen(
        [sys.executable, "-m", "trialwise", *map(str, options)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journal = Path("stopped") / "study.journal"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_text().count('"op_code":7') >= 1):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for _ in range(3):  # impatient, and as a terminal does it: to the workers too
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert "hint: trialwise study resume stopped" in text, text
    assert json.loads(Path("stopped/run.json").read_text())["status"] == "interrupted"
    assert Path("stopped/report.html").exists()
    assert document("study", "resume", "stopped")["n_trials"] == 9


def test_other_images_are_measured_without_those_trained_on(colours, tmp_path, write_images):
    run = document("image", "train", colours, *QUICK)["run"]
    own = document("image", "evaluate", run)
    other = write_images(tmp_path / "colours2" / "colours", {"red": 40, "green": 30, "blue": 30})
    found = document("image", "evaluate", run, other)
    assert found["test"]["n_seen_in_training"] == 72
    assert found["test"]["n"] == 28
    assert "of colours" in found["verdict"]
    page = (Path(run) / "report.html").read_text()
    assert own["verdict"] in page  # what was measured elsewhere does not take the place of the run's own test


def test_a_function_cannot_spoil_the_data_or_the_exit_code(tmp_path):
    chatty = "import os\nprint('import')\ndef f(x):\n    print('call')\n    os.write(1, b'raw')\n    return x\n"
    (tmp_path / "chatty.py").write_text(chatty)
    assert document("optimize", "chatty:f", "--param", "x=0.0:1", "--trials", 2)["n_trials"] == 2
    (tmp_path / "leaving.py").write_text("import sys\ndef f(x):\n    sys.exit(0)\n")
    _, text = trialwise("optimize", "leaving:f", "--param", "x=0.0:1", "--trials", 2, "--out", "left", code=1)
    assert "none of 2 trials gave a value: SystemExit: 0" in text
    assert "SystemExit: 0" in Path("left/report.html").read_text()


def test_a_finished_study_can_be_given_more_trials(tmp_path):
    run = document("optimize", "quadratic", "--trials", 3)["run"]
    assert document("study", "resume", run)["n_trials"] == 3
    assert document("study", "resume", Path(run).name, "--trials", 5)["n_trials"] == 5
    assert [row["n_trials"] for row in document("study", "list")["studies"]] == [5]
    assert "5 trials are begun and --trials is 2" in trialwise("study", "resume", run, "--trials", "2")[1]


def test_prices_are_shown_beside_naive():
    found = document("price", "backtest", embedded_prices("IBM"), "--epochs", 3)
    rows = {row["name"]: row for row in found["models"]}
    assert found["models"][0]["name"] == "naive"
    assert rows["naive"]["rmse_over_naive"] == 1.0
    assert {"lstm", "drift"} <= rows.keys()
    assert found["n_train"] == 2616
    assert found["n_test"] == 654
    assert found["first_test_date"] < found["last_test_date"]
    assert {row["name"] for row in found["volatility"]} > {"ewma", "garch", "log_har", "lstm"}
    assert all(-1 < row["qlike_skill"] < 1 for row in found["volatility"])
    assert [row["level"] for row in found["bands"]] == [0.5, 0.8, 0.9, 0.95]
    assert all(row["coverage"] == pytest.approx(row["level"], abs=0.06) for row in found["bands"])


def test_the_leak_test_passes_and_finds_a_planted_leak(tmp_path):
    (tmp_path / "short.csv").write_text("\n".join(embedded_prices("IBM").read_text().splitlines()[:300]))
    (tmp_path / "quick.toml").write_text("epochs = 1\nhidden_size = 4\n")
    command = ["price", "leak-test", tmp_path / "short.csv", "--config", tmp_path / "quick.toml"]
    assert document(*command)["passed"] is True
    out, people = trialwise(*command, "--plant-leak", "--json", code=1)
    assert json.loads(out)["passed"] is False
    assert "the future leaks into: inputs of the LSTM" in people


def test_the_demo_ends_in_one_page_on_all_three(tmp_path):
    out, people = trialwise("demo", "--out", "shown")
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["functions", "images", "prices", "report"]
    assert "trial 0 complete" in people
    page = Path("shown/report.html").read_text()
    for word in (
        "The true function",
        "Every trial in order",
        "PED-ANOVA",
        "epoch by epoch",
        "true and predicted",
        "naive",
        "With and without convolutions",
        "What the network looks at",
        "Is it only an earlier close?",
        "Where the good values lie",
        "The winning configuration",
        "Every setting",
    ):
        assert word in page, word
    assert "://" not in page, "the page asks nothing of any server"
    assert 'src="data:' in page
    assert len(page) < 1_000_000


def test_a_report_is_made_again_from_folders_alone_and_names_stay_text(tmp_path, write_images):
    evil = write_images(tmp_path / "pictures", {"<img src=x onerror=alert(1)>": 12, "b": 12})
    run = document("image", "train", evil, *QUICK)["run"]
    document("image", "evaluate", run)
    Path(run, "report.html").unlink()
    other = document("optimize", "quadratic", "--trials", 2)["run"]
    page = Path(document("report", run, other, "--out", "pages")["report"]).read_text()
    assert page.count("<section") == 2
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_nothing_is_written_outside_out_cache_and_runs(tmp_path, colours, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for command in (
        ["optimize", "quadratic", "--trials", 2],
        ["image", "tune", colours, "--trials", 2, *QUICK],
        ["price", "backtest", "--epochs", 1, "--out", "priced"],
    ):
        trialwise(*command)
    assert {path.name for path in tmp_path.iterdir()} == {"colours", "home", "runs", "cache", "priced"}
    assert not list(home.rglob("*"))
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.real_data
@pytest.mark.slow
def test_the_real_cifar_10_is_tuned(shared_data):
    archive = shared_data / "cifar10" / "cifar10-jpeg.tar.xz"
    tuned = document("image", "tune", archive, "--trials", 3, "--epochs", 2, "--max-params", 20_000)
    assert tuned["data"]["n_train"] == 50_000
    assert tuned["counts"]["complete"] + tuned["counts"]["pruned"] == 3
    assert tuned["best"]["value"] > 0.35


def test_the_next_day_is_forecast_by_the_model_of_a_backtest(tmp_path):
    run = document("price", "backtest", embedded_prices("IBM"), "--epochs", 2)["run"]
    found = document("price", "forecast", run, embedded_prices("IBM"))
    assert (found["last_date"], found["next_date"]) == ("2013-03-01", "2013-03-04")
    assert [band["level"] for band in found["bands"]] == [0.5, 0.8, 0.9, 0.95]
    assert all(band["low"] < found["last_close"] < band["high"] for band in found["bands"])
    assert found["warnings"] == []
    assert "90 %: " in trialwise("price", "forecast", run, embedded_prices("IBM"))[0]
    header, row = trialwise("price", "forecast", run, embedded_prices("IBM"), "--csv")[0].splitlines()
    assert header.split(",")[:6] == ["name", "last_date", "last_close", "next_date", "close", "daily_sd"]
    assert header.endswith(",low_95,high_95")
    assert row.startswith("IBM,2013-03-01,")
    people = trialwise("price", "forecast", run, embedded_prices("MSFT"))[0]
    assert "the model was trained on IBM, this file is MSFT" in people


def test_a_file_of_prices_is_described():
    found = document("price", "inspect", embedded_prices("MSFT"))
    assert (found["layout"], found["n_rows"], found["close_column"], found["adjusted"]) == (
        "yahoo",
        3270,
        "Adj Close",
        True,
    )
    out, _ = trialwise("price", "inspect", embedded_prices("MSFT"))
    assert "3,270 days from 2000-03-01 to 2013-03-01" in out


@pytest.mark.real_data
def test_the_yahoo_file_is_backtested(shared_data):
    found = document("price", "backtest", shared_data / "prices" / "yahoo_web_2024_2025.csv")
    assert found["n_train"] + found["n_test"] == 250
    assert found["last_test_date"] == "2025-12-12"
    assert found["models"][0]["name"] == "naive"

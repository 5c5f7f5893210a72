"""`price tune` as a user runs it: stopped, gone on with, and its winner measured on the test days."""

import json
from pathlib import Path

import numpy as np
import pytest

from trialwise import api
from trialwise.cli.app import run
from trialwise.prices.reader import embedded_prices

QUICK = "epochs = 3\nhidden_size = 4\nwindow = 10\n"


@pytest.fixture
def short(tmp_path):
    """400 days of IBM, and quick settings."""
    (tmp_path / "IBM.csv").write_text("\n".join(embedded_prices("IBM").read_text().splitlines()[:401]))
    (tmp_path / "quick.toml").write_text(QUICK)
    return tmp_path / "IBM.csv"


@pytest.fixture
def document(capsys):
    """A function that runs a command in this process and gives its JSON document."""

    def call(*arguments, code=0):
        capsys.readouterr()
        assert run([*map(str, arguments), "--json"]) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return call


def test_the_winner_of_a_study_is_backtested_and_the_verdict_counts_all_tried(short, document):
    tuned = document("price", "tune", short, "--trials", 9, "--config", "quick.toml", "--workers", 1, "--out", "tuned")
    assert tuned["n_trials"] == 9
    assert tuned["counts"]["pruned"] >= 1
    assert tuned["default"]["number"] == 0
    assert max(tuned["best"]["value"], tuned["default"]["value"]) <= 1.0
    assert tuned["gain"] >= 0, "named by the mean over fresh seeds, the default among those that may be named"
    assert tuned["n_train"] == 320
    page = Path("tuned/report.html").read_text()
    assert "Tuning on IBM" in page
    assert "the test days after them are unread" in page
    found = document("price", "backtest", short, "--config", "tuned/best.toml")
    assert f"{len(found['models']) - 2 + 9} tried" in found["verdict"]
    settings = json.loads(Path(found["run"], "run.json").read_text())["settings"]["backtest"]
    best = tuned["best"]["params"]
    assert settings["learning_rate"] == best["learning_rate"]
    assert "+".join(settings["features"]) == best["features"]
    assert settings["configurations_tried"] == 9
    more = document("study", "resume", "tuned", "--trials", 10)
    assert more["n_trials"] == 10
    assert "configurations_tried = 10" in Path("tuned/best.toml").read_text()


def test_a_study_of_prices_knows_nothing_of_the_test_days(short, document):
    lines = short.read_text().splitlines()
    other = short.with_name("other") / "IBM.csv"
    other.parent.mkdir()
    changed = lines[:321]  # the header and the days before the test
    for number, line in enumerate(lines[321:]):
        date, *_ = line.split(",")
        close = 50 + 10 * np.sin(number)
        changed.append(f"{date},{close},{close},{close},{close},{close},{1000 + number}")
    other.write_text("\n".join(changed))
    first, second = (
        document("price", "tune", csv, "--trials", 3, "--config", "quick.toml", "--workers", 1)["trials"]
        for csv in (short, other)
    )
    assert first == second


def test_a_stopped_study_goes_on_to_the_table_of_one_that_was_not(short, document):
    options = {"search": {"trials": 9, "workers": 1}, "settings": {"epochs": 3, "hidden_size": 4, "window": 10}}
    whole = api.tune_prices(short, out=Path("whole"), **options).result
    scores = 0

    def impatient(event):
        nonlocal scores
        scores += getattr(event, "kind", "") == "score"
        if scores == 7:
            raise KeyboardInterrupt

    with pytest.raises(BaseException, match="stopped"):
        api.tune_prices(short, out=Path("stopped"), watch=impatient, **options)
    assert document("study", "list")["studies"] == []
    assert document("study", "show", "stopped")["status"] == "interrupted"
    resumed = document("study", "resume", "stopped")
    assert resumed["trials"] == whole["trials"]
    assert (
        Path("stopped/best.toml").read_text().splitlines()[1:] == Path("whole/best.toml").read_text().splitlines()[1:]
    )


def test_the_same_seed_and_file_give_the_same_document(short, document):
    def without_clock(found):
        return {name: value for name, value in found.items() if name not in ("run", "seconds", "workers")}

    quick = ["--config", "quick.toml", "--seed", 4]
    for command in (
        ["backtest", short, "--horizon", 5, "--refit-every", 40, *quick],
        ["tune", short, "--trials", 3, "--workers", 1, *quick],
        ["ablate", short, "--features", "volume", "--layers", "1", "--hidden", "4", "--seeds", 2, *quick],
        ["leak-test", short, *quick],
    ):
        first, second = document("price", *command), document("price", *command)
        assert without_clock(first) == without_clock(second)
        assert json.dumps(without_clock(first)) == json.dumps(without_clock(second))


def test_what_is_forecast_several_days_ahead_is_passed_on(short, document, capsys):
    found = document("price", "backtest", short, "--horizon", 5, "--config", "quick.toml", "--out", "week")
    assert (found["horizon"], found["n_fits"]) == (5, 1)
    assert {"models", "volatility", "bands", "direction", "verdict", "seconds"} <= found.keys()
    for row in found["volatility"]:
        assert {"qlike_skill", "dm_p"} <= row.keys()
    for row in found["bands"]:
        assert {"level", "coverage", "coverage_by_quartile", "winkler_gain"} <= row.keys()
    ahead = document("price", "forecast", "week", short)
    assert ahead["horizon"] == 5
    assert np.busday_count(ahead["last_date"], ahead["next_date"]) == 5
    assert 0 < ahead["up_probability"] < 1
    assert run(["price", "forecast", "week", str(short)]) == 0
    text = capsys.readouterr().out
    assert "5 trading days ahead" in text
    assert "it rises with probability" in text
    leaks = document("price", "leak-test", short, "--horizon", 5, "--refit-every", 40, "--config", "quick.toml")
    assert leaks["passed"] is True
    assert run(["price", "backtest", str(short), "--horizon", "21"]) == 2
    assert "--horizon: expected at least 1 and at most 20, got 21" in capsys.readouterr().err
    assert run(["price", "backtest", str(short), "--horizon", "20"]) == 2
    assert "--horizon: expected at most 16 for IBM" in capsys.readouterr().err


def test_an_ablation_leaves_a_run_folder_with_a_report(short, document):
    options = ["--features", "volume", "--layers", "1", "--hidden", "2", "--seeds", 2, "--config", "quick.toml"]
    found = document("price", "ablate", short, *options, "--out", "ablated")
    assert [row["name"] for row in found["rows"]] == ["returns alone", "+ volume", "hidden size 2"]
    assert found["verdict"] in Path("ablated/report.html").read_text()


def test_a_file_that_changed_is_refused_when_a_study_goes_on(short, document, capsys):
    document("price", "tune", short, "--trials", 2, "--config", "quick.toml", "--workers", 1, "--out", "tuned")
    short.write_text(short.read_text() + "\n")
    assert run(["study", "resume", "tuned", "--trials", "3"]) == 2
    assert "IBM.csv is not what it was when the run began" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--trials", "0"], "--trials: expected at least 1"),
        (["--workers", "0"], "--workers: expected at least 1"),
        (["--epochs", "0"], "--epochs: expected at least 1"),
        (["--sampler", "magic"], "magic"),
        (["--with", "nowhere.csv"], "no such file"),
    ],
)
def test_bad_input_leaves_nothing_behind(options, message, tmp_path, capsys):
    assert run(["price", "tune", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_tuned_model_is_backtested_beside_the_untuned_default(short, document):
    tuned = document("price", "tune", short, "--trials", 4, "--workers", 1, "--config", "quick.toml", "--out", "tuned")
    assert tuned["confirmed"]["n_seeds"] == 2
    assert tuned["optimism"] is not None
    assert tuned["corrected"]["n_rows"] > 30
    found = document("price", "backtest", short, "--config", "tuned/best.toml")["untuned"]
    assert found["interval"][0] <= found["gain"] <= found["interval"][1]
    assert found["gain"] == pytest.approx(1 - (found["rmse"]["tuned"] / found["rmse"]["untuned"]) ** 2)
    assert 0 <= found["p_value"] <= 1
    Path("moved.toml").write_text(Path("tuned/best.toml").read_text())
    assert document("price", "backtest", short, "--config", "moved.toml")["untuned"] is None

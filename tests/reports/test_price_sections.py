import json
from pathlib import Path

import numpy as np
import pytest

from trialwise import api
from trialwise.prices.reader import embedded_prices
from trialwise.reports import price_figures
from trialwise.reports.sections import section

SETTINGS = {"epochs": 2, "hidden_size": 4, "window": 10}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A backtest five days ahead with refits, and an ablation, of 700 days of IBM."""
    folder = tmp_path_factory.mktemp("price-runs")
    csv = folder / "IBM.csv"
    csv.write_text("\n".join(embedded_prices("IBM").read_text().splitlines()[:701]))
    backtest = api.backtest(csv, settings=SETTINGS | {"horizon": 5, "refit_every": 70}, out=folder / "backtest")
    ablation = api.ablate_prices(
        csv, features=("volume",), layers=(1,), hidden=(2,), seeds=2, settings=SETTINGS, out=folder / "ablation"
    )
    return backtest, ablation


def test_a_backtest_has_chapters_on_direction_volatility_and_bands(runs):
    backtest, _ = runs
    about = section(backtest)
    assert about.title == "5-day forecasts of IBM"
    assert ("fitted", "2 times, each time on all days before") in about.facts
    assert [chapter.heading for chapter in about.chapters] == [
        "Forecasts beside what came, and beside naive",
        "Errors in time, window by window",
        "Is it only an earlier close?",
        "Will it rise?",
        "How much will it move?",
        "Between which prices?",
        "How it was set, and how to use it",
        "Epoch by epoch",
        "Every setting",
    ]
    _, _, lag, direction, volatility, bands, how, *_ = about.chapters
    assert "5 days before" in lag.pictures[0].caption
    assert ("epochs", "40", "2") in how.tables[0].rows
    assert how.tables[1].rows[0][1].startswith(f"trialwise price forecast {backtest.path}")
    assert [row[0] for row in direction.tables[0].rows] == ["up_share", "last_move", "logistic", "lstm"]
    assert [picture.name for picture in volatility.pictures] == ["volatility", "volatility-skill"]
    assert [picture.name for picture in bands.pictures] == ["bands", "coverage"]
    held = backtest.result["bands"][2]["coverage"]
    assert bands.tables[0].rows[2][:2] == ("90%", f"{100 * held:.1f} %")
    assert "sum over 5 days" in volatility.sentences[0]
    page = (backtest.path / "report.html").read_text()
    assert "://" not in page
    assert len(page) < 1_000_000


def test_an_ablation_shows_every_change_beside_its_seeds(runs):
    _, ablation = runs
    about = section(ablation)
    assert about.verdict == ablation.result["verdict"]
    assert [row[0] for row in about.tables[0].rows] == ["returns alone", "+ volume", "hidden size 2"]
    assert about.pictures[0].name == "seed-effects"
    assert "+ volume" in about.pictures[0].alt
    assert ("days", "560 before the test; the test days are unread") in about.facts


def test_a_run_of_an_earlier_version_has_fewer_chapters(runs, tmp_path):
    backtest, _ = runs
    record = json.loads((backtest.path / "run.json").read_text())
    for name in ("direction", "horizon", "n_fits"):
        del record["result"][name]
    days = json.loads((backtest.path / "forecasts.json").read_text())
    Path(tmp_path, "old").mkdir()
    (tmp_path / "old" / "run.json").write_text(json.dumps(record))
    kept = {name: days[name] for name in ("dates", "actual", "forecasts")}
    (tmp_path / "old" / "forecasts.json").write_text(json.dumps(kept))
    (tmp_path / "old" / "metrics.jsonl").write_text((backtest.path / "metrics.jsonl").read_text())
    assert "One-day forecasts of IBM" in Path(api.report([tmp_path / "old"])).read_text()


def test_the_bands_picture_counts_what_lies_outside():
    close = np.r_[np.full(9, 10.0), 20.0]
    ends = {"levels": [0.5, 0.9], "low": np.full((10, 2), [9.5, 9.0]), "high": np.full((10, 2), [10.5, 11.0])}
    dates = [f"2024-01-{day:02}" for day in range(1, 11)]
    picture = price_figures.bands(dates, close, ends)
    assert "1 closes lie outside the 90% band, 1 were to be expected" in picture.caption
    assert picture.svg.startswith("<?xml")
    assert picture.svg == price_figures.bands(dates, close, ends).svg

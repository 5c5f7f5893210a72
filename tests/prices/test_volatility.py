import dataclasses
import json

import numpy as np
import pytest

from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.table import first_rows
from trialwise.prices.volatility import run_volatility, train_volatility_models, walk_volatility
from trialwise.prices.volatility_lstm import forecast_variance, train_volatility
from trialwise.prices.volatility_scores import better_than_reference, score_variances

MODELS = ["rolling_mean", "ewma", "log_har", "har_plus", "garch", "lstm", "lstm_har_mean"]


def backtested(table, first_row, seed=0):
    trained = train_volatility_models(first_rows(table, first_row), seed=seed)
    return run_volatility([(first_row, trained)], table, seed=seed)


@pytest.fixture(scope="module")
def made_up(walk_with_range):
    table = walk_with_range(400)
    return table, backtested(table, 300)


def test_every_model_has_a_row_and_a_forecast_of_every_day(made_up):
    _, result = made_up
    assert [score.name for score in result.scores] == MODELS
    assert sorted(result.forecasts) == sorted(MODELS)
    assert all(forecast.shape == (100,) and (forecast > 0).all() for forecast in result.forecasts.values())
    assert result.target == "Garman-Klass plus squared overnight return"
    assert not result.left_out
    rows = json.loads(json.dumps(result.to_document()))
    assert [row["name"] for row in rows] == MODELS
    assert {"name", "qlike_skill", "dm_p", "qlike_skill_ci95"} <= set(rows[-1])
    assert (rows[0]["qlike_skill"], rows[0]["dm_p"]) == (0.0, None)


def test_steady_prices_have_no_volatility_to_predict(made_up):
    _, result = made_up
    assert result.verdict.startswith("Its volatility is not shown to be predictable beyond the 22-day average (")


@pytest.mark.parametrize("day", [300, 301, 350, 399])
def test_no_lstm_forecast_knows_its_own_day_or_a_later_one(made_up, day):
    table, result = made_up
    changed = {}
    for name in ("close", "open", "high", "low", "volume"):
        changed[name] = getattr(table, name).copy()
        changed[name][day:] *= {"low": 0.5, "high": 2.0}.get(name, 1.2)
    forecasts, _ = walk_volatility([(300, result.trained)], dataclasses.replace(table, **changed))
    n_same = day - 300 + 1
    for name in ("lstm", "lstm_har_mean"):
        assert forecasts[name][:n_same].tobytes() == result.forecasts[name][:n_same].tobytes()
        assert day == 399 or forecasts[name][n_same] != result.forecasts[name][n_same]


def test_the_same_seed_gives_the_same_numbers(made_up):
    table, result = made_up
    assert backtested(table, 300).to_document() == result.to_document()
    other = backtested(table, 300, seed=1)
    assert other.to_document() != result.to_document()


def test_seeds_are_averaged(walk_with_range):
    table = walk_with_range(300, daily_sd=0.01 * np.exp(0.5 * np.sin(np.arange(300) / 7)))
    trained = train_volatility(first_rows(table, 240), seed=0)
    networks = trained.ensemble.networks
    assert len(networks) == 3
    alone = [
        forecast_variance(
            dataclasses.replace(trained, ensemble=dataclasses.replace(trained.ensemble, networks=(network,))),
            table,
            240,
        )
        for network in networks
    ]
    together = forecast_variance(trained, table, 240)
    assert (together <= np.max(alone, axis=0) * (1 + 1e-6)).all()
    assert (together >= np.min(alone, axis=0) * (1 - 1e-6)).all()


def test_waves_of_volatility_are_found_and_claimed(walk_with_range):
    table = walk_with_range(900, daily_sd=0.01 * np.exp(0.8 * np.sin(np.arange(900) / 8)))
    result = backtested(table, 700)
    headline = result.scores[-1]
    assert headline.qlike_skill > 0.3
    assert better_than_reference(headline)
    assert result.verdict.startswith("Its volatility is predictable: ")


@pytest.mark.parametrize("missing", [("volume",), ("open", "high", "low"), ("open", "high", "low", "volume")])
def test_columns_may_be_missing(walk_with_range, missing):
    table = dataclasses.replace(walk_with_range(320), **dict.fromkeys(missing))
    result = backtested(table, 256)
    assert [score.name for score in result.scores] == MODELS
    assert ("squared return" == result.target) == ("open" in missing)


def test_days_without_a_volume_or_a_range_may_be_among_them(walk_with_range):
    table = walk_with_range(320)
    for values in (table.volume, table.open, table.high):
        values[::7] = np.nan
    assert len(backtested(table, 256).scores) == 7


def test_few_days_leave_garch_out(walk_with_range):
    result = backtested(walk_with_range(100), 80)
    assert [score.name for score in result.scores] == [name for name in MODELS if name != "garch"]
    assert result.left_out == {"garch": "GARCH needs at least 250 days to be fitted, there are 80"}


@pytest.mark.parametrize(("n_days", "flat", "why"), [(50, False, "at least 60 training days"), (300, True, "moved on")])
def test_nothing_to_learn_from_is_said(walk_with_range, n_days, flat, why):
    table = walk_with_range(n_days, daily_sd=0.0 if flat else 0.01)
    result = backtested(table, n_days - 10)
    assert why in result.left_out["all"]
    assert (result.scores, result.to_document(), result.verdict, result.trained) == ((), [], None, None)


def test_a_score_by_hand():
    actual = np.random.default_rng(0).chisquare(3, 200)
    forecasts = {"rolling_mean": np.full(200, 6.0), "log_har": np.full(200, 4.0), "good": np.full(200, 3.0)}
    rolling, har, good = score_variances(actual, forecasts, seed=0)
    assert (rolling.qlike_skill, har.skill_over_har) == (0.0, None)
    assert good.qlike_skill == pytest.approx(1 - good.qlike / rolling.qlike)
    assert good.skill_over_har == pytest.approx(1 - good.qlike / har.qlike)
    low, high = good.qlike_skill_ci95
    assert low < good.qlike_skill < high
    assert better_than_reference(good)
    assert not better_than_reference(dataclasses.replace(good, dm_p=0.06))
    assert not better_than_reference(dataclasses.replace(good, qlike_skill_ci95=(-0.1, 0.5)))


def test_the_embedded_prices_as_a_user_runs_them():
    table = read_prices(embedded_prices("AAPL"))
    scores = {score.name: score for score in backtested(table, 2616).scores}
    assert scores["lstm_har_mean"].qlike_skill >= 0.25
    assert scores["lstm_har_mean"].skill_over_har >= -0.02
    assert scores["lstm_har_mean"].qlike_skill_ci95[0] > 0

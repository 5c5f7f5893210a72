import dataclasses
import json

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.base.files import to_json
from trialwise.prices.backtest import run_backtest, walk_forward
from trialwise.prices.held_out import test_days as held_out_days
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings

MODELS = ["naive", "drift", "moving_average_5", "ar_ridge", "dlinear", "lstm", "lstm_unshrunk"]


@pytest.fixture(scope="module")
def memory_settings():
    return BacktestSettings(window=20, hidden_size=8, epochs=15, batch_size=4, learning_rate=0.02)


@pytest.fixture(scope="module")
def noise(random_walk, tiny):
    return run_backtest(random_walk(300), tiny, seed=0)


@pytest.fixture(scope="module")
def planted(random_walk, memory_settings):
    return run_backtest(random_walk(600, memory=0.5), memory_settings, seed=0)


def test_the_document_holds_every_number_and_no_more(noise):
    document = json.loads(to_json(noise.to_document()))
    assert list(document) == [
        *("verdict", "models", "volatility", "volatility_target", "volatility_left_out", "bands"),
        *("direction", "horizon", "n_fits"),
        *("n_train", "n_test", "first_test_date", "last_test_date"),
        *("close_column", "layout", "adjusted", "warnings", "shrinkage"),
        *("best_epochs", "n_epochs", "train_range_exceeded_fraction", "remarks"),
    ]
    assert [model["name"] for model in document["models"]] == MODELS
    assert [list(model) for model in document["models"]] == [
        [
            *("name", "rmse", "mae", "rmse_over_naive", "direction_accuracy", "dm_p", "skill", "skill_ci95"),
            *("mase", "direction_p", "in_confidence_set", "lag_correlations", "repeats_yesterday"),
        ]
    ] * len(MODELS)
    assert (document["n_train"], document["n_test"]) == (240, 60)


def test_the_test_is_the_last_fifth_of_the_days(noise, random_walk):
    table = random_walk(300)
    np.testing.assert_array_equal(noise.dates, table.dates[240:])
    np.testing.assert_array_equal(noise.actual, table.close[240:])
    assert (noise.first_test_date, noise.last_test_date) == (str(table.dates[240]), str(table.dates[-1]))
    before, after = table.close[:240], table.close[240:]
    outside = sum(not before.min() <= close <= before.max() for close in after)
    assert noise.train_range_exceeded_fraction == outside / 60


def test_every_model_has_a_forecast_for_every_test_day(noise):
    assert list(noise.forecasts) == MODELS
    assert all(forecast.shape == (60,) for forecast in noise.forecasts.values())


def test_on_noise_the_lstm_is_the_naive_forecast_and_nothing_is_claimed(noise):
    assert noise.trained.shrinkage == 0.0
    np.testing.assert_array_equal(noise.forecasts["lstm"], noise.forecasts["naive"])
    assert noise.verdict.startswith("No model here predicts walk's next close better than today's close")


def test_planted_memory_is_found_and_claimed(planted):
    lstm, unshrunk = planted.scores[-2:]
    assert lstm.rmse_over_naive < 0.97
    assert lstm.direction_accuracy > 0.55
    assert unshrunk.rmse_over_naive < 0.97
    assert planted.verdict.startswith("The LSTM predicts walk's next close better than today's close")


@pytest.mark.parametrize("day", [480, 481, 500, 599])
def test_no_forecast_knows_its_own_day_or_a_later_one(planted, random_walk, memory_settings, day):
    """The future is changed from a day on: the forecasts up to that day stay the same to the bit."""
    table = random_walk(600, memory=0.5)
    close, volume = table.close.copy(), table.volume.copy()
    close[day:] *= 1.7
    volume[day:] *= 9.0
    changed = dataclasses.replace(table, close=close, volume=volume)
    forecasts = walk_forward(planted.fits, held_out_days(changed, memory_settings))
    n_same = day - 480 + 1
    for name in MODELS:
        assert forecasts[name][:n_same].tobytes() == planted.forecasts[name][:n_same].tobytes()
        assert day == 599 or forecasts[name][n_same] != planted.forecasts[name][n_same]


def test_training_does_not_know_the_test_days(planted, random_walk, memory_settings):
    table = random_walk(600, memory=0.5)
    close = table.close.copy()
    close[480:] *= 1.7
    other = run_backtest(dataclasses.replace(table, close=close), memory_settings, seed=0)
    assert other.trained.scaler == planted.trained.scaler
    assert other.trained.shrinkage == planted.trained.shrinkage
    for part in ("price", "direction", "volatility"):
        mine, its = (getattr(result.fits[0], part).ensemble.networks for result in (other, planted))
        for one, another in zip(mine, its, strict=True):
            assert all(one.state_dict()[name].equal(weights) for name, weights in another.state_dict().items())
    for name in ("up_share", "shrinkage", "weights", "after_fall", "after_rise"):
        assert getattr(other.fits[0].direction, name) == getattr(planted.fits[0].direction, name)
    assert other.volatility.trained.scaler == planted.volatility.trained.scaler
    assert other.actual[0] != planted.actual[0]


def test_the_same_seed_gives_the_same_document(noise, random_walk, tiny):
    again = run_backtest(random_walk(300), tiny, seed=0)
    assert again.to_document() == noise.to_document()
    assert run_backtest(random_walk(300), tiny, seed=1).to_document() != noise.to_document()


def test_progress_is_told(random_walk, tiny):
    seen = []
    result = run_backtest(random_walk(200), tiny, seed=0, on_epoch=lambda *event: seen.append(event))
    assert [number for number, _ in seen] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert tuple(epoch for _, epoch in seen) == sum(result.trained.ensemble.epochs, ())


def test_too_few_days_for_the_window(random_walk):
    with pytest.raises(UserError, match="--window: expected at most 66"):
        run_backtest(random_walk(100), BacktestSettings(window=90), seed=0)


def test_the_smallest_file_with_the_default_settings(random_walk):
    result = run_backtest(random_walk(100), BacktestSettings(epochs=2), seed=0)
    assert (result.n_train, result.n_test) == (80, 20)


def test_the_embedded_prices_as_a_user_runs_them():
    """The promise: never more than 0.5 % worse than naive, and no claim that is not earned."""
    result = run_backtest(read_prices(embedded_prices("AAPL")), BacktestSettings(), seed=0)
    lstm, unshrunk = result.scores[-2:]
    assert (result.n_train, result.n_test) == (2616, 654)
    assert (result.first_test_date, result.last_test_date) == ("2010-07-27", "2013-03-01")
    assert lstm.rmse_over_naive <= 1.005
    assert unshrunk.rmse_over_naive < 1.05
    assert "predicts AAPL's next close better than today's close" in result.verdict

import dataclasses
import json

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.prices.direction import probabilities, train_direction
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.saved import (
    load_direction,
    load_forecaster,
    load_volatility,
    save_direction,
    save_forecaster,
    save_volatility,
)
from trialwise.prices.train import forecast_returns, train_lstm
from trialwise.prices.volatility_lstm import forecast_variance, train_volatility


@pytest.fixture(scope="module")
def table(random_walk):
    return random_walk(300, memory=0.5)


@pytest.fixture(scope="module")
def trained(table):
    settings = BacktestSettings(window=10, hidden_size=4, n_layers=2, epochs=4, learning_rate=0.02, batch_size=4)
    # Believed in full, so that equal forecasts cannot both be the naive one.
    return dataclasses.replace(train_lstm(table, settings, seed=0), shrinkage=1.0)


@pytest.fixture
def folder(trained, tmp_path):
    save_forecaster(trained, tmp_path / "run")
    return tmp_path / "run"


def test_a_loaded_model_forecasts_the_same_bits(folder, trained, table):
    loaded = load_forecaster(folder)
    wanted = forecast_returns(trained, table, 200)
    assert wanted.any()
    assert forecast_returns(loaded, table, 200).tobytes() == wanted.tobytes()
    assert (loaded.settings, loaded.scaler, loaded.shrinkage) == (trained.settings, trained.scaler, 1.0)
    assert loaded.ensemble.epochs == trained.ensemble.epochs
    assert loaded.ensemble.best_epochs == trained.ensemble.best_epochs
    assert not any(network.training for network in loaded.ensemble.networks)


def test_the_files_are_plain_json_and_weights(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]
    document = json.loads((folder / "model.json").read_text())
    assert document["schema"] == "trialwise.price-model/2"
    assert document["scaler"]["names"] == ["log_return", "abs_log_return", "log_volume_change"]
    assert document["settings"]["window"] == 10


def test_a_missing_folder_or_file(folder, tmp_path):
    with pytest.raises(UserError, match=r"no such file: .*model\.json"):
        load_forecaster(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no such file: .*model\.safetensors") as caught:
        load_forecaster(folder)
    assert "belong together" in caught.value.hint


def test_another_schema(folder):
    (folder / "model.json").write_text('{"schema": "trialwise.image-model/1"}')
    with pytest.raises(UserError, match=r"expected a model of schema 'trialwise\.price-model/2'"):
        load_forecaster(folder)


@pytest.mark.parametrize("broken", ["missing key", "other weights", "torn weights", "odd epoch"])
def test_what_does_not_fit_together_is_refused(folder, broken):
    document = json.loads((folder / "model.json").read_text())
    if broken == "missing key":
        del document["scaler"]
    elif broken == "other weights":
        document["settings"]["hidden_size"] = 8
    elif broken == "odd epoch":
        document["epochs"] = [[{"epoch": 1}]] * 3
    else:
        raw = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(raw[: len(raw) // 2])
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="does not hold a whole price model"):
        load_forecaster(folder)


def test_saved_numbers_are_exact(folder, trained):
    np.testing.assert_array_equal(load_forecaster(folder).scaler.mean, trained.scaler.mean)


def test_loaded_networks_of_volatility_forecast_the_same_bits(walk_with_range, tmp_path):
    table = walk_with_range(300, daily_sd=0.01 * np.exp(0.5 * np.sin(np.arange(300) / 7)))
    trained = train_volatility(table, seed=0)
    save_volatility(trained, tmp_path)
    loaded = load_volatility(tmp_path)
    assert forecast_variance(loaded, table, 250).tobytes() == forecast_variance(trained, table, 250).tobytes()
    assert (loaded.scaler, loaded.horizon) == (trained.scaler, trained.horizon)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volatility.json", "volatility.safetensors"]


def test_a_loaded_model_of_direction_says_the_same(table, tmp_path):
    settings = BacktestSettings(window=10, hidden_size=4, epochs=2, batch_size=4)
    trained = dataclasses.replace(train_direction(table, settings, seed=0), shrinkage=0.7)
    save_direction(trained, tmp_path)
    loaded, wanted = probabilities(load_direction(tmp_path), table, 250), probabilities(trained, table, 250)
    assert all(loaded[name].tobytes() == wanted[name].tobytes() for name in wanted)
    document = json.loads((tmp_path / "direction.json").read_text())
    del document["up_share"]
    (tmp_path / "direction.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="does not hold a whole price model"):
        load_direction(tmp_path)


def test_a_run_without_networks_of_volatility_has_none(folder):
    assert load_volatility(folder) is None


def test_networks_of_volatility_that_are_not_whole(walk_with_range, tmp_path):
    save_volatility(train_volatility(walk_with_range(120), seed=0), tmp_path)
    document = json.loads((tmp_path / "volatility.json").read_text())
    (tmp_path / "volatility.json").write_text(json.dumps(document | {"best_epochs": [1]}))
    with pytest.raises(UserError, match="does not hold a whole price model"):
        load_volatility(tmp_path)
    (tmp_path / "volatility.safetensors").unlink()
    with pytest.raises(UserError, match=r"no such file: .*volatility\.safetensors"):
        load_volatility(tmp_path)

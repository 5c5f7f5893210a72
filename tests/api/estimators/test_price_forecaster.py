"""`PriceForecaster` as a user of scikit-learn has it."""

import dataclasses
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from trialwise import PriceForecaster
from trialwise.base.errors import UserError
from trialwise.prices.backtest import run_backtest
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.saved import save_forecaster
from trialwise.prices.table import PriceTable

TINY = {"window": 10, "hidden_size": 4, "epochs": 3, "n_networks": 1, "random_state": 0}
LEARNS = TINY | {"epochs": 15, "settings": {"batch_size": 4}}


@pytest.fixture(scope="module")
def fitted(prices):
    """One that believes its networks, because these moves can be forecast."""
    return PriceForecaster(**LEARNS).fit(prices(700)[:500])


def test_it_is_the_training_of_price_backtest(prices):
    X = prices(300, volume=True)
    settings = BacktestSettings(window=10, hidden_size=4, epochs=2)
    dates = np.busday_offset("2019-01-02", np.arange(300))
    table = PriceTable(name="walk", dates=dates, close=X[:, 0], volume=X[:, 1])
    trained = run_backtest(table, settings, seed=5).trained
    fitted = PriceForecaster(**TINY | {"epochs": 2, "n_networks": 3, "random_state": 5}).fit(X[:240])
    assert fitted.model_.scaler == trained.scaler
    assert fitted.shrinkage_ == trained.shrinkage
    for ours, theirs in zip(fitted.model_.ensemble.networks, trained.ensemble.networks, strict=True):
        assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())


def test_what_can_be_forecast_is_and_a_random_walk_is_not(fitted, prices):
    assert fitted.shrinkage_ > 0.3
    assert fitted.score(prices(700)[500:]) > 0.1
    walk = prices(700, memory=0.0)
    honest = PriceForecaster(**LEARNS).fit(walk[:500])
    assert honest.shrinkage_ == 0.0
    assert honest.score(walk[500:]) == 0.0
    assert np.array_equal(honest.predict(walk[500:]), honest.naive(walk[500:]))


def test_no_forecast_knows_its_future(fitted, prices):
    X = prices(700)[500:]
    said = fitted.predict(X)
    for row in (30, 100, 199):
        other = X.copy()
        other[row:] *= np.exp(0.5 + np.random.default_rng(row).random((len(X) - row, 1)))
        again = fitted.predict(other)
        assert np.array_equal(said[:row], again[:row])
        assert (said[row:] != again[row:]).all()  # the test would see it


def test_a_forecast_is_made_of_the_days_before_it(fitted, prices):
    X = prices(700)[500:]
    said = fitted.predict(X)
    assert said.shape == (200,)
    assert np.array_equal(said[:9], X[:9, 0])  # fewer than `window` days are known: naive
    assert (said[9:] != X[9:, 0]).all()
    np.testing.assert_allclose(fitted.predict(X[50:])[9:], said[59:], rtol=1e-6)
    np.testing.assert_allclose(fitted.predict(X[:60])[-1], said[59], rtol=1e-6)
    shuffled = np.random.default_rng(0).permutation(200)
    assert not np.allclose(fitted.predict(X[shuffled]), said[shuffled], rtol=1e-4)
    assert fitted.predict(X[:3]).tolist() == X[:3, 0].tolist()


def test_the_score_is_the_skill_over_naive(fitted, prices):
    X = prices(700)[500:]
    moves, said = np.diff(np.log(X[:, 0])), np.log(fitted.predict(X) / X[:, 0])[:-1]
    expected = 1 - ((moves - said) ** 2).sum() / (moves**2).sum()
    assert fitted.score(X) == pytest.approx(expected)
    assert fitted.score(X[:-1], X[1:, 0]) == pytest.approx(expected)
    weights = np.r_[np.ones(99), np.zeros(101)]
    assert fitted.score(X, sample_weight=weights) == pytest.approx(fitted.score(X[:100]))
    with pytest.raises(ValueError, match="more than 1 samples to judge a forecast, got 1"):
        fitted.score(X[:1])


def test_closes_frames_and_arrays_are_the_same_prices(prices):
    X = prices(200, volume=True)
    days = pd.bdate_range("2019-01-02", periods=200)
    frame = pd.DataFrame({"Volume": X[:, 1], "Close": X[:, 0]}, index=days)
    of_array, of_frame = (PriceForecaster(**TINY).fit(one) for one in (X, frame))
    assert np.array_equal(of_array.predict(X), of_frame.predict(frame))
    assert of_frame.feature_names_in_.tolist() == ["Volume", "Close"]
    assert of_array.model_.scaler.names == ("log_return", "abs_log_return", "log_volume_change")
    series = PriceForecaster(**TINY).fit(frame["Close"])
    assert np.array_equal(series.predict(frame["Close"]), series.predict(X[:, :1]))
    weekdays = TINY | {"settings": {"features": ("returns", "weekday")}}
    assert "monday" in PriceForecaster(**weekdays).fit(frame).model_.scaler.names
    with pytest.raises(ValueError, match="weekday needs the days"):
        PriceForecaster(**weekdays).fit(X)
    others = PriceForecaster(**TINY).fit(frame.assign(IBM=prices(200, seed=1)[:, 0]))
    assert others.model_.scaler.names[-1] == "log_return of IBM"


def test_horizons_look_further(prices):
    X = prices(400)
    far = PriceForecaster(**LEARNS, horizon=5).fit(X[:300])
    assert far.predict(X[300:]).shape == (100,)
    assert far.score(X[300:-5], X[305:, 0]) == pytest.approx(far.score(X[300:]))


def test_cross_validation_in_time_grid_and_pipeline(prices):
    X = prices(400, volume=True)
    splits = TimeSeriesSplit(3)
    scores = cross_val_score(PriceForecaster(**TINY), X, cv=splits, error_score="raise")
    assert scores.shape == (3,)
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[:, :1]), PriceForecaster(**TINY))
    errors = cross_val_score(
        pipeline, X[:-1], X[1:, 0], cv=splits, scoring="neg_mean_absolute_error", error_score="raise"
    )
    assert (errors < 0).all()
    grid = GridSearchCV(PriceForecaster(**TINY), {"window": np.array([5, 10])}, cv=splits, error_score="raise").fit(X)
    assert grid.best_params_["window"] in (5, 10)


def test_the_same_seed_gives_the_same_forecasts(fitted, prices):
    X = prices(700)
    again = clone(fitted).fit(X[:500])
    assert np.array_equal(again.predict(X), fitted.predict(X))
    other = clone(fitted).set_params(random_state=1).fit(X[:500])
    assert not np.array_equal(other.predict(X), fitted.predict(X))


def test_saved_and_loaded_without_pickle(fitted, prices, tmp_path, monkeypatch, damaged):
    X = prices(700)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))
    monkeypatch.setattr(pickle, "dumps", None)
    monkeypatch.setattr(pickle, "loads", None)
    folder = fitted.save(tmp_path / "saved")
    assert {file.name for file in folder.iterdir()} == {"estimator.json", "model.json", "model.safetensors"}
    loaded = PriceForecaster.load(folder)
    assert np.array_equal(loaded.predict(X), fitted.predict(X))
    assert loaded.get_params() == fitted.get_params()
    assert (loaded.n_features_in_, loaded.seed_, loaded.history_) == (1, 0, fitted.history_)
    damaged(folder / "estimator.json", schema="trialwise.image-classifier/1")
    with pytest.raises(UserError, match=r"expected an estimator of schema 'trialwise\.price-forecaster/1'"):
        PriceForecaster.load(folder)
    (folder / "estimator.json").write_text("{")
    with pytest.raises(ValueError, match=r"estimator\.json"):
        PriceForecaster.load(folder)


def test_the_model_of_a_backtest_is_loaded_with_its_settings(fitted, prices, tmp_path):
    X = prices(700)
    (tmp_path / "run").mkdir()
    save_forecaster(fitted.model_, tmp_path / "run")
    loaded = PriceForecaster.load(tmp_path / "run")
    assert np.array_equal(loaded.predict(X), fitted.predict(X))
    assert np.array_equal(PriceForecaster.load(loaded.save(tmp_path / "saved")).predict(X), fitted.predict(X))
    again = clone(loaded).set_params(random_state=0).fit(X[:500])
    assert np.array_equal(again.predict(X), fitted.predict(X))


def test_a_model_of_volumes_is_not_used_without_them(prices, tmp_path):
    X = prices(200, volume=True)
    fitted = PriceForecaster(**TINY).fit(X)
    with pytest.raises(ValueError, match="X has 1 features, but PriceForecaster is expecting 2"):
        fitted.predict(X[:, 0])
    (tmp_path / "run").mkdir()
    save_forecaster(dataclasses.replace(fitted.model_), tmp_path / "run")
    with pytest.raises(ValueError, match="no volume, and the model was trained on one"):
        PriceForecaster.load(tmp_path / "run").predict(X[:, 0])


def test_y_is_compared_and_not_trained_on(prices):
    X = prices(200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        right = PriceForecaster(**TINY).fit(X[:-1], X[1:, 0])
    with pytest.warns(UserWarning, match="y is not trained on, and it is not the close 1 rows later"):
        wrong = PriceForecaster(**TINY).fit(X[:-1], X[:-1, 0])
    assert np.array_equal(right.predict(X), wrong.predict(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"window": 1}, "^window: expected at least 2"),
        ({"window": 150}, "^window: expected at most 148 for X with 150 training days"),
        ({"horizon": 21}, "^horizon: expected at least 1 and at most 20"),
        ({"n_networks": 0}, "n_networks: expected at least 1"),
        ({"settings": {"test_fraction": 0.3}}, "test_fraction is of a backtest"),
        ({"settings": {"patients": 3}}, "(?s)unknown option 'patients'.*patience"),
    ],
)
def test_bad_parameters_are_value_errors_with_one_message(params, message, prices):
    with pytest.raises(ValueError, match=message):
        PriceForecaster(**TINY | params).fit(prices(176))


def test_bad_prices_are_value_errors(prices):
    X = prices(100, volume=True)
    frame = pd.DataFrame(X, columns=["close", "volume"], index=pd.bdate_range("2019-01-02", periods=100))
    cases = {
        "days are out of order": frame.iloc[::-1],
        r"column is called close: 'Adj Close', 'volume'": frame.rename(columns={"close": "Adj Close"}),
        "which is the close to forecast, 'close' or 'Adj Close'": frame.assign(**{"Adj Close": X[:, 0]}),
        "expected prices, which are above 0: close is 0 in row 7": np.where(np.arange(100) == 7, 0.0, X[:, 0]),
        "Negative values in data passed to PriceForecaster": np.diff(X, axis=0),
        r"11 sample\(s\) are too few for a window of 10": X[:11],
        "contains NaN": np.where(np.arange(100) == 7, np.nan, X[:, 0]),
    }
    for message, given in cases.items():
        with pytest.raises(ValueError, match=message):
            PriceForecaster(**TINY).fit(given)

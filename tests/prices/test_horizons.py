"""Several days ahead, and fitted again on the way: what is the same everywhere, and what may not be seen."""

import dataclasses

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.prices.backtest import run_backtest
from trialwise.prices.bands import price_bands
from trialwise.prices.baselines import BASELINES, drift, moving_average, naive
from trialwise.prices.forecast import forecast_next
from trialwise.prices.leaks import leak_test
from trialwise.prices.recipes import BacktestSettings, WalkSettings
from trialwise.prices.splits import train_part
from trialwise.prices.table import first_rows
from trialwise.prices.volatility_garch import garch
from trialwise.prices.volatility_models import LINEAR_MODELS
from trialwise.prices.volatility_target import daily_variance, variance_ahead

CLOSE = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 16.0, 16.0])


def settings_of(**walk):
    settings = BacktestSettings(window=10, hidden_size=4, epochs=3, batch_size=8, learning_rate=0.02)
    return dataclasses.replace(settings, walk=WalkSettings(**walk))


@pytest.fixture(scope="module")
def table(walk_with_range):
    return walk_with_range(400, daily_sd=0.01 * np.exp(0.4 * np.sin(np.arange(400) / 20)))


@pytest.fixture(scope="module")
def week(table):
    return run_backtest(table, settings_of(horizon=5), seed=0)


def test_baselines_two_days_ahead_by_hand():
    np.testing.assert_array_equal(naive(CLOSE, 6, 2), [16, 32])
    # Doubling four times, then five: twice the mean move.
    np.testing.assert_allclose(drift(CLOSE, 6, 2), [64, 128])
    np.testing.assert_allclose(moving_average(CLOSE, 6, 2), [31 / 5, 62 / 5])


@pytest.mark.parametrize("name", [*BASELINES, *LINEAR_MODELS, "garch"])
@pytest.mark.parametrize("day", [300, 304, 323, 360, 399])
def test_no_forecast_knows_a_day_after_its_evening(table, name, day):
    def forecast(of):
        if name in BASELINES:
            return BASELINES[name](of.close, 304, 5)
        return (LINEAR_MODELS | {"garch": garch})[name](of, 304, 5)

    changed = {}
    for column in ("close", "open", "high", "low", "volume"):
        changed[column] = getattr(table, column).copy()
        changed[column][day:] *= {"low": 0.5, "high": 2.0}.get(column, 1.2)
    before, after = forecast(table), forecast(dataclasses.replace(table, **changed))
    n_same = day - 304 + 5  # the forecast of row 304 is made on the evening of row 299
    assert before.shape == (96,)
    assert before[:n_same].tobytes() == after[:n_same].tobytes()
    assert n_same >= 96 or before[n_same] != after[n_same]


def test_the_variance_ahead_is_the_sum_of_the_days_to_come(table):
    variance = daily_variance(table)
    ahead = variance_ahead(table, 3)
    assert len(ahead) == 397
    np.testing.assert_allclose([ahead[0], ahead[-1]], [variance[1:4].sum(), variance[-3:].sum()])
    np.testing.assert_array_equal(variance_ahead(table, 1), variance[1:])


def test_every_model_forecasts_the_days_whose_evening_lies_in_the_test(table, week):
    n = 80 - 5 + 1  # the move that ends on one of the first four test days began before the origin
    assert week.n_train == 320
    np.testing.assert_array_equal(week.actual, table.close[324:])
    np.testing.assert_array_equal(week.forecasts["naive"], table.close[319:-5])
    assert all(len(values) == n for values in week.forecasts.values())
    assert all(len(values) == n for values in week.volatility.forecasts.values())
    assert all(len(values) == n for values in week.up_probabilities.values())
    assert week.bands.low.shape == (n, 4)
    np.testing.assert_array_equal(week.volatility.actual, variance_ahead(table, 5)[319:])
    assert "close 5 days ahead" in week.verdict
    assert week.to_document()["horizon"] == 5
    assert week.volatility.target.startswith("sum over 5 days of")


def test_bands_of_several_days_hold_their_promise(walk_with_range):
    table = walk_with_range(2500)
    bands = price_bands(table, 1000, 5)
    held = ((bands.low <= table.close[1000:, None]) & (table.close[1000:, None] <= bands.high)).mean(axis=0)
    np.testing.assert_allclose(held, bands.levels, atol=0.06)
    daily = price_bands(table, 1000)
    wider = np.median((bands.high - bands.low) / (daily.high - daily.low))
    assert wider == pytest.approx(np.sqrt(5), rel=0.15)


@pytest.mark.parametrize("walk", [{"horizon": 5}, {"refit_every": 30}, {"horizon": 3, "refit_every": 25}])
def test_nothing_leaks(table, walk):
    report = leak_test(table, settings_of(**walk), seed=0)
    assert report.passed, [check for check in report.checks if check.n_leaks]
    kinds = {check.kind for check in report.checks}
    assert kinds == {"feature", "close", "variance", "direction", "band"}
    n_forecasts = {check.n_compared for check in report.checks if check.kind == "close"}
    assert n_forecasts == {1 + 40 + min(80, 80 - walk.get("horizon", 1) + 1)}


def test_the_forecast_is_the_one_that_a_backtest_makes_of_that_day(table, week):
    fit = week.fits[0]
    found = forecast_next(fit.price, fit.volatility, first_rows(table, 342), fit.direction)  # HAR is fitted again there
    row = 342 - 1 + 5 - 324
    assert (found.horizon, found.next_date) == (5, str(table.dates[346]))
    assert found.close == pytest.approx(week.forecasts["lstm"][row], rel=1e-6)
    assert found.up_probability == pytest.approx(week.up_probabilities["lstm"][row], rel=1e-5)
    assert found.sd**2 == pytest.approx(week.volatility.forecasts["lstm_har_mean"][row], rel=1e-5)
    assert found.daily_sd == pytest.approx(found.sd / np.sqrt(5))
    np.testing.assert_allclose([band.low for band in found.bands], week.bands.low[row], rtol=1e-12)


def test_a_refit_is_a_backtest_whose_training_ends_later(table):
    again = run_backtest(table, settings_of(refit_every=30), seed=0)
    assert [fit.first_row for fit in again.fits] == [320, 350, 380]
    assert again.to_document()["n_fits"] == 3
    once = run_backtest(table, settings_of(), seed=0)
    later = run_backtest(first_rows(table, 400), dataclasses.replace(settings_of(), test_fraction=0.125), seed=0)
    assert later.n_train == 350
    for name in ("drift", "ar_ridge", "dlinear", "lstm", "lstm_unshrunk"):
        assert again.forecasts[name][:30].tobytes() == once.forecasts[name][:30].tobytes()
        np.testing.assert_allclose(again.forecasts[name][30:60], later.forecasts[name][:30], rtol=1e-12)
    np.testing.assert_allclose(again.up_probabilities["lstm"][30:60], later.up_probabilities["lstm"][:30], rtol=1e-12)
    assert not np.array_equal(again.forecasts["lstm_unshrunk"][30:], once.forecasts["lstm_unshrunk"][30:])
    assert not np.array_equal(again.volatility.forecasts["lstm"][30:], once.volatility.forecasts["lstm"][30:])


def test_a_horizon_that_does_not_fit_says_which_would(table):
    short = first_rows(table, 120)
    with pytest.raises(UserError, match=r"--horizon: expected at most 4 for walk with 14 validation days and 24 test"):
        train_part(short, settings_of(horizon=5))
    assert run_backtest(short, settings_of(horizon=4), seed=0).n_train == 96


@pytest.mark.parametrize("horizon", [2, 20])
def test_the_smallest_file_that_a_horizon_takes(walk_with_range, horizon):
    table = walk_with_range(max(100, 26 * horizon))
    result = run_backtest(table, settings_of(horizon=horizon), seed=0)
    assert np.isfinite([score.rmse for score in result.scores]).all()

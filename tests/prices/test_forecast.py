import dataclasses

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.prices.backtest import run_backtest
from trialwise.prices.forecast import forecast_next, with_more_days
from trialwise.prices.inspect import step_warnings
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import accompanied, first_rows, rows_a_year
from trialwise.prices.train import train_lstm
from trialwise.prices.volatility import train_volatility_models


@pytest.fixture(scope="module")
def table(walk_with_range):
    return walk_with_range(400)


@pytest.fixture(scope="module")
def models(table):
    before = first_rows(table, 320)
    settings = BacktestSettings(window=10, hidden_size=4, epochs=4, learning_rate=0.02, batch_size=4)
    trained = dataclasses.replace(train_lstm(before, settings, seed=0), shrinkage=1.0)
    return trained, train_volatility_models(before, seed=0)


@pytest.mark.parametrize("n_days", [320, 350, 399])
def test_the_forecast_is_the_one_that_a_backtest_makes_of_that_day(table, models, n_days):
    """What stands in the file after the origin is what a backtest has there; the forecast knows none of it."""
    trained, trained_volatility = models
    found = forecast_next(trained, trained_volatility, first_rows(table, n_days))
    backtested = run_backtest(table, dataclasses.replace(trained.settings, test_fraction=0.2), seed=0)
    assert backtested.n_train == 320
    row = n_days - 320
    np.testing.assert_allclose([band.low for band in found.bands], backtested.bands.low[row], rtol=1e-12)
    np.testing.assert_allclose([band.high for band in found.bands], backtested.bands.high[row], rtol=1e-12)
    assert found.close == pytest.approx(backtested.forecasts["lstm_unshrunk"][row], rel=1e-6)
    assert (found.last_date, found.last_close) == (str(table.dates[n_days - 1]), table.close[n_days - 1])
    assert found.next_date == str(table.dates[n_days])


def test_what_it_says_holds_together(table, models):
    found = forecast_next(*models, table)
    assert [band.level for band in found.bands] == [0.5, 0.8, 0.9, 0.95]
    widths = [band.high - band.low for band in found.bands]
    assert widths == sorted(widths)
    assert 0.003 < found.daily_sd < 0.03
    assert found.annual_volatility == pytest.approx(found.daily_sd * 252**0.5)
    assert found.to_document()["bands"][0].keys() == {"level", "low", "high"}


def test_the_day_after_a_friday_is_a_monday(table, models):
    friday = next(row for row in range(360, 400) if table.dates[row].astype("datetime64[D]").item().weekday() == 4)
    found = forecast_next(*models, first_rows(table, friday + 1))
    assert np.datetime64(found.next_date) - table.dates[friday] == np.timedelta64(3, "D")


def test_without_networks_of_volatility_the_bands_tell_how_much_it_moves(table, models):
    found = forecast_next(models[0], None, table)
    assert found.daily_sd > 0


def test_a_file_without_what_the_model_needs_is_refused(table, models):
    with pytest.raises(UserError, match="has no volume, and the model was trained on one"):
        forecast_next(*models, dataclasses.replace(table, volume=None))
    with pytest.raises(UserError, match="expected more than 10 days"):
        forecast_next(*models, first_rows(table, 10))


def test_a_model_with_companions_wants_the_same_ones(table, walk_with_range):
    other = dataclasses.replace(walk_with_range(400, seed=7), name="other")
    third = dataclasses.replace(other, name="third")
    together = accompanied(table, [other])
    settings = BacktestSettings(window=10, hidden_size=4, epochs=2, batch_size=4)
    trained = train_lstm(first_rows(together, 320), settings, seed=0)
    assert trained.scaler.names[-1] == "log_return of other"
    with pytest.raises(UserError, match="the model was trained with other"):
        forecast_next(trained, None, table)
    assert forecast_next(trained, None, accompanied(table, [third, other])) == forecast_next(trained, None, together)


def test_a_model_without_volume_takes_a_file_with_one(table):
    before = dataclasses.replace(first_rows(table, 320), volume=None)
    settings = BacktestSettings(window=10, hidden_size=4, epochs=1, batch_size=4)
    trained, volatility = train_lstm(before, settings, seed=0), train_volatility_models(before, seed=0)
    without = forecast_next(trained, volatility, dataclasses.replace(table, volume=None))
    assert forecast_next(trained, volatility, table) == without


def test_a_model_of_returns_alone_beside_volatility_with_volume_and_companions(table, walk_with_range):
    together = accompanied(table, [dataclasses.replace(walk_with_range(400, seed=7), name="other")])
    before = first_rows(together, 320)
    settings = BacktestSettings(window=10, hidden_size=4, epochs=1, features=("returns",))
    models = train_lstm(before, settings, seed=0), train_volatility_models(before, seed=0)
    assert forecast_next(*models, together).sd > 0
    with pytest.raises(UserError, match="has no volume"):
        forecast_next(*models, dataclasses.replace(together, volume=None))


def test_a_model_of_ranges_wants_ranges(table):
    settings = BacktestSettings(window=10, hidden_size=4, epochs=1, features=("returns", "ranges"))
    trained = train_lstm(first_rows(table, 320), settings, seed=0)
    with pytest.raises(UserError, match="has no open, high and low"):
        forecast_next(trained, None, dataclasses.replace(table, high=None))


def test_weekly_prices_are_forecast_by_weeks(random_walk):
    daily = random_walk(120)
    weekly = dataclasses.replace(daily, dates=np.datetime64("2019-01-07") + 7 * np.arange(120))
    longer = with_more_days(weekly, 2)
    assert list(longer.dates[-2:] - weekly.dates[-1]) == [np.timedelta64(7, "D"), np.timedelta64(14, "D")]
    assert rows_a_year(daily.dates) == 252
    assert rows_a_year(weekly.dates) == pytest.approx(52.18, abs=0.01)
    assert step_warnings(daily.dates) == []
    (warning,) = step_warnings(weekly.dates)
    assert warning == "the rows are 7 days apart: whatever is said of days holds for steps of 7 days"

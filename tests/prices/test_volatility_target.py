import dataclasses

import numpy as np
import pytest

from trialwise.prices.table import PriceTable
from trialwise.prices.volatility_target import SMALLEST_VARIANCE, daily_variance, has_range, trailing_mean


def table_of(close, **columns):
    dates = np.datetime64("2020-01-01") + np.arange(len(close))
    columns = {name: np.array(values, float) for name, values in columns.items()}
    return PriceTable(name="t", dates=dates, close=np.array(close, float), **columns)


def test_range_and_overnight_by_hand():
    table = table_of([100, 110], open=[100, 105], high=[100, 120], low=[100, 100])
    session = 0.5 * np.log(120 / 100) ** 2 - (2 * np.log(2) - 1) * np.log(110 / 105) ** 2
    assert has_range(table)
    assert daily_variance(table)[1] == pytest.approx(session + np.log(105 / 100) ** 2)


def test_without_a_range_it_is_the_squared_return():
    table = table_of([100, 110, 99], open=[100, 100, 100])
    assert not has_range(table)
    np.testing.assert_allclose(daily_variance(table)[1:], [np.log(1.1) ** 2, np.log(0.9) ** 2])


@pytest.mark.parametrize("wrong", [{"open": np.nan}, {"high": np.inf}, {"high": 105}, {"low": 111}, {"low": 0}])
def test_a_day_with_an_unusable_range_has_its_squared_return(wrong):
    prices = {"open": 105, "high": 120, "low": 100} | wrong
    table = table_of([100, 110], **{name: [100, value] for name, value in prices.items()})
    assert daily_variance(table)[1] == pytest.approx(np.log(1.1) ** 2)


def test_a_day_that_did_not_move_has_a_floor():
    table = table_of([100, 110, 110])
    assert daily_variance(table)[2] == pytest.approx(0.01 * np.log(1.1) ** 2 / 3)
    np.testing.assert_array_equal(daily_variance(table_of([100] * 30)), SMALLEST_VARIANCE)


def test_simulated_days_have_the_variance_they_were_drawn_with(walk_with_range):
    table = walk_with_range(2000, daily_sd=0.02)
    by_range = daily_variance(table)
    by_return = daily_variance(dataclasses.replace(table, high=None))
    # Prices are looked at 80 times a day only, so the range is too small.
    assert 0.75 * 0.02**2 < by_range.mean() < 0.02**2
    assert by_return.mean() == pytest.approx(0.02**2, rel=0.12)
    assert by_range.std() < 0.7 * by_return.std()


def test_the_first_means_are_of_the_days_there_are():
    np.testing.assert_allclose(trailing_mean(np.array([2.0, 4, 6, 8]), 3), [2, 3, 4, 6])

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwise.prices.features import build_features, feature_names, fit_scaler, log_returns, scale
from trialwise.prices.table import PriceTable, accompanied

NAMES = ("log_return", "abs_log_return", "log_volume_change")


def table_of(close, volume=None):
    dates = np.datetime64("2020-01-01") + np.arange(len(close))
    return PriceTable(name="t", dates=dates, close=np.array(close, float), volume=volume)


@settings(deadline=None)
@given(day=st.integers(0, 298), factor=st.floats(0.01, 100), seed=st.integers(0, 5))
def test_a_feature_does_not_know_the_future(random_walk, day, factor, seed):
    """Everything after a day is changed; every feature up to it stays the same to the bit."""
    table = random_walk(300, seed=seed)
    close, volume = table.close.copy(), table.volume.copy()
    close[day + 1 :] *= factor
    volume[day + 1 :] = np.nan
    changed = dataclasses.replace(table, close=close, volume=volume)
    before, after = build_features(table, NAMES), build_features(changed, NAMES)
    assert before[: day + 1].tobytes() == after[: day + 1].tobytes()
    assert not np.array_equal(before[day + 1 :], after[day + 1 :])


def test_log_returns_by_hand():
    np.testing.assert_allclose(log_returns(np.array([100.0, 110.0, 99.0])), [0.0, np.log(1.1), np.log(0.9)])


def test_features_by_hand():
    volume = np.array([np.e, np.e**3, np.nan, np.e**5])
    features = build_features(table_of([100, 110, 99, 99], volume), NAMES)
    np.testing.assert_allclose(features[:, 1], [0, np.log(1.1), -np.log(0.9), 0])
    # Means of the log volumes known so far: 1, 2, and 3 after a day without one.
    np.testing.assert_allclose(features[:, 2], [0, 1, 0, 2], atol=1e-12)


def test_the_volume_mean_spans_22_days():
    log_volume = np.zeros(60)
    log_volume[10] = 22.0
    change = build_features(table_of(np.ones(60), np.exp(log_volume)), NAMES)[:, 2]
    np.testing.assert_allclose(change[22:32], -1.0)
    np.testing.assert_allclose(change[32:], 0.0, atol=1e-12)


def test_the_features_follow_the_columns(random_walk):
    assert feature_names(random_walk()) == NAMES
    assert feature_names(random_walk(volume=False)) == NAMES[:2]


def test_the_scaler_is_that_of_the_rows_it_was_given():
    features = np.array([[1.0, 5.0], [3.0, 5.0]])
    scaler = fit_scaler(features, np.array([0.03, -0.04]), ("a", "b"))
    assert (scaler.mean, scaler.sd) == ((2.0, 5.0), (1.0, 1.0))
    assert scaler.return_sd == pytest.approx(np.sqrt(0.00125))
    np.testing.assert_array_equal(scale(features, scaler), [[-1, 0], [1, 0]])
    assert scale(np.array([[1000.0, -1000.0]]), scaler).tolist() == [[5.0, -5.0]]
    assert scale(features, scaler).dtype == np.float32


def test_companions_are_aligned_by_day_and_never_filled_from_the_future(random_walk):
    table = random_walk(100)
    kept = np.r_[10:40, 45:100]
    other = dataclasses.replace(table, name="other", dates=table.dates[kept], close=2 * table.close[kept], volume=None)
    (companion,) = accompanied(table, [other]).companions
    assert np.isnan(companion.close[:10]).all()
    np.testing.assert_array_equal(companion.close[10:40], 2 * table.close[10:40])
    np.testing.assert_array_equal(companion.close[40:45], 2 * table.close[39])
    moves = build_features(accompanied(table, [other]), ("log_return of other",))[:, 0]
    assert (moves[:11] == 0).all()
    assert (moves[40:45] == 0).all()
    assert moves[45] == pytest.approx(np.log(table.close[45] / table.close[39]))


def test_weekdays_and_ranges(walk_with_range):
    table = walk_with_range(30)
    names = feature_names(table, ("weekday", "ranges"))
    features = build_features(table, names)
    days = [date.item().weekday() for date in table.dates]
    np.testing.assert_array_equal(features[:, :5].argmax(axis=1), days)
    np.testing.assert_allclose(features[:, 5], np.log(table.high / table.low))
    np.testing.assert_allclose(features[1:, 6], np.log(table.open[1:] / table.close[:-1]))
    assert feature_names(dataclasses.replace(table, high=None), ("ranges", "volume")) == ("log_volume_change",)

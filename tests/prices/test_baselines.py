import numpy as np
import pytest

from trialwise.prices.baselines import BASELINES, drift, moving_average, naive
from trialwise.prices.linear import _trend_and_remainder, ar_ridge, dlinear

CLOSE = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 16.0, 16.0])


def test_the_names_and_their_order():
    assert list(BASELINES) == ["naive", "drift", "moving_average_5", "ar_ridge", "dlinear"]


def test_naive_by_hand():
    np.testing.assert_array_equal(naive(CLOSE, 5), [16, 32, 16])


def test_drift_by_hand():
    # Doubling five times; then 5 doublings less 1 in 6 moves.
    np.testing.assert_allclose(drift(CLOSE, 5), [32, 64, 16 * 2 ** (4 / 6)])


def test_moving_average_by_hand():
    np.testing.assert_allclose(moving_average(CLOSE, 5), [31 / 5, 62 / 5, 76 / 5])


@pytest.mark.parametrize("name", list(BASELINES))
@pytest.mark.parametrize("day", range(240, 299, 7))
def test_a_baseline_does_not_know_the_future(random_walk, name, day):
    close = random_walk(300).close
    changed = close.copy()
    changed[day:] *= 3.0
    before, after = BASELINES[name](close, 240), BASELINES[name](changed, 240)
    assert len(before) == 60
    assert before[: day - 240 + 1].tobytes() == after[: day - 240 + 1].tobytes()
    assert not np.array_equal(before, after)


def test_ar_ridge_finds_planted_memory(random_walk):
    close = random_walk(1500, memory=0.4).close
    naive_errors, errors = (close[1200:] - forecast(close, 1200) for forecast in (naive, ar_ridge))
    assert np.mean(errors**2) / np.mean(naive_errors**2) < 0.92
    forecast_moves = np.log(ar_ridge(close, 1200) / naive(close, 1200))
    yesterdays_moves = np.diff(np.log(close))[1198:-1]
    assert np.polyfit(yesterdays_moves, forecast_moves, 1)[0] == pytest.approx(0.4, abs=0.08)


def test_dlinear_finds_planted_memory(random_walk):
    close = random_walk(1500, memory=0.4).close
    naive_errors, errors = (close[1200:] - forecast(close, 1200) for forecast in (naive, dlinear))
    assert np.mean(errors**2) / np.mean(naive_errors**2) < 0.93


def test_dlinear_by_hand():
    """A rising line less its last value: the trend is the line away from the ends, and the parts make the whole."""
    parts = _trend_and_remainder(np.exp(np.arange(35.0)), 30)
    line = np.arange(-29.0, 1.0)
    assert parts.shape == (6, 60)
    np.testing.assert_allclose(parts[:, :30] + parts[:, 30:], np.tile(line, (6, 1)), atol=1e-12)
    np.testing.assert_allclose(parts[:, 12:18], np.tile(line[12:18], (6, 1)), atol=1e-12)
    # Half the window beyond the end is the last value, 0.
    np.testing.assert_allclose(parts[:, 29], np.arange(-12.0, 1.0).sum() / 25)


@pytest.mark.parametrize("name", ["ar_ridge", "dlinear"])
@pytest.mark.parametrize("seed", range(5))
def test_on_noise_a_linear_forecast_stays_close_to_naive(random_walk, name, seed):
    close = random_walk(1500, seed=seed).close
    naive_errors, errors = close[1200:] - naive(close, 1200), close[1200:] - BASELINES[name](close, 1200)
    assert np.sqrt(np.mean(errors**2) / np.mean(naive_errors**2)) < 1.02


@pytest.mark.parametrize("name", ["ar_ridge", "dlinear"])
def test_a_linear_forecast_of_few_days_or_flat_prices_is_naive(name):
    few = np.linspace(1, 2, 10)
    np.testing.assert_array_equal(BASELINES[name](few, 2), naive(few, 2))
    flat = np.ones(300)
    np.testing.assert_array_equal(BASELINES[name](flat, 240), flat[240:])

import numpy as np
import pytest

from trialwise.prices.baselines import BASELINES, drift, moving_average, naive

CLOSE = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 16.0, 16.0])


def test_the_names_and_their_order():
    assert list(BASELINES) == ["naive", "drift", "moving_average_5"]


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

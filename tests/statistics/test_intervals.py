import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.statistics.intervals import wilson_interval


def test_a_published_value():
    low, high = wilson_interval(81, 263)  # Newcombe 1998, table I, method 3
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_in_its_interval_and_the_interval_in_0_to_1(found):
    right, n = found
    low, high = wilson_interval(right, n)
    assert 0 <= low <= right / n <= high <= 1


def test_it_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    draws = random.binomial(500, 0.9, size=2000)
    held = [low <= 0.9 <= high for low, high in (wilson_interval(int(d), 500) for d in draws)]
    assert 0.93 <= np.mean(held) <= 0.97

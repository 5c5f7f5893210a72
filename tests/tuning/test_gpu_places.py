"""Every GPU is used, none by more trials than fit on it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.tuning.gpu_places import gpu_places


@pytest.mark.parametrize(
    ("gpus", "per_trial", "expected"),
    [
        (["0", "1"], 0.5, ["0", "1", "0", "1"]),
        (["0", "1"], 0.4, ["0", "1", "0", "1"]),
        (["0", "1", "2"], 1, ["0", "1", "2"]),
        (["0", "1", "2"], 2, ["0,1"]),
        (["0"], 2, []),
        ([], 0.5, []),
    ],
)
def test_the_places(gpus, per_trial, expected):
    assert gpu_places(gpus, per_trial) == expected


@given(n_gpus=st.integers(0, 8), parts=st.integers(1, 100))
def test_a_share_of_one_in_n_is_n_places_a_gpu_spread_evenly(n_gpus, parts):
    gpus = [str(index) for index in range(n_gpus)]
    places = gpu_places(gpus, 1 / parts)
    assert Counter(places) == dict.fromkeys(gpus, parts)
    for some in range(len(places)):
        counts = Counter(places[:some])
        assert max(counts.values(), default=0) - min((counts[gpu] for gpu in gpus), default=0) <= 1


@given(n_gpus=st.integers(0, 16), n=st.integers(2, 8))
def test_trials_with_several_gpus_share_none(n_gpus, n):
    places = gpu_places([str(index) for index in range(n_gpus)], n)
    used = [gpu for place in places for gpu in place.split(",")]
    assert len(places) == n_gpus // n
    assert len(set(used)) == len(used) == n * len(places)

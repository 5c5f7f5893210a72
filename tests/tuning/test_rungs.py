import math

from hypothesis import given
from hypothesis import strategies as st

from trialwise.tuning.rungs import best_first, promoted, rung_epochs


def test_the_rungs_of_common_lengths():
    assert rung_epochs(1) == (1,)
    assert rung_epochs(6) == (1, 2, 6)
    assert rung_epochs(9) == (1, 3, 9)
    assert rung_epochs(27) == (1, 3, 9, 27)
    assert rung_epochs(27, first=4) == (4, 9, 27)


@given(st.integers(1, 10_000), st.integers(1, 50), st.integers(2, 8))
def test_rungs_rise_from_the_first_to_all_epochs(max_epochs, first, eta):
    first = min(first, max_epochs)
    rungs = rung_epochs(max_epochs, first=first, eta=eta)
    assert rungs[0] == first
    assert rungs[-1] == max_epochs
    assert list(rungs) == sorted(set(rungs))


@given(st.dictionaries(st.integers(0, 100), st.floats(), min_size=1), st.sampled_from(["minimize", "maximize"]))
def test_one_in_three_goes_on_and_nobody_left_behind_is_better(scores, direction):
    going_on = promoted(scores, direction)
    assert len(going_on) == math.ceil(len(scores) / 3)
    left = scores.keys() - going_on
    for winner in going_on:
        for loser in left:
            if not (math.isnan(scores[winner]) or math.isnan(scores[loser])):
                better = scores[winner] <= scores[loser] if direction == "minimize" else scores[winner] >= scores[loser]
                assert better
            assert not (math.isnan(scores[winner]) and not math.isnan(scores[loser]))


def test_ties_go_to_the_earlier_trial():
    assert best_first({3: 0.5, 1: 0.5, 2: 0.9}, "maximize") == [2, 1, 3]

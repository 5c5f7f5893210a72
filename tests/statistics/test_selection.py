"""Luck of the best of many: what must always hold, cases known by other means, and small simulations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwise.statistics.comparisons import mcnemar_exact
from trialwise.statistics.selection import compare_best, confirm_gain, correct_best


def coins(seed, rows=300, columns=50):
    return np.random.default_rng(seed).random((rows, columns)) < 0.5


def test_of_coin_flips_the_best_is_corrected_to_a_coin_flip():
    found = [correct_best(coins(seed), generator=np.random.default_rng(seed)) for seed in range(40)]
    assert np.mean([each.score for each in found]) > 0.55  # the best of fifty looks good
    assert np.mean([each.corrected for each in found]) == pytest.approx(0.5, abs=0.01)
    hits = sum(each.interval[0] <= 0.5 <= each.interval[1] for each in found)
    assert hits >= 34  # of 40; at 95 % fewer come in one of 5,000 trials of this test, and its seeds are fixed


def test_coin_flips_are_not_called_better_than_chance():
    called = [
        compare_best(coins(seed), np.full(300, 0.5), generator=np.random.default_rng(seed), n_resamples=500).p_value
        <= 0.05
        for seed in range(100)
    ]
    assert sum(called) <= 10


def test_a_truly_better_one_is_called_so_and_keeps_its_score():
    rows = coins(1)
    rows[:, 7] |= coins(2)[:, 0]  # right on three rows of four
    test = compare_best(rows, coins(3)[:, 0], generator=np.random.default_rng(0))
    assert (test.winner, test.p_value < 0.001) == (7, True)
    assert correct_best(rows, generator=np.random.default_rng(0)).optimism < 0.01


def test_of_one_column_the_test_is_mcnemars_one_sided():
    generator = np.random.default_rng(5)
    first, second = generator.random(400) < 0.7, generator.random(400) < 0.76
    test = compare_best(second[:, None], first, generator=generator, n_resamples=20_000)
    exact = mcnemar_exact(int((first & ~second).sum()), int((second & ~first).sum())) / 2
    assert test.p_value == pytest.approx(exact, abs=0.01)


def test_copies_of_one_column_cost_nothing():
    column = coins(4)[:, :1]
    copies = np.repeat(column, 30, axis=1)
    assert correct_best(copies, generator=np.random.default_rng(0)).optimism == pytest.approx(0, abs=0.005)
    one, many = (
        compare_best(rows, np.full(300, 0.4), generator=np.random.default_rng(0)).p_value for rows in (column, copies)
    )
    assert one == many


def test_a_baseline_is_not_better_than_itself():
    column = coins(4)[:, :1]
    assert compare_best(column, column[:, 0], generator=np.random.default_rng(0)).p_value == 1.0


@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_properties(rows, columns, seed):
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(rows, columns))
    found = correct_best(scores, generator=np.random.default_rng(seed), n_resamples=50)
    assert found.score == pytest.approx(scores.mean(axis=0).max())
    assert found.optimism == pytest.approx(found.score - found.corrected)
    assert found.interval[0] <= found.interval[1]
    again = correct_best(scores, generator=np.random.default_rng(seed), n_resamples=50)
    assert again == found  # the same generator, the same answer
    moved = correct_best(10 + 3 * scores, generator=np.random.default_rng(seed), n_resamples=50)
    assert moved.optimism == pytest.approx(3 * found.optimism, abs=1e-9)
    test = compare_best(scores, np.zeros(rows), generator=np.random.default_rng(seed), n_resamples=50)
    assert 0 < test.p_value <= 1


def test_blocks_of_days_that_are_alike_widen_the_interval():
    generator = np.random.default_rng(0)
    days = np.repeat(generator.normal(size=(40, 3)), 20, axis=0)
    widths = []
    for block_length in (1, 20):
        low, high = correct_best(days, generator=np.random.default_rng(1), block_length=block_length).interval
        widths.append(high - low)
    assert widths[1] > 3 * widths[0]


def test_rows_that_cannot_be_used_are_refused():
    for rows in (np.zeros((1, 3)), np.zeros(5), np.full((5, 2), np.nan), np.zeros((5, 0))):
        with pytest.raises(ValueError, match="expected"):
            correct_best(rows, generator=np.random.default_rng(0))


def test_a_gain_over_seeds_is_weighed_against_their_spread():
    clear = confirm_gain([[0.90, 0.91, 0.90], [0.80, 0.81, 0.79]], [0.70, 0.71, 0.70])
    assert clear.winner == 0
    assert clear.gain == pytest.approx(0.2)
    assert clear.p_value < 0.01
    unclear = confirm_gain([[0.90, 0.70, 0.80], [0.6, 0.9, 0.7]], [0.70, 0.81, 0.70])
    assert unclear.p_value > 0.05
    assert unclear.standard_error > 5 * clear.standard_error
    assert confirm_gain([[0.5, 0.6]], [0.7, 0.8]).p_value == 1.0


def test_where_nothing_scatters_nothing_is_known_of_luck():
    found = confirm_gain([[0.3, 0.3, 0.3], [0.2, 0.2, 0.2]], [0.1, 0.1, 0.1])
    assert found.gain == pytest.approx(0.2)
    assert (found.standard_error, found.p_value) == (None, None)
    assert confirm_gain([[0.1, 0.1]], [0.1, 0.1]).p_value == 1.0


def test_luck_with_the_rows_outlives_new_seeds_and_is_paid_for():
    """Twenty configurations differ by luck with the rows alone, so every seed repeats the same gain."""
    called, forgetful = 0, 0
    for number in range(100, 200):
        generator = np.random.default_rng(number)
        rows = generator.normal(size=(100, 21))
        by_chance = compare_best(rows[:, 1:], rows[:, 0], generator=generator, n_resamples=500)
        best = 1 + np.argsort(-rows[:, 1:].mean(axis=0))[:3]
        noise = generator.normal(size=(21, 2, 100)) / 100
        again = rows.T[:, None, :] + noise
        arguments = {"rows_KSN": again[best], "default_SN": again[0]}
        scores = again.mean(axis=2)
        called += confirm_gain(scores[best], scores[0], **arguments, by_chance=by_chance).p_value <= 0.05
        forgetful += confirm_gain(scores[best], scores[0]).p_value <= 0.05
    assert called <= 10  # of 100; of 1,500 studies 5.1 % were called better
    assert forgetful > 50


def test_one_seed_says_nothing_of_seeds():
    with pytest.raises(ValueError, match="at least 2 seeds"):
        confirm_gain([[0.9]], [0.8])

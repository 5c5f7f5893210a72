import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trialwise.statistics.comparisons import (
    block_bootstrap_interval,
    compare_accuracies,
    diebold_mariano,
    mcnemar_exact,
    paired_difference_interval,
)


def test_one_step_is_the_paired_t_test():
    """With a horizon of 1 the corrected statistic is Student's paired t, exactly."""
    generator = np.random.default_rng(0)
    a, b = generator.exponential(size=(2, 30))
    wanted = stats.ttest_rel(a, b)
    got = diebold_mariano(a, b)
    assert got.statistic == pytest.approx(wanted.statistic)
    assert got.p_value == pytest.approx(wanted.pvalue)


def test_two_steps_by_hand():
    # Differences 1, 2, 3, 6: mean 3, centred -2, -1, 0, 3; autocovariances 14/4 and (2 + 0 + 0)/4.
    got = diebold_mariano([1, 2, 3, 6], [0, 0, 0, 0], horizon=2)
    plain = 3 / np.sqrt((14 / 4 + 2 * 2 / 4) / 4)
    correction = np.sqrt((4 + 1 - 4 + 2 * 1 / 4) / 4)
    assert got.statistic == pytest.approx(plain * correction)
    assert got.p_value == pytest.approx(2 * stats.t.sf(plain * correction, 3))


def test_a_sum_of_autocovariances_below_0_is_weighted():
    # Differences 2, 0, 2, 0, 2, 1: without weights the variance of the mean would be negative.
    differences = np.array([2.0, 0, 2, 0, 2, 1])
    centred = differences - differences.mean()
    covariances = [centred @ centred / 6, centred[1:] @ centred[:-1] / 6]
    assert covariances[0] + 2 * covariances[1] < 0
    got = diebold_mariano(differences, np.zeros(6), horizon=2)
    plain = differences.mean() / np.sqrt((covariances[0] + covariances[1]) / 6)
    assert got.statistic == pytest.approx(plain * np.sqrt((6 + 1 - 4 + 2 / 6) / 6))


def test_equal_losses_and_constant_differences():
    losses = np.arange(5.0)
    assert (diebold_mariano(losses, losses).statistic, diebold_mariano(losses, losses).p_value) == (0.0, 1.0)
    assert diebold_mariano(losses + 1, losses).p_value == 0.0
    assert diebold_mariano(losses, losses + 1).statistic == -np.inf


def test_the_sign_says_which_is_better():
    generator = np.random.default_rng(0)
    small, large = generator.exponential(1.0, 200), generator.exponential(2.0, 200)
    assert diebold_mariano(small, large).statistic < -2
    assert diebold_mariano(large, small).statistic > 2


@pytest.mark.parametrize("horizon", [1, 4])
def test_equal_forecasts_are_told_apart_in_5_percent_of_cases(horizon):
    """600 pairs of equally good forecasts whose errors overlap over the horizon, 60 days each."""
    generator = np.random.default_rng(horizon)
    rejected = 0
    for _ in range(600):
        noise = generator.standard_normal((2, 60 + horizon - 1))
        errors = np.stack([np.convolve(row, np.ones(horizon), mode="valid") for row in noise])
        rejected += diebold_mariano(errors[0] ** 2, errors[1] ** 2, horizon).p_value < 0.05
    # 30 expected; the correction leaves long horizons a little above (their table 1).
    assert 15 <= rejected <= 60


@pytest.mark.parametrize(
    ("a", "b", "horizon"), [([1.0], [2.0], 1), ([1, 2], [1, 2, 3], 1), ([1, 2], [2, 2], 2), ([1, 2], [2, 2], 0)]
)
def test_what_cannot_be_compared(a, b, horizon):
    with pytest.raises(ValueError, match="expected two equally long lists"):
        diebold_mariano(a, b, horizon)


def mean_of_first(means):
    return float(means[0])


def test_the_interval_covers_the_mean_of_alike_neighbours_and_single_rows_would_not():
    """200 AR(1) series with true mean 0: blocks keep the coverage near 95 %, rows one by one lose it."""
    generator = np.random.default_rng(0)
    covered = {12: 0, 1: 0}
    for _ in range(200):
        noise = generator.standard_normal(450)
        series = np.zeros(450)
        for i in range(1, 450):
            series[i] = 0.6 * series[i - 1] + noise[i]
        for length in covered:
            low, high = block_bootstrap_interval(
                series[50:, None], mean_of_first, generator=generator, n_resamples=200, block_length=length
            )
            covered[length] += low <= 0 <= high
    assert covered[12] >= 168
    assert covered[1] <= 155


def test_the_same_generator_gives_the_same_interval():
    values = np.random.default_rng(0).standard_normal((100, 2))
    intervals = [
        block_bootstrap_interval(values, lambda means: means[0] - means[1], generator=np.random.default_rng(seed))
        for seed in (3, 3, 4)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_rows_are_drawn_together():
    values = np.random.default_rng(0).standard_normal((50, 1))
    both = np.hstack([values, values])
    low, high = block_bootstrap_interval(both, lambda m: m[0] - m[1], generator=np.random.default_rng(0))
    assert (low, high) == (0.0, 0.0)


def test_one_block_of_all_rows_leaves_nothing_to_chance():
    values = np.arange(7.0)[:, None]
    interval = block_bootstrap_interval(values, mean_of_first, generator=np.random.default_rng(0), block_length=7)
    assert interval == (3.0, 3.0)


def test_the_level_widens_the_interval():
    values = np.random.default_rng(0).standard_normal((200, 1))
    narrow, wide = (
        block_bootstrap_interval(values, mean_of_first, generator=np.random.default_rng(0), level=level)
        for level in (0.5, 0.95)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(("n_rows", "length"), [(0, None), (5, 6), (5, 0)])
def test_blocks_that_cannot_be_drawn(n_rows, length):
    with pytest.raises(ValueError, match="expected rows and a block length"):
        block_bootstrap_interval(
            np.zeros((n_rows, 1)), mean_of_first, generator=np.random.default_rng(0), block_length=length
        )


def test_mcnemar_by_hand():
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32)
    assert mcnemar_exact(1, 5) == pytest.approx(2 * 7 / 64)
    assert mcnemar_exact(3, 3) == 1.0


def quartic_interval(only_first, only_second, n):
    """The ends of Tango's interval as roots of a polynomial: Yang, Sun & Hardin 2013, a derivation of its own."""
    g = stats.norm.ppf(0.975) ** 2
    d, s = only_second - only_first, only_second + only_first
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    roots = np.roots(coefficients)
    return roots[np.abs(roots.imag) < 1e-6].real


counts = st.integers(1, 2000).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda a: st.tuples(st.just(a), st.integers(0, n - a), st.just(n)))
)


@given(counts)
def test_the_paired_interval_is_tangos(found):
    only_first, only_second, n = found
    low, high = paired_difference_interval(only_first, only_second, n)
    assert -1 <= low <= (only_second - only_first) / n <= high <= 1
    roots = quartic_interval(*found)
    for end in (low, high):
        assert abs(end) == 1 or np.abs(roots - end).min() < 1e-5
    mirrored = paired_difference_interval(only_second, only_first, n)
    assert mirrored == pytest.approx((-high, -low), abs=1e-7)


def test_a_published_interval():
    # Airway hyper-responsiveness of Bentur et al. 2009, as in Fagerland, Lydersen & Laake 2014.
    low, high = paired_difference_interval(7, 1, 21)
    assert (low, high) == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))


def test_no_differing_row_still_leaves_an_interval():
    low, high = paired_difference_interval(0, 0, 100)
    assert -0.05 < low < 0 < high < 0.05


def test_the_paired_interval_holds_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        only_first, only_second, _ = generator.multinomial(1000, [0.05, 0.08, 0.87])
        low, high = paired_difference_interval(int(only_first), int(only_second), 1000)
        held += low <= 0.03 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_two_classifiers_row_by_row():
    first = np.array([1, 1, 1, 0, 0, 0, 0, 1], dtype=bool)
    second = np.array([1, 1, 0, 1, 1, 1, 0, 1], dtype=bool)
    found = compare_accuracies(first, second)
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == (3, 1, 3, 1)
    assert found.difference == second.mean() - first.mean()
    assert found.p_value == mcnemar_exact(1, 3)
    assert compare_accuracies(second, first).difference == -found.difference


def test_accuracies_that_cannot_be_compared():
    for first, second in [([], []), ([True], [True, False])]:
        with pytest.raises(ValueError, match="expected two equally long lists of rows"):
            compare_accuracies(first, second)

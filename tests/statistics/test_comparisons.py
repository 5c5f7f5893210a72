import numpy as np
import pytest
from scipy import stats

from trialwise.statistics.comparisons import block_bootstrap_interval, diebold_mariano


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

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwise.statistics.conformal import adaptive_quantiles

LEVELS = (0.5, 0.8, 0.9, 0.95)


def coverage(residuals, first_row, **options):
    low, high = adaptive_quantiles(residuals, LEVELS, first_row=first_row, **options)
    values = residuals[first_row:, None]
    return ((low <= values) & (values <= high)).mean(axis=0)


def test_without_a_step_they_are_the_conformal_ranks():
    """19 past values, 90 %: the 1st and the 19th, which a 20th of the kind misses once in 20 at either end."""
    residuals = np.append(np.random.default_rng(0).permutation(np.arange(19.0)), 100.0)
    low, high = adaptive_quantiles(residuals, [0.5, 0.9], first_row=19, step=0.0)
    np.testing.assert_array_equal(low, [[4, 0]])
    np.testing.assert_array_equal(high, [[14, 18]])


def test_the_step_by_hand():
    """99 values, 80 %: the 90th; a miss at the upper end takes 0.05 x 0.9 from its share, so 1 - 0.055 next."""
    residuals = np.concatenate([np.arange(1.0, 100.0), [200.0, 50.0, 50.0]])
    low, high = adaptive_quantiles(residuals, [0.8], first_row=99, step=0.05)
    assert (low[0, 0], high[0, 0]) == (10, 90)
    # Of 100 values, ranks ceil(101 x 0.945) from below and ceil(101 x 0.895) from above.
    assert (low[1, 0], high[1, 0]) == (10, 96)


def test_coverage_of_noise_is_what_was_asked_for():
    residuals = np.random.default_rng(0).standard_t(4, size=6000)
    np.testing.assert_allclose(coverage(residuals, 500), LEVELS, atol=0.015)


def test_a_change_of_scale_is_caught_up_with():
    """All days from the 1500th on are twice as wild as the model says: the step learns it before the window does."""
    generator = np.random.default_rng(0)
    residuals = np.concatenate([generator.standard_normal(1500), 2 * generator.standard_normal(400)])
    adaptive, plain = (coverage(residuals, 1500, window=1500, step=step)[2] for step in (0.02, 0.0))
    assert plain < 0.8 < 0.85 < adaptive


@given(day=st.integers(60, 119), factor=st.floats(-50, 50), window=st.integers(5, 200), step=st.floats(0, 0.1))
@settings(max_examples=60, deadline=None)
def test_a_band_does_not_know_its_own_day_or_a_later_one(day, factor, window, step):
    residuals = np.random.default_rng(0).standard_normal(120)
    changed = residuals.copy()
    changed[day:] = factor * changed[day:] + 1
    for before, after in zip(
        adaptive_quantiles(residuals, LEVELS, first_row=60, window=window, step=step),
        adaptive_quantiles(changed, LEVELS, first_row=60, window=window, step=step),
        strict=True,
    ):
        n_same = day - 60 + 1
        assert before[:n_same].tobytes() == after[:n_same].tobytes()


@given(seed=st.integers(0, 1000), step=st.floats(0, 0.5))
@settings(max_examples=40, deadline=None)
def test_a_higher_level_is_never_narrower(seed, step):
    residuals = np.random.default_rng(seed).standard_normal(120)
    low, high = adaptive_quantiles(residuals, LEVELS, first_row=60, step=step)
    assert (np.diff(low, axis=1) <= 0).all()
    assert (np.diff(high, axis=1) >= 0).all()


def test_bad_input():
    for levels in ([0.0], [1.0], [0.9, 0.5], [0.5, 0.5]):
        with pytest.raises(ValueError, match="ascending levels"):
            adaptive_quantiles(np.ones(9), levels, first_row=5)
    with pytest.raises(ValueError, match="first row"):
        adaptive_quantiles(np.ones(9), [0.5], first_row=0)
    with pytest.raises(ValueError, match="first row"):
        adaptive_quantiles(np.ones(9), [0.5], first_row=5, window=0)


def test_residuals_that_are_not_known_yet_are_not_looked_at():
    residuals = np.random.default_rng(5).standard_normal(300)
    low, high = adaptive_quantiles(residuals, [0.8], first_row=100, window=80, step=0.01, delay=4)
    changed = residuals.copy()
    changed[200:] += 50
    other_low, other_high = adaptive_quantiles(changed, [0.8], first_row=100, window=80, step=0.01, delay=4)
    # The interval of row 204 knows the residuals up to row 199.
    assert low[:105].tobytes() == other_low[:105].tobytes()
    assert high[:105].tobytes() == other_high[:105].tobytes()
    assert high[105] != other_high[105]
    plain = np.quantile(residuals[16:96], 0.9, method="higher")
    assert high[0, 0] == pytest.approx(plain, abs=0.15)
    with pytest.raises(ValueError, match="expected a first row from 5"):
        adaptive_quantiles(residuals, [0.8], first_row=4, delay=4)


def test_a_group_that_is_missed_more_often_gets_wider_intervals_of_its_own():
    generator = np.random.default_rng(6)
    groups = np.tile([0, 1], 1500)
    residuals = generator.standard_normal(3000) * np.where(groups == 1, 1.5, 0.75)
    for of, allowed in ((None, 0.2), (groups, 0.03)):
        low, high = adaptive_quantiles(residuals, [0.9], first_row=500, step=0.01, groups=of)
        held = (low[:, 0] <= residuals[500:]) & (residuals[500:] <= high[:, 0])
        shares = np.array([held[groups[500:] == group].mean() for group in (0, 1)])
        apart = np.abs(shares - 0.9).max()
        assert apart < allowed
        assert (apart > 0.05) == (of is None)
    low, high = adaptive_quantiles(residuals, [0.9], first_row=500, step=0.01, groups=np.zeros(3000, dtype=int))
    np.testing.assert_array_equal(high, adaptive_quantiles(residuals, [0.9], first_row=500, step=0.01)[1])

import numpy as np
import pytest
from scipy import stats

from trialwise.statistics.forecast_losses import (
    coverage_by_quartile,
    covered,
    crps_from_quantiles,
    mase,
    qlike,
    winkler_score,
)


def test_qlike_by_hand():
    np.testing.assert_allclose(qlike([1.0, 2.0, 1.0], [1.0, 1.0, 2.0]), [0, 1 - np.log(2), np.log(2) - 0.5])


def test_qlike_needs_finite_variances_above_zero():
    for wrong in ([0.0], [-1.0], [np.nan], [np.inf]):
        with pytest.raises(ValueError, match="above 0"):
            qlike([1.0], wrong)
        with pytest.raises(ValueError, match="above 0"):
            qlike(wrong, [1.0])
    with pytest.raises(ValueError, match="equally many"):
        qlike([1.0], [1.0, 2.0])


def test_qlike_expects_the_true_variance_under_a_noisy_stand_in():
    stand_in = np.random.default_rng(0).standard_normal(200_000) ** 2
    stand_in = stand_in[stand_in > 0]
    losses = [qlike(stand_in, np.full_like(stand_in, variance)).mean() for variance in (0.8, 0.9, 1.0, 1.1, 1.25)]
    assert int(np.argmin(losses)) == 2


def test_mase_by_hand():
    # Training steps 1, 3, 2: 2 in the mean. Errors 1, 3.
    assert mase([10, 12], [11, 9], [1, 2, 5, 3]) == 1.0
    assert mase([10, 12], [11, 9], [7, 7, 7]) is None


def test_winkler_by_hand():
    found = winkler_score([5, 1, 12], [2, 2, 2], [10, 10, 10], level=0.9)
    np.testing.assert_allclose(found, [8, 8 + 20, 8 + 40])
    with pytest.raises(ValueError, match="at or above"):
        winkler_score([1], [2], [1], level=0.9)


def test_winkler_is_smallest_for_the_true_interval():
    values = np.random.default_rng(0).standard_normal(100_000)
    reach = stats.norm.ppf(0.95)
    by_reach = [winkler_score(values, -r, r, level=0.9).mean() for r in (0.8 * reach, reach, 1.2 * reach)]
    assert int(np.argmin(by_reach)) == 1


def test_crps_of_a_normal_forecast():
    """The closed form of Gneiting & Raftery 2007: z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)."""
    probabilities = (np.arange(2000) + 0.5) / 2000
    values = np.array([-1.5, 0.0, 0.4, 3.0])
    quantiles = np.tile(stats.norm.ppf(probabilities), (4, 1))
    wanted = values * (2 * stats.norm.cdf(values) - 1) + 2 * stats.norm.pdf(values) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps_from_quantiles(values, quantiles, probabilities), wanted, atol=1e-3)


def test_coverage_overall_and_by_quartile():
    inside = covered([1, 2, 3, 4, 5, 6, 7, 8], [1] * 8, [6] * 8)
    assert inside.tolist() == [True] * 6 + [False] * 2
    assert coverage_by_quartile(inside, [1, 9, 2, 8, 3, 7, 4, 6]) == (1.0, 0.5, 0.5, 1.0)
    with pytest.raises(ValueError, match="at least 4 days"):
        coverage_by_quartile([True] * 3, [1, 2, 3])

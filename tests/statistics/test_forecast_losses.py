import numpy as np
import pytest

from trialwise.statistics.forecast_losses import qlike


def test_qlike_by_hand():
    np.testing.assert_allclose(qlike([1.0, 2.0, 1.0], [1.0, 1.0, 2.0]), [0.0, 1 - np.log(2), np.log(2) - 0.5])


def test_too_low_costs_more_than_too_high():
    low, high = qlike([1.0, 1.0], [0.5, 2.0])
    assert low > high > 0


def test_the_true_variance_is_the_best_forecast_under_a_noisy_proxy():
    noise = np.random.default_rng(0).chisquare(1, 100_000)
    losses = [qlike(noise, np.full(len(noise), level)).mean() for level in (0.9, 1.0, 1.1)]
    assert np.argmin(losses) == 1


@pytest.mark.parametrize(
    ("actual", "forecast"), [([0.0], [1.0]), ([1.0], [-1.0]), ([1.0, 1.0], [1.0]), ([np.nan], [1.0])]
)
def test_what_is_no_variance_is_refused(actual, forecast):
    with pytest.raises(ValueError, match="variances above 0"):
        qlike(actual, forecast)

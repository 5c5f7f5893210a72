import numpy as np
import pytest

from trialwise.statistics.forecast_losses import qlike


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

import numpy as np
import pytest
from scipy import stats

from trialwise.prices.shrinkage import fit_shrinkage


def test_a_forecast_that_is_right_is_believed_in_full():
    predicted = np.random.default_rng(0).standard_normal(200)
    assert fit_shrinkage(predicted, 3 * predicted) == 1.0


def test_a_forecast_that_says_nothing_is_not_believed():
    assert fit_shrinkage(np.zeros(50), np.ones(50)) == 0.0
    assert fit_shrinkage(np.ones(1), np.ones(1)) == 0.0


def test_a_forecast_that_is_wrong_is_not_turned_around():
    predicted = np.random.default_rng(0).standard_normal(200)
    assert fit_shrinkage(predicted, -predicted) == 0.0


def test_the_factor_is_the_lower_end_of_a_99_percent_interval_by_hand():
    predicted = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    actual = predicted * [0.3, 0.5, 0.3, 0.5, 0.4, 0.4]
    # Slope 0.4 = mean of the ratios; residuals +-0.1; leverage 1/6 of each day.
    residual_sum = 4 * 0.01
    classical = np.sqrt(residual_sum / 5 / 6)
    robust = np.sqrt(residual_sum) / (5 / 6) / 6
    wanted = 0.4 - stats.t.ppf(0.99, 5) * max(classical, robust)
    assert fit_shrinkage(predicted, actual) == pytest.approx(wanted, rel=1e-9)


def test_noise_is_believed_about_once_in_a_hundred_times():
    generator = np.random.default_rng(1)
    draws = [fit_shrinkage(*generator.standard_normal((2, 300))) for _ in range(1000)]
    assert sum(factor > 0 for factor in draws) <= 22  # 10 expected; 22 is four standard deviations
    assert sum(factor > 0 for factor in draws) >= 1


def test_a_configuration_chosen_among_many_is_believed_less():
    generator = np.random.default_rng(2)
    predicted = generator.standard_normal(300)
    actual = 0.3 * predicted + generator.standard_normal(300)
    alone, chosen = (fit_shrinkage(predicted, actual, n_tried=n) for n in (1, 100))
    assert 0 < chosen < alone
    t = stats.t.ppf([0.99, 0.9999], 299)
    slope = predicted @ actual / (predicted @ predicted)
    assert (slope - chosen) / (slope - alone) == pytest.approx(t[1] / t[0])


def test_the_luckiest_of_a_hundred_noises_is_believed_about_once_in_a_hundred_times():
    generator = np.random.default_rng(3)
    believed = 0
    for _ in range(200):
        actual = generator.standard_normal(200)
        tried = generator.standard_normal((100, 200))
        believed += fit_shrinkage(tried[(tried @ actual).argmax()], actual, n_tried=100) > 0
    assert believed <= 8


def test_overlapping_moves_count_once_in_a_horizon():
    generator = np.random.default_rng(4)
    believed = 0
    for _ in range(300):
        predicted, actual = (np.convolve(generator.standard_normal(330), np.ones(10), "valid") for _ in range(2))
        believed += fit_shrinkage(predicted, actual, horizon=10) > 0
    assert believed <= 10  # 3 expected
    assert fit_shrinkage(predicted[:15], predicted[:15], horizon=10) == 0.0

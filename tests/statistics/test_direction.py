import numpy as np
import pytest
from scipy import stats

from trialwise.statistics.direction import pesaran_timmermann


def test_by_the_papers_own_formula():
    # 3 up days of 5; 2 forecast up, both right: P = 4/5, P* = .6 x .4 + .4 x .6 = .48.
    moves, forecasts = [1, 2, 1, -1, -3], [1, 1, -1, -2, -1]
    variance = 0.48 * 0.52 / 5
    expected_variance = (0.2**2 * 0.24 + 0.2**2 * 0.24) / 5 + 4 * 0.24 * 0.24 / 25
    found = pesaran_timmermann(moves, forecasts)
    assert found.statistic == pytest.approx((0.8 - 0.48) / np.sqrt(variance - expected_variance))
    assert found.p_value == pytest.approx(stats.norm.sf(found.statistic))
    assert found.reason == ""


def test_it_is_the_chi_squared_test_of_the_table_of_signs():
    generator = np.random.default_rng(0)
    moves = generator.standard_normal(500)
    forecasts = 0.2 * moves + generator.standard_normal(500)
    table = [[np.sum(((moves > 0) == a) & ((forecasts > 0) == b)) for b in (0, 1)] for a in (0, 1)]
    chi_squared = stats.chi2_contingency(table, correction=False).statistic
    assert pesaran_timmermann(moves, forecasts).statistic ** 2 == pytest.approx(chi_squared * 500 / 499)


def test_days_without_a_move_or_a_forecast_do_not_count():
    some = pesaran_timmermann([1, 2, 1, -1, -3], [1, 1, -1, -2, -1])
    assert pesaran_timmermann([1, 0, 2, 1, -1, -3, 5], [1, 4, 1, -1, -2, -1, 0]) == some


@pytest.mark.parametrize(
    ("moves", "forecasts", "reason"),
    [
        ([1, -1, 1], [2, 2, 2], "the forecast always points the same way"),
        ([1, 1, 1], [2, -2, 2], "the prices always moved the same way"),
        ([1, -1, 1], [0, 0, 0], "fewer than 2 days with a move and a forecast of one"),
    ],
)
def test_nothing_to_test(moves, forecasts, reason):
    found = pesaran_timmermann(moves, forecasts)
    assert (found.statistic, found.p_value, found.reason) == (None, None, reason)


def test_the_wrong_way_round_is_no_skill():
    moves = np.random.default_rng(0).standard_normal(100)
    assert pesaran_timmermann(moves, -moves).p_value > 0.999
    assert pesaran_timmermann(moves, moves).p_value < 1e-9


def test_size_when_prices_mostly_rise():
    """Forecast and prices both mostly up, independent: 5 % are called significant, though 62 % of days are right."""
    generator = np.random.default_rng(1)
    p_values = [
        pesaran_timmermann(generator.standard_normal(300) + 0.5, generator.standard_normal(300) + 0.8).p_value
        for _ in range(1000)
    ]
    assert 0.03 < np.mean(np.array(p_values) < 0.05) < 0.07


def test_different_lengths():
    with pytest.raises(ValueError, match="equally many"):
        pesaran_timmermann([1.0], [1.0, 2.0])


@pytest.mark.parametrize("horizon", [5, 20])
def test_overlapping_moves_are_not_taken_for_many(horizon):
    """Signs of noise over several days, and of another noise as smooth: 1 in 20 may be called told, not 1 in 7."""
    generator = np.random.default_rng(0)
    claimed = plain = 0
    for _ in range(400):
        moves, forecasts = (np.convolve(generator.standard_normal(660), np.ones(horizon), "valid") for _ in range(2))
        claimed += (pesaran_timmermann(moves, forecasts, horizon).p_value or 1.0) < 0.05
        plain += (pesaran_timmermann(moves, forecasts).p_value or 1.0) < 0.05
    assert plain > 40
    assert claimed <= 36  # 20 expected; 36 is near four standard deviations


def test_a_forecast_of_several_days_that_knows_is_told():
    generator = np.random.default_rng(1)
    moves = np.convolve(generator.standard_normal(660), np.ones(5), "valid")
    assert pesaran_timmermann(moves, moves + generator.standard_normal(len(moves)), 5).p_value < 1e-6
    assert "do not overlap" in pesaran_timmermann(moves[:12], -moves[:12], 5).reason

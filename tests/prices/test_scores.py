import numpy as np
import pytest
from scipy import stats

from trialwise.prices.scores import rmse_over, score_forecasts

ACTUAL = np.array([10.0, 12.0, 11.0, 11.0, 14.0])
NAIVE = np.array([10.0, 10.0, 12.0, 11.0, 11.0])


def by_name(scores):
    return {score.name: score for score in scores}


def test_scores_by_hand():
    model = np.array([11.0, 11.0, 11.0, 11.0, 10.0])
    naive, scored = score_forecasts(ACTUAL, {"model": model, "naive": NAIVE}, seed=0)
    assert (naive.name, scored.name) == ("naive", "model")
    assert naive.rmse == pytest.approx(np.sqrt(14 / 5))
    assert naive.mae == pytest.approx(6 / 5)
    assert (naive.rmse_over_naive, naive.skill) == (1.0, 0.0)
    assert (naive.dm_p, naive.direction_accuracy, naive.skill_ci95) == (None, None, None)
    assert scored.rmse == pytest.approx(np.sqrt(18 / 5))
    assert scored.mae == pytest.approx(6 / 5)
    assert scored.rmse_over_naive == pytest.approx(np.sqrt(18 / 14))
    assert scored.skill == pytest.approx(1 - np.sqrt(18 / 14))
    # Moves 0, +2, -1, 0, +3: those of 0 do not count; forecast up, down, down.
    assert scored.direction_accuracy == pytest.approx(2 / 3)
    wanted = stats.ttest_rel((ACTUAL - model) ** 2, (ACTUAL - NAIVE) ** 2).pvalue
    assert scored.dm_p == pytest.approx(wanted)


def test_the_naive_forecast_under_another_name_has_no_skill_and_no_direction():
    scored = by_name(score_forecasts(ACTUAL, {"naive": NAIVE, "lstm": NAIVE.copy()}, seed=0))["lstm"]
    assert (scored.skill, scored.skill_ci95, scored.dm_p, scored.direction_accuracy) == (0.0, (0.0, 0.0), 1.0, None)


def test_the_interval_holds_the_skill_and_comes_from_the_seed():
    generator = np.random.default_rng(0)
    naive = np.full(400, 100.0)
    actual = naive + generator.standard_normal(400)
    forecasts = {"naive": naive, "half": naive + 0.5 * (actual - naive) + 0.1 * generator.standard_normal(400)}
    first, again, other = (score_forecasts(actual, forecasts, seed=seed)[1] for seed in (0, 0, 1))
    low, high = first.skill_ci95
    assert low < first.skill < high
    assert 0.3 < low
    assert high - low < 0.2
    assert first == again != other


def test_prices_that_never_move():
    flat = np.ones(20)
    scored = by_name(score_forecasts(flat, {"naive": flat, "same": flat, "off": flat + 1}, seed=0))
    assert scored["same"].rmse_over_naive == 1.0
    assert scored["off"].rmse_over_naive == float("inf")
    assert rmse_over(flat, flat, flat) == 1.0

import numpy as np
import pytest
from scipy import stats

from trialwise.prices.scores import lag_correlations, rmse_over, score_forecasts

ACTUAL = np.array([10.0, 12.0, 11.0, 11.0, 14.0])
NAIVE = np.array([10.0, 10.0, 12.0, 11.0, 11.0])
TRAIN = np.array([9.0, 10.0, 13.0, 11.0])


def by_name(scores):
    return {score.name: score for score in scores}


def test_scores_by_hand():
    model = np.array([11.0, 11.0, 11.0, 11.0, 10.0])
    naive, scored = score_forecasts(ACTUAL, {"model": model, "naive": NAIVE}, seed=0, train_close_M=TRAIN)
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
    # 2 of 3 right; 2/3 of the moves up and 1/3 of the forecasts, so 4/9 by chance.
    assert scored.direction_p == pytest.approx(stats.norm.sf((2 / 3 - 4 / 9) / np.sqrt(4 * (2 / 9) ** 2 * 2 / 9)))
    assert scored.mase == pytest.approx((6 / 5) / (6 / 3))
    assert (naive.in_confidence_set, scored.in_confidence_set) == (True, True)
    wanted = stats.ttest_rel((ACTUAL - model) ** 2, (ACTUAL - NAIVE) ** 2).pvalue
    assert scored.dm_p == pytest.approx(wanted)


def test_the_naive_forecast_under_another_name_has_no_skill_and_no_direction():
    scored = by_name(score_forecasts(ACTUAL, {"naive": NAIVE, "lstm": NAIVE.copy()}, seed=0, train_close_M=TRAIN))[
        "lstm"
    ]
    assert (scored.skill, scored.skill_ci95, scored.dm_p, scored.direction_accuracy) == (0.0, (0.0, 0.0), 1.0, None)


def test_the_interval_holds_the_skill_and_comes_from_the_seed():
    generator = np.random.default_rng(0)
    naive = np.full(400, 100.0)
    actual = naive + generator.standard_normal(400)
    forecasts = {"naive": naive, "half": naive + 0.5 * (actual - naive) + 0.1 * generator.standard_normal(400)}
    first, again, other = (score_forecasts(actual, forecasts, seed=seed, train_close_M=TRAIN)[1] for seed in (0, 0, 1))
    low, high = first.skill_ci95
    assert low < first.skill < high
    assert 0.3 < low
    assert high - low < 0.2
    assert first == again != other


def test_prices_that_never_move():
    flat = np.ones(20)
    scored = by_name(score_forecasts(flat, {"naive": flat, "same": flat, "off": flat + 1}, seed=0, train_close_M=TRAIN))
    assert scored["same"].rmse_over_naive == 1.0
    assert scored["off"].rmse_over_naive == float("inf")
    assert rmse_over(flat, flat, flat) == 1.0


def walk(n=500, seed=0):
    close = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(seed).standard_normal(n + 1)))
    return close[1:], close[:-1]


def test_a_line_that_is_a_day_late_is_told_from_one_that_knows():
    actual, naive = walk()
    late = naive * np.exp(0.001 * np.random.default_rng(1).standard_normal(500))
    knowing = naive + 0.9 * (actual - naive)
    scored = by_name(
        score_forecasts(actual, {"naive": naive, "late": late, "knowing": knowing}, seed=0, train_close_M=TRAIN)
    )
    assert [scored[name].repeats_yesterday for name in ("naive", "late", "knowing")] == [True, True, False]
    today, yesterday = scored["late"].lag_correlations
    assert (abs(today) < 0.1, yesterday > 0.97) == (True, True)
    assert scored["knowing"].lag_correlations[0] > 0.9


def test_the_naive_line_goes_exactly_with_yesterday():
    actual, naive = walk()
    assert lag_correlations(actual, naive, naive)[1] == pytest.approx(1.0)
    assert lag_correlations(actual, np.full(500, 7.0), naive) is None
    assert lag_correlations(actual[:3], naive[:3], naive[:3]) is None


def test_the_confidence_set_leaves_out_a_clearly_worse_model():
    actual, naive = walk()
    scored = score_forecasts(actual, {"naive": naive, "same": naive, "off": naive + 3}, seed=0, train_close_M=TRAIN)
    assert [score.in_confidence_set for score in scored] == [True, True, False]

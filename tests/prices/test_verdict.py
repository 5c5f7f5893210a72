import dataclasses

import numpy as np
import pytest

from trialwise.prices.baselines import BASELINES
from trialwise.prices.scores import ModelScore, score_forecasts
from trialwise.prices.verdict import claims_skill, remarks, verdict_sentence

NAIVE = ModelScore(name="naive", rmse=2.0, mae=1.0)


def score(name="lstm", *, ratio=0.98, p=0.01, ci=(0.01, 0.03)):
    return ModelScore(name=name, rmse=2 * ratio, mae=1.0, rmse_over_naive=ratio, dm_p=p, skill=1 - ratio, skill_ci95=ci)


def test_skill_needs_both_the_test_and_the_interval():
    assert claims_skill(score())
    assert not claims_skill(score(p=0.05))
    assert not claims_skill(score(ci=(0.0, 0.03)))
    assert not claims_skill(score(ratio=1.02, p=0.001, ci=(-0.03, -0.01)))
    assert not claims_skill(NAIVE)


def test_a_model_with_skill():
    assert verdict_sentence("AAPL", [NAIVE, score()], shrinkage=0.7) == (
        "The LSTM predicts AAPL's next close better than today's close: its RMSE is 2.0 % lower on the test days "
        "(95 % interval 1.0 to 3.0 %, p = 0.01, 1 tried)."
    )
    assert "p < 0.001, 1 tried)." in verdict_sentence("AAPL", [NAIVE, score(p=1e-9)], shrinkage=0.7)


def test_no_model_with_skill():
    drift = score("drift", ratio=0.999, p=0.3)
    lstm = score(ratio=1.002, p=0.41, ci=(-0.01, 0.01))
    assert verdict_sentence("AAPL", [NAIVE, drift, lstm], shrinkage=0.7) == (
        "No model here predicts AAPL's next close better than today's close (p = 0.6, 2 tried)."
    )
    sentence = verdict_sentence("AAPL", [NAIVE, lstm], shrinkage=0.7, n_configurations=12)
    assert sentence.endswith("(none has a smaller error, 12 tried).")


def test_an_lstm_that_fell_back():
    sentence = verdict_sentence("AAPL", [NAIVE, score(ratio=1.0, p=1.0, ci=(0.0, 0.0))], shrinkage=0.0)
    assert sentence.startswith("No model here predicts AAPL's next close better than today's close (")
    assert "none has a smaller error, 1 tried; the LSTM fell back to the naive forecast" in sentence


@pytest.mark.parametrize("shrinkage", [0.0, 0.5])
def test_a_simple_model_that_beats_the_lstm_is_named(shrinkage):
    lstm = score(ratio=1.002, p=0.41, ci=(-0.01, 0.01))
    sentence = verdict_sentence("AAPL", [NAIVE, score("drift", ratio=0.99), lstm], shrinkage=shrinkage)
    assert sentence.startswith("The LSTM does not predict AAPL's next close better than today's close")
    assert sentence.endswith("another model does (drift: RMSE 0.990 x naive, p = 0.02; 2 tried).")


def test_remarks_where_they_matter():
    late = dataclasses.replace(score(ratio=1.001, p=0.8, ci=(-0.01, 0.01)), repeats_yesterday=True)
    naive = dataclasses.replace(NAIVE, repeats_yesterday=True)
    assert remarks([naive, score()], train_range_exceeded_fraction=0.05) == ()
    one, two = remarks([naive, late], train_range_exceeded_fraction=0.57)
    assert one.startswith("The LSTM repeats yesterday's move: in a chart its forecast is the price line a day late")
    assert two.startswith("57% of the test closes lie outside the range of the training closes")
    assert remarks([naive, dataclasses.replace(score(), repeats_yesterday=True)], train_range_exceeded_fraction=0) == ()


def simulated_walk(seed, n_days=1000):
    """Gaussian moves from even seeds; from odd ones GARCH(1,1) with Student t, as wild as a stock."""
    generator = np.random.default_rng(seed)
    if seed % 2 == 0:
        return 100 * np.exp(np.cumsum(0.015 * generator.standard_normal(n_days)))
    shocks = generator.standard_t(5, n_days) / np.sqrt(5 / 3)
    variances, moves = np.full(n_days, 2e-4), np.zeros(n_days)
    for day in range(1, n_days):
        variances[day] = 4e-6 + 0.08 * moves[day - 1] ** 2 + 0.9 * variances[day - 1]
        moves[day] = np.sqrt(variances[day]) * shocks[day]
    return 100 * np.exp(np.cumsum(moves))


@pytest.mark.slow
def test_random_walks_are_rarely_called_predictable():
    """200 walks, a claim by any model counts: at most one in twenty."""
    claims = []
    for seed in range(200):
        close = simulated_walk(seed)
        forecasts = {name: baseline(close, 800) for name, baseline in BASELINES.items()}
        scores = score_forecasts(close[800:], forecasts, train_close_M=close[:800], seed=seed)
        claims.append(any(claims_skill(one, len(scores) - 1) for one in scores))
    assert np.mean(claims) <= 0.05

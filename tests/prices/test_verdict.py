import pytest

from trialwise.prices.scores import ModelScore
from trialwise.prices.verdict import claims_skill, verdict_sentence

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
        "(95 % interval 1.0 to 3.0 %, p = 0.01)."
    )
    assert "p < 0.001)." in verdict_sentence("AAPL", [NAIVE, score(p=1e-9)], shrinkage=0.7)


def test_no_model_with_skill():
    drift = score("drift", ratio=0.999, p=0.3)
    lstm = score(ratio=1.002, p=0.41, ci=(-0.01, 0.01))
    assert verdict_sentence("AAPL", [NAIVE, drift, lstm], shrinkage=0.7) == (
        "No model here predicts AAPL's next close better than today's close (LSTM: RMSE 1.002 x naive, p = 0.41)."
    )


def test_an_lstm_that_fell_back():
    sentence = verdict_sentence("AAPL", [NAIVE, score(ratio=1.0, p=1.0, ci=(0.0, 0.0))], shrinkage=0.0)
    assert sentence.startswith("No model here predicts AAPL's next close better than today's close (the LSTM fell back")


@pytest.mark.parametrize("shrinkage", [0.0, 0.5])
def test_a_simple_model_that_beats_the_lstm_is_named(shrinkage):
    lstm = score(ratio=1.002, p=0.41, ci=(-0.01, 0.01))
    sentence = verdict_sentence("AAPL", [NAIVE, score("drift", ratio=0.99), lstm], shrinkage=shrinkage)
    assert sentence.startswith("The LSTM does not predict AAPL's next close better than today's close")
    assert sentence.endswith("another model does (drift: RMSE 0.990 x naive, p = 0.01).")

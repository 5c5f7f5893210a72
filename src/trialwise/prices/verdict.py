"""The scores in one plain sentence, which claims no more than they show."""

from collections.abc import Sequence

from trialwise.prices.scores import ModelScore

ALPHA = 0.05


def claims_skill(score: ModelScore, n_compared: int = 1) -> bool:
    """Whether the model may be called better than naive: p < 0.05 / n_compared and a skill interval above 0, both.

    Bonferroni: of `n_compared` models without any skill, one gets past p < 0.05 far more often than one time in 20.
    """
    if score.dm_p is None or score.skill_ci95 is None:
        return False
    return score.dm_p < ALPHA / n_compared and score.skill_ci95[0] > 0.0


def verdict_sentence(name: str, scores: Sequence[ModelScore], *, shrinkage: float) -> str:
    """One sentence on the LSTM, and on the simple models where one of them did better than naive.

    Args:
        name: Whose prices they are.
        scores: The rows of all models, "lstm" among them.
        shrinkage: The share of the LSTM's forecast that was used; 0 says that it fell back to naive.
    """
    lstm = next(score for score in scores if score.name == "lstm")
    task = f"{name}'s next close better than today's close"
    n_compared = sum(score.dm_p is not None for score in scores)
    if claims_skill(lstm, n_compared):
        assert lstm.skill_ci95 is not None
        low, high = lstm.skill_ci95
        return (
            f"The LSTM predicts {task}: its RMSE is {100 * lstm.skill:.1f} % lower on the test days "
            f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %, p {_p(lstm)})."
        )
    numbers = f"RMSE {lstm.rmse_over_naive:.3f} x naive, p {_p(lstm)}"
    if shrinkage == 0.0:
        numbers = "the LSTM fell back to the naive forecast, because its validation days showed nothing it could use"
    better = [score for score in scores if score is not lstm and claims_skill(score, n_compared)]
    if better:
        named = ", ".join(f"{score.name}: RMSE {score.rmse_over_naive:.3f} x naive, p {_p(score)}" for score in better)
        return f"The LSTM does not predict {task} ({numbers}); another model does ({named})."
    label = "" if shrinkage == 0.0 else "LSTM: "
    return f"No model here predicts {task} ({label}{numbers})."


def _p(score: ModelScore) -> str:
    p = 1.0 if score.dm_p is None else score.dm_p
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"

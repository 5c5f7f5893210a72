"""The scores in one plain sentence, which claims no more than they show."""

from collections.abc import Sequence

from trialwise.prices.scores import ModelScore

ALPHA = 0.05
NEW_TERRITORY = 0.1  # share of test closes outside the training range from which it is worth a sentence


def claims_skill(score: ModelScore, n_compared: int = 1) -> bool:
    """Whether the model may be called better than naive: p < 0.05 / n_compared and a skill interval above 0, both.

    Bonferroni: of `n_compared` models without any skill, one gets past p < 0.05 far more often than one time in 20.
    """
    if score.dm_p is None or score.skill_ci95 is None:
        return False
    return score.dm_p < ALPHA / n_compared and score.skill_ci95[0] > 0.0


def verdict_sentence(
    name: str, scores: Sequence[ModelScore], *, shrinkage: float, n_configurations: int = 1, horizon: int = 1
) -> str:
    """One sentence on the LSTM, and on the simple models where one of them did better than naive.

    Each p in it is multiplied by the number of models compared (Bonferroni), so that 0.05 is the bar for all.

    Args:
        name: Whose prices they are.
        scores: The rows of all models, "lstm" among them.
        shrinkage: The share of the LSTM's forecast that was used; 0 says that it fell back to naive.
        n_configurations: Configurations of the LSTM among which validation days have chosen. They are named in
            the sentence; the bar counts the models that were measured on the test days, those not chosen were not.
        horizon: Days ahead of the forecasts.
    """
    lstm = next(score for score in scores if score.name == "lstm")
    task = f"{name}'s {'next close' if horizon == 1 else f'close {horizon} days ahead'} better than today's close"
    n = sum(score.dm_p is not None for score in scores)
    tried = f"{n - 1 + n_configurations} tried"
    if claims_skill(lstm, n):
        assert lstm.skill_ci95 is not None
        low, high = lstm.skill_ci95
        return (
            f"The LSTM predicts {task}: its RMSE is {100 * lstm.skill:.1f} % lower on the test days "
            f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %, p {_p(lstm, n)}, {tried})."
        )
    fell_back = "the LSTM fell back to the naive forecast, because its validation days showed nothing it could use"
    numbers = fell_back if shrinkage == 0.0 else f"RMSE {lstm.rmse_over_naive:.3f} x naive, p {_p(lstm, n)}"
    better = [score for score in scores if score is not lstm and claims_skill(score, n)]
    if better:
        named = ", ".join(f"{one.name}: RMSE {one.rmse_over_naive:.3f} x naive, p {_p(one, n)}" for one in better)
        return f"The LSTM does not predict {task} ({numbers}); another model does ({named}; {tried})."
    ahead = [score for score in scores if score.dm_p is not None and score.skill > 0]
    best = f"p {_p(min(ahead, key=_raw_p), n)}" if ahead else "none has a smaller error"
    return f"No model here predicts {task} ({best}, {tried}{'; ' + fell_back if shrinkage == 0.0 else ''})."


def remarks(scores: Sequence[ModelScore], *, train_range_exceeded_fraction: float, horizon: int = 1) -> tuple[str, ...]:
    """What a reader of the LSTM's chart should know, one sentence each: a line a day late, and new territory."""
    found = []
    lstm = next(score for score in scores if score.name == "lstm")
    if lstm.repeats_yesterday and not claims_skill(lstm, sum(score.dm_p is not None for score in scores)):
        found.append(
            f"The LSTM repeats {'yesterday' if horizon == 1 else 'an old day'}'s move: in a chart its forecast is the "
            f"price line {'a day' if horizon == 1 else f'{horizon} days'} late, which looks better than it is."
        )
    if train_range_exceeded_fraction >= NEW_TERRITORY:
        found.append(
            f"{train_range_exceeded_fraction:.0%} of the test closes lie outside the range of the training closes: "
            "a model of the price itself would have to extrapolate; those here forecast moves or averages."
        )
    return tuple(found)


def plain_p(p: float) -> str:
    """A p value as it stands in a sentence, with its sign of relation."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _raw_p(score: ModelScore) -> float:
    return 1.0 if score.dm_p is None else score.dm_p


def _p(score: ModelScore, n_compared: int) -> str:
    return plain_p(min(1.0, n_compared * _raw_p(score)))

"""How much tomorrow will move: every volatility model beside the 22-day rolling mean.

Legend: N test days.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import log_returns
from trialwise.prices.table import PriceTable
from trialwise.prices.verdict import plain_p
from trialwise.prices.volatility_garch import NotFittedError, garch
from trialwise.prices.volatility_lstm import VolatilityForecaster, forecast_variance, train_volatility
from trialwise.prices.volatility_models import LINEAR_MODELS, rolling_mean
from trialwise.prices.volatility_scores import VolatilityScore, better_than_reference, score_variances
from trialwise.prices.volatility_target import REFERENCE_DAYS, daily_variance, has_range

FEWEST_TRAIN_DAYS = 60  # 38 of them have a whole month before them
HEADLINE = "lstm_har_mean"  # named beforehand, not the best of the test days: its p needs no correction for the others


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VolatilityResult:
    """What the volatility models were worth on the test days.

    Attributes:
        target: What the variance of a day is made of, in words.
        actual: (N,) variances of the test days.
        forecasts: (N,) forecast variances by model, "rolling_mean" first; that of a day was made with the days before.
        scores: One row a model; empty where nothing could be compared.
        left_out: Why a model, or with "all" every model, has no row: a sentence by name.
        trained: The LSTMs; None where nothing could be trained.
    """

    target: str
    actual: NDArray[np.float64]
    forecasts: Mapping[str, NDArray[np.float64]]
    scores: tuple[VolatilityScore, ...]
    left_out: Mapping[str, str]
    trained: VolatilityForecaster | None

    @property
    def verdict(self) -> str | None:
        """A sentence on the mean of LSTM and HAR, which claims no more than its row shows; None without a row."""
        headline = next((score for score in self.scores if score.name == HEADLINE), None)
        if headline is None:
            return None
        assert headline.qlike_skill_ci95 is not None and headline.dm_p is not None  # noqa: PT018
        low, high = (100 * end for end in headline.qlike_skill_ci95)
        skill = _better(100 * headline.qlike_skill)
        numbers = f"95 % interval {low:.0f} to {high:.0f} %, p {plain_p(headline.dm_p)}"
        if better_than_reference(headline):
            return f"Its volatility is predictable: {skill} than the 22-day average ({numbers})."
        return f"Its volatility is not shown to be predictable beyond the 22-day average ({skill}, {numbers})."

    def to_document(self) -> list[dict[str, Any]]:
        """The rows as plain JSON values."""
        return [_plain(score) for score in self.scores]


def train_volatility_models(table_train: PriceTable, *, seed: int) -> VolatilityForecaster | None:
    """What is trained once, before the origin: the LSTMs. None where the days are too few or do not move.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        seed: Seeds the training.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    return None if _obstacle(table_train.close) else train_volatility(table_train, seed=seed)


def run_volatility(
    trained: VolatilityForecaster | None, table: PriceTable, first_row: int, *, seed: int
) -> VolatilityResult:
    """Walk the days from `first_row` to the last with every model, and score it.

    Args:
        trained: Of `train_volatility_models` on the days before `first_row`.
        table: All days; the forecast of a day uses those before it.
        first_row: The row of the first test day.
        seed: Seeds the bootstrap.
    """
    actual_N = daily_variance(table)[first_row:]
    target = "Garman-Klass plus squared overnight return" if has_range(table) else "squared return"
    if trained is None:
        return VolatilityResult(
            target=target,
            actual=actual_N,
            forecasts={"rolling_mean": rolling_mean(table, first_row)},
            scores=(),
            left_out={"all": _obstacle(table.close[:first_row]) or "the volatility LSTM was not trained"},
            trained=None,
        )
    forecasts, left_out = walk_volatility(trained, table, first_row)
    return VolatilityResult(
        target=target,
        actual=actual_N,
        forecasts=forecasts,
        scores=score_variances(actual_N, forecasts, seed=seed),
        left_out=left_out,
        trained=trained,
    )


def walk_volatility(
    trained: VolatilityForecaster, table: PriceTable, first_row: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """(N,) forecast variances by model, and why a model is left out, by name."""
    forecasts = {name: model(table, first_row) for name, model in LINEAR_MODELS.items()}
    left_out = {}
    try:
        forecasts["garch"] = garch(table, first_row)
    except NotFittedError as error:
        left_out["garch"] = str(error)
    forecasts["lstm"] = forecast_variance(trained, table, first_row)
    forecasts[HEADLINE] = (forecasts["lstm"] + forecasts["har_plus"]) / 2
    return forecasts, left_out


def _obstacle(close_train_N: NDArray[np.float64]) -> str | None:
    """Why nothing can be forecast from these training days, if so."""
    if len(close_train_N) < FEWEST_TRAIN_DAYS:
        return f"volatility models need at least {FEWEST_TRAIN_DAYS} training days, there are {len(close_train_N)}"
    moved = np.count_nonzero(log_returns(close_train_N))
    if moved < REFERENCE_DAYS:
        return f"the price moved on only {moved} of the {len(close_train_N)} training days"
    return None


def _better(skill: float) -> str:
    return f"{abs(skill):.0f} % {'better' if skill >= 0 else 'worse'}"


def _plain(score: VolatilityScore) -> dict[str, Any]:
    row = dataclasses.asdict(score)
    interval = row.pop("qlike_skill_ci95")
    return row | {"qlike_skill_ci95": None if interval is None else list(interval)}

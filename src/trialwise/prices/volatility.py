"""How much tomorrow will move: every volatility model beside the 22-day rolling mean.

Legend: N test days.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import log_returns
from trialwise.prices.table import PriceTable, first_rows
from trialwise.prices.verdict import plain_p
from trialwise.prices.volatility_garch import NotFittedError, garch
from trialwise.prices.volatility_lstm import VolatilityForecaster, forecast_variance, train_volatility
from trialwise.prices.volatility_models import LINEAR_MODELS, rolling_mean
from trialwise.prices.volatility_scores import VolatilityScore, better_than_reference, score_variances
from trialwise.prices.volatility_target import REFERENCE_DAYS, has_range, variance_ahead

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


def train_volatility_models(table_train: PriceTable, *, seed: int, horizon: int = 1) -> VolatilityForecaster | None:
    """What is trained once, before the origin: the LSTMs. None where the days are too few or do not move.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        seed: Seeds the training.
        horizon: The days ahead whose variances are summed.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    if _obstacle(table_train.close, horizon):
        return None
    return train_volatility(table_train, seed=seed, horizon=horizon)


def run_volatility(
    fits: Sequence[tuple[int, VolatilityForecaster | None]], table: PriceTable, *, seed: int, horizon: int = 1
) -> VolatilityResult:
    """Walk the days with every model, and score it.

    Args:
        fits: The networks and the row of the first day that they forecast, in order of time; each pair's days last
            until those of the next begin, the last pair's until the table ends.
        table: All days; the forecast of a day uses those up to `horizon` days before it.
        seed: Seeds the bootstrap.
        horizon: The days ahead whose variances are summed.
    """
    first_row, trained = fits[0]
    actual_N = variance_ahead(table, horizon)[first_row - horizon :]
    target = "Garman-Klass plus squared overnight return" if has_range(table) else "squared return"
    if horizon > 1:
        target = f"sum over {horizon} days of {target}"
    if trained is None:
        return VolatilityResult(
            target=target,
            actual=actual_N,
            forecasts={"rolling_mean": rolling_mean(table, first_row, horizon)},
            scores=(),
            left_out={"all": _obstacle(table.close[: first_row + 1 - horizon], horizon) or "the LSTM was not trained"},
            trained=None,
        )
    forecasts, left_out = walk_volatility(fits, table, horizon)
    return VolatilityResult(
        target=target,
        actual=actual_N,
        forecasts=forecasts,
        scores=score_variances(actual_N, forecasts, seed=seed, horizon=horizon),
        left_out=left_out,
        trained=fits[-1][1],
    )


def walk_volatility(
    fits: Sequence[tuple[int, VolatilityForecaster | None]], table: PriceTable, horizon: int = 1
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """(N,) forecast variances by model, and why a model is left out, by name; see `run_volatility`."""
    first_row = fits[0][0]
    forecasts = {name: model(table, first_row, horizon) for name, model in LINEAR_MODELS.items()}
    left_out = {}
    try:
        forecasts["garch"] = garch(table, first_row, horizon)
    except NotFittedError as error:
        left_out["garch"] = str(error)
    ends = [row for row, _ in fits[1:]] + [len(table)]
    forecasts["lstm"] = np.concatenate(
        [
            forecast_variance(trained, first_rows(table, end), start)
            for (start, trained), end in zip(fits, ends, strict=True)
            if trained is not None  # a later fit has more days, so that none is missing where the first is there
        ]
    )
    forecasts[HEADLINE] = (forecasts["lstm"] + forecasts["har_plus"]) / 2
    return forecasts, left_out


def _obstacle(close_train_N: NDArray[np.float64], horizon: int) -> str | None:
    """Why nothing can be forecast from these training days, if so."""
    fewest = FEWEST_TRAIN_DAYS + 2 * (horizon - 1)
    if len(close_train_N) < fewest:
        return f"volatility models need at least {fewest} training days, there are {len(close_train_N)}"
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

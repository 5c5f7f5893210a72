"""Train before the origin, walk the test days one at a time, and set every model beside the naive forecast.

Legend: N test days.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.bands import Bands, BandScore, price_bands, score_bands
from trialwise.prices.baselines import BASELINES, naive
from trialwise.prices.direction import (
    DirectionForecaster,
    DirectionScore,
    direction_verdict,
    probabilities,
    score_directions,
    train_direction,
)
from trialwise.prices.ensemble import N_SEEDS
from trialwise.prices.features import moves_ahead
from trialwise.prices.held_out import HeldOutDays, test_days
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.scores import ModelScore, score_forecasts
from trialwise.prices.splits import train_part
from trialwise.prices.table import PriceTable
from trialwise.prices.table import first_rows as first_table_rows
from trialwise.prices.train import TrainedForecaster, forecast_returns, train_lstm
from trialwise.prices.verdict import remarks, verdict_sentence
from trialwise.prices.volatility import VolatilityResult, run_volatility, train_volatility_models
from trialwise.prices.volatility_lstm import VolatilityForecaster
from trialwise.training.loop import EpochResult


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BacktestResult:
    """What a backtest found.

    Attributes:
        table: The prices it ran on.
        dates: (N,) datetime64[D] of the test days that are forecast.
        actual: (N,) their closes.
        forecasts: (N,) forecast closes by model; the one of a day was made with the days up to `horizon` before it.
        scores: One row a model, "naive" first.
        fits: What was fitted, in order of time; the last is ready to be saved.
        n_train: Days before the test, those that choose the epoch included.
        train_range_exceeded_fraction: Share of the test days with a close outside the range of the training closes.
        verdict: One plain sentence on the closes, one on direction, and one on volatility where it could be judged.
        volatility: How predictable the size of the moves is.
        up_probabilities: (N,) probabilities of a rise over the horizon by model.
        direction: How predictable the direction is: one row a model.
        bands: Intervals for the closes; None where too few days lie before the test.
        band_scores: One row a level of the bands.
        remarks: What a reader of the numbers should know, one sentence each.
    """

    table: PriceTable
    dates: NDArray[np.datetime64]
    actual: NDArray[np.float64]
    forecasts: Mapping[str, NDArray[np.float64]]
    scores: tuple[ModelScore, ...]
    fits: tuple["Fit", ...]
    n_train: int
    train_range_exceeded_fraction: float
    verdict: str
    volatility: VolatilityResult
    up_probabilities: Mapping[str, NDArray[np.float64]]
    direction: tuple[DirectionScore, ...]
    bands: Bands | None
    band_scores: tuple[BandScore, ...]
    remarks: tuple[str, ...] = ()

    @property
    def n_test(self) -> int:
        """Test days."""
        return len(self.actual)

    @property
    def first_test_date(self) -> str:
        """The first test day, YYYY-MM-DD."""
        return str(self.dates[0])

    @property
    def last_test_date(self) -> str:
        """The last test day, YYYY-MM-DD."""
        return str(self.dates[-1])

    @property
    def trained(self) -> TrainedForecaster:
        """The LSTM of the last fit."""
        return self.fits[-1].price

    def days(self) -> dict[str, Any]:
        """What was forecast for each test day and what came, as plain JSON values and lists of numbers."""
        bands = None
        if self.bands is not None:
            bands = {"levels": list(self.bands.levels), "low": self.bands.low, "high": self.bands.high}
        return {
            "dates": [str(date) for date in self.dates],
            "actual": self.actual,
            "forecasts": dict(self.forecasts),
            "variance": self.volatility.actual,
            "variance_forecasts": dict(self.volatility.forecasts),
            "up_probabilities": dict(self.up_probabilities),
            "bands": bands,
        }

    def to_document(self) -> dict[str, Any]:
        """The result as plain JSON values, without the day-by-day forecasts."""
        return {
            "verdict": self.verdict,
            "models": [_plain(score) for score in self.scores],
            "volatility": self.volatility.to_document(),
            "volatility_target": self.volatility.target,
            "volatility_left_out": dict(self.volatility.left_out),
            "bands": [score.to_document() for score in self.band_scores],
            "direction": [score.to_document() for score in self.direction],
            "horizon": self.trained.settings.horizon,
            "n_fits": len(self.fits),
            "n_train": self.n_train,
            "n_test": self.n_test,
            "first_test_date": self.first_test_date,
            "last_test_date": self.last_test_date,
            "close_column": self.table.close_column,
            "layout": self.table.layout,
            "adjusted": self.table.adjusted,
            "warnings": list(self.table.warnings),
            "shrinkage": self.trained.shrinkage,
            "best_epochs": list(self.trained.ensemble.best_epochs),
            "n_epochs": [len(epochs) for epochs in self.trained.ensemble.epochs],
            "train_range_exceeded_fraction": self.train_range_exceeded_fraction,
            "remarks": list(self.remarks),
        }


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """All that is fitted on the days up to one evening, and the days that it forecasts.

    Attributes:
        first_row: The first of these days; they last until the next fit's first, or the table's end.
        price: The LSTM of closes.
        direction: What tells rises from falls.
        volatility: The LSTM of variances; None where nothing could be trained.
    """

    first_row: int
    price: TrainedForecaster
    direction: DirectionForecaster
    volatility: VolatilityForecaster | None


def run_backtest(
    table: PriceTable,
    settings: BacktestSettings,
    *,
    seed: int,
    on_epoch: Callable[[int, EpochResult], None] | None = None,
    on_fit: Callable[[int, int], None] | None = None,
) -> BacktestResult:
    """Every model's forecasts of the last days, and what they are worth.

    Everything is fitted on the days before the test, and with `settings.walk.refit_every` again and again as the days
    go by, each time on all days up to that evening. A day is forecast from the days up to `horizon` before it.

    Args:
        table: All days.
        settings: The LSTM, its training, the walk and the share of test days.
        seed: Seeds training and the bootstrap.
        on_epoch: Called after every epoch of the LSTM of closes with its network's number, from 0 and over all fits.
        on_fit: Called before each fit with its number, from 1, and how many there are.

    Raises:
        UserError: Too few days for the settings.
        WorkError: The loss is no longer a finite number.
    """
    table_train, horizon = train_part(table, settings), settings.horizon
    days = test_days(table, settings)
    fits = _fits(table_train, days, settings, seed=seed, on_epoch=on_epoch, on_fit=on_fit)
    forecasts = walk_forward(fits, days)
    actual, before = table.close[days.first_row :], table_train.close
    scores = score_forecasts(actual, forecasts, train_close_M=before, seed=seed, horizon=horizon)
    exceeded = float(np.mean((actual < before.min()) | (actual > before.max())))
    volatility = run_volatility(
        [(fit.first_row, fit.volatility) for fit in fits], days.table, seed=seed, horizon=horizon
    )
    up_probabilities = walk_direction(fits, days)
    moves = moves_ahead(table.close, horizon)[days.first_row - horizon :]
    direction = score_directions(moves, up_probabilities, seed=seed, horizon=horizon)
    bands = price_bands(days.table, days.first_row, horizon) if volatility.scores else None
    verdict = verdict_sentence(
        table.name,
        scores,
        shrinkage=max(fit.price.shrinkage for fit in fits),
        n_configurations=settings.configurations_tried,
        horizon=horizon,
    )
    return BacktestResult(
        table=table,
        dates=table.dates[days.first_row :],
        actual=actual,
        forecasts=forecasts,
        scores=scores,
        fits=tuple(fits),
        n_train=len(table_train),
        train_range_exceeded_fraction=exceeded,
        verdict=" ".join(filter(None, (verdict, direction_verdict(direction), volatility.verdict))),
        volatility=volatility,
        up_probabilities=up_probabilities,
        direction=direction,
        bands=bands,
        band_scores=() if bands is None else score_bands(bands, days.table, days.first_row, horizon),
        remarks=remarks(scores, train_range_exceeded_fraction=exceeded, horizon=horizon),
    )


def _fits(
    table_train: PriceTable,
    days: HeldOutDays,
    settings: BacktestSettings,
    *,
    seed: int,
    on_epoch: Callable[[int, EpochResult], None] | None,
    on_fit: Callable[[int, int], None] | None,
) -> list[Fit]:
    """What is fitted before the test, and then every `refit_every` days, each time on all days up to that evening."""
    fits: list[Fit] = []
    starts = range(days.first_row, len(days.table), settings.walk.refit_every or len(days.table))
    for number, first_row in enumerate(starts):
        if on_fit:
            on_fit(number + 1, len(starts))
        known = table_train if number == 0 else first_table_rows(days.table, first_row - settings.horizon + 1)
        fit = Fit(
            first_row=first_row,
            price=train_lstm(known, settings, seed=seed, on_epoch=_counted(on_epoch, number)),
            direction=train_direction(known, settings, seed=seed),
            volatility=train_volatility_models(known, seed=seed, horizon=settings.horizon),
        )
        fits.append(fit)
    return fits


def _counted(
    on_epoch: Callable[[int, EpochResult], None] | None, fit: int
) -> Callable[[int, EpochResult], None] | None:
    return None if on_epoch is None else lambda number, result: on_epoch(N_SEEDS * fit + number, result)


def walk_forward(fits: Sequence[Fit], days: HeldOutDays) -> dict[str, NDArray[np.float64]]:
    """(N,) forecast closes of the test days by model: the baselines, then "lstm" and "lstm_unshrunk".

    "lstm" is as much of the network's forecast as its validation days support, "lstm_unshrunk" all of it: what a
    forecaster without that caution would have given.
    """
    horizon = fits[0].price.settings.horizon

    def walk(fit: Fit, table: PriceTable) -> dict[str, NDArray[np.float64]]:
        forecasts = {name: baseline(table.close, fit.first_row, horizon) for name, baseline in BASELINES.items()}
        in_full = dataclasses.replace(fit.price, shrinkage=1.0)
        return forecasts | {
            "lstm": lstm_forecast(fit.price, table, fit.first_row),
            "lstm_unshrunk": lstm_forecast(in_full, table, fit.first_row),
        }

    return _walked(walk, fits, days)


def walk_direction(fits: Sequence[Fit], days: HeldOutDays) -> dict[str, NDArray[np.float64]]:
    """(N,) probabilities that the test days' closes lie above those of `horizon` days before, by model."""
    return _walked(lambda fit, table: probabilities(fit.direction, table, fit.first_row), fits, days)


def lstm_forecast(trained: TrainedForecaster, table: PriceTable, first_row: int) -> NDArray[np.float64]:
    """(N,) forecast closes from `first_row` on: the close a horizon before each, moved by the forecast log-return."""
    return naive(table.close, first_row, trained.settings.horizon) * np.exp(forecast_returns(trained, table, first_row))


def _walked(
    walk: Callable[[Fit, PriceTable], dict[str, NDArray[np.float64]]], fits: Sequence[Fit], days: HeldOutDays
) -> dict[str, NDArray[np.float64]]:
    """Each fit's forecasts of its own days, one after the other; it is not even shown the days of the next."""
    ends = [fit.first_row for fit in fits[1:]] + [len(days.table)]
    parts = [walk(fit, first_table_rows(days.table, end)) for fit, end in zip(fits, ends, strict=True)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _plain(score: ModelScore) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(score).items()}

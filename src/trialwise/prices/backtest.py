"""Train before the origin, walk the test days one at a time, and set every model beside the naive forecast.

Legend: N test days.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.bands import Bands, BandScore, price_bands, score_bands
from trialwise.prices.baselines import BASELINES, naive
from trialwise.prices.held_out import HeldOutDays, test_days
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.scores import ModelScore, score_forecasts
from trialwise.prices.splits import train_part
from trialwise.prices.table import PriceTable
from trialwise.prices.train import TrainedForecaster, forecast_returns, train_lstm
from trialwise.prices.verdict import remarks, verdict_sentence
from trialwise.prices.volatility import VolatilityResult, run_volatility, train_volatility_models
from trialwise.training.loop import EpochResult


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BacktestResult:
    """What a backtest found.

    Attributes:
        table: The prices it ran on.
        dates: (N,) datetime64[D] of the test days.
        actual: (N,) their closes.
        forecasts: (N,) forecast closes by model; the one of a day was made with the days before it.
        scores: One row a model, "naive" first.
        trained: The LSTM, ready to be saved.
        n_train: Days before the test, those that choose the epoch included.
        train_range_exceeded_fraction: Share of the test days with a close outside the range of the training closes.
        verdict: One plain sentence on the closes, and one on volatility where it could be judged.
        volatility: How predictable the size of the moves is.
        bands: Intervals for the closes; None where too few days lie before the test.
        band_scores: One row a level of the bands.
        remarks: What a reader of the numbers should know, one sentence each.
    """

    table: PriceTable
    dates: NDArray[np.datetime64]
    actual: NDArray[np.float64]
    forecasts: Mapping[str, NDArray[np.float64]]
    scores: tuple[ModelScore, ...]
    trained: TrainedForecaster
    n_train: int
    train_range_exceeded_fraction: float
    verdict: str
    volatility: VolatilityResult
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
    def epochs(self) -> tuple[EpochResult, ...]:
        """One result for each epoch that was run."""
        return self.trained.epochs

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights were kept; 0 where none beat the untrained, naive network."""
        return self.trained.best_epoch

    def to_document(self) -> dict[str, Any]:
        """The result as plain JSON values, without the day-by-day forecasts."""
        return {
            "verdict": self.verdict,
            "models": [_plain(score) for score in self.scores],
            "volatility": self.volatility.to_document(),
            "volatility_target": self.volatility.target,
            "volatility_left_out": dict(self.volatility.left_out),
            "bands": [score.to_document() for score in self.band_scores],
            "n_train": self.n_train,
            "n_test": self.n_test,
            "first_test_date": self.first_test_date,
            "last_test_date": self.last_test_date,
            "close_column": self.table.close_column,
            "layout": self.table.layout,
            "adjusted": self.table.adjusted,
            "warnings": list(self.table.warnings),
            "shrinkage": self.trained.shrinkage,
            "best_epoch": self.best_epoch,
            "n_epochs": len(self.epochs),
            "train_range_exceeded_fraction": self.train_range_exceeded_fraction,
            "remarks": list(self.remarks),
        }


def run_backtest(
    table: PriceTable,
    settings: BacktestSettings,
    *,
    seed: int,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> BacktestResult:
    """Every model's one-day-ahead forecasts of the last days, and what they are worth.

    The LSTM is trained once, on the days before the test; then it walks the test days and forecasts each from the
    days before it.

    Args:
        table: All days.
        settings: The LSTM, its training and the share of test days.
        seed: Seeds training and the bootstrap.
        on_epoch: Called after every epoch, e.g. to show progress.

    Raises:
        UserError: Too few days for the settings.
        WorkError: The loss is no longer a finite number.
    """
    table_train = train_part(table, settings)
    trained = train_lstm(table_train, settings, seed=seed, on_epoch=on_epoch)
    trained_volatility = train_volatility_models(table_train, seed=seed)
    days = test_days(table, settings)
    forecasts = walk_forward(trained, days)
    actual, before = table.close[days.first_row :], table.close[: days.first_row]
    scores = score_forecasts(actual, forecasts, train_close_M=before, seed=seed)
    exceeded = float(np.mean((actual < before.min()) | (actual > before.max())))
    volatility = run_volatility(trained_volatility, days.table, days.first_row, seed=seed)
    bands = price_bands(days.table, days.first_row) if volatility.scores else None
    verdict = verdict_sentence(
        table.name, scores, shrinkage=trained.shrinkage, n_configurations=settings.configurations_tried
    )
    return BacktestResult(
        table=table,
        dates=table.dates[days.first_row :],
        actual=actual,
        forecasts=forecasts,
        scores=scores,
        trained=trained,
        n_train=days.first_row,
        train_range_exceeded_fraction=exceeded,
        verdict=" ".join(filter(None, (verdict, volatility.verdict))),
        volatility=volatility,
        bands=bands,
        band_scores=() if bands is None else score_bands(bands, days.table, days.first_row),
        remarks=remarks(scores, train_range_exceeded_fraction=exceeded),
    )


def walk_forward(trained: TrainedForecaster, days: HeldOutDays) -> dict[str, NDArray[np.float64]]:
    """(N,) forecast closes of the test days by model: the baselines, then "lstm" and "lstm_unshrunk".

    "lstm" is as much of the network's forecast as its validation days support, "lstm_unshrunk" all of it: what a
    forecaster without that caution would have given.
    """
    forecasts = {name: baseline(days.table.close, days.first_row) for name, baseline in BASELINES.items()}
    in_full = dataclasses.replace(trained, shrinkage=1.0)
    return forecasts | {"lstm": lstm_forecast(trained, days), "lstm_unshrunk": lstm_forecast(in_full, days)}


def lstm_forecast(trained: TrainedForecaster, days: HeldOutDays) -> NDArray[np.float64]:
    """(N,) forecast closes of the test days: the close before each, moved by the forecast log-return."""
    moves = np.exp(forecast_returns(trained, days.table, days.first_row))
    return naive(days.table.close, days.first_row) * moves


def _plain(score: ModelScore) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(score).items()}

"""Training days -> a trained forecaster that knows how far to trust itself.

Legend: N days, F features.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trialwise.prices.ensemble import (
    N_SEEDS,
    Ensemble,
    Training,
    build_network,
    cut_stretches,
    fit_ensemble,
    mean_outputs,
)
from trialwise.prices.features import CLIP_SD, Scaler, build_features, feature_names, fit_scaler, moves_ahead, scale
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.shrinkage import fit_shrinkage
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.training.loop import EpochResult


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainedForecaster:
    """Trained networks with everything that a forecast needs.

    Attributes:
        ensemble: Their mean is the forecast.
        scaler: Measured on the training days.
        settings: What they were built and trained with.
        shrinkage: The share of the networks' forecast that is used, in [0, 1]; 0 gives the naive forecast.
    """

    ensemble: Ensemble
    scaler: Scaler
    settings: BacktestSettings
    shrinkage: float


def train_lstm(
    table_train: PriceTable,
    settings: BacktestSettings,
    *,
    seed: int,
    n_seeds: int = N_SEEDS,
    on_epoch: Callable[[int, EpochResult], None] | None = None,
) -> TrainedForecaster:
    """LSTMs trained on all but the last 15 % of the days, which choose their epochs and the share that is believed.

    Every step of a stretch of days gives a loss (not one target for each window): the same gradient signal in a
    fraction of the time. The same seed gives the same numbers to the bit on one machine. Seeds are averaged, never
    chosen.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        settings: The networks and their training.
        seed: Seeds the weights, the order of stretches and dropout.
        n_seeds: Networks whose mean is the forecast.
        on_epoch: Called after every epoch with the network's number, e.g. to show progress.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    # What all seeds share is made once.
    data = training_data(table_train, settings)
    ensemble = fit_ensemble(data.training, seed=seed, n_seeds=n_seeds, on_epoch=on_epoch)
    unshrunk = TrainedForecaster(ensemble=ensemble, scaler=data.scaler, settings=settings, shrinkage=1.0)
    # The first validation forecast is made on the evening before the first validation day.
    first = split_rows(len(table_train), 0.0).valid.start - 1 + settings.horizon
    predicted = forecast_returns(unshrunk, table_train, first)
    moves = moves_ahead(table_train.close, settings.horizon)[first - settings.horizon :]
    shrinkage = fit_shrinkage(predicted, moves, horizon=settings.horizon, n_tried=settings.configurations_tried)
    return dataclasses.replace(unshrunk, shrinkage=shrinkage)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """The days that an LSTM learns from, scaled.

    Attributes:
        inputs_NF: (N, F) what it sees of each day.
        targets_M: (M,) what it should have said on the evening of each of the first M days.
        scaler: What scaled the inputs, measured on the training days.
        settings: Of the networks and their training.
        day_loss: The mean loss of (outputs, targets).
    """

    inputs_NF: NDArray[np.float32]
    targets_M: NDArray[np.float64]
    scaler: Scaler
    settings: BacktestSettings
    day_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.mse_loss

    def training(self, seed: int) -> Training:
        """The training of a new network, not yet begun."""
        window = self.settings.window
        # Stretches of 2 x window days that overlap by half: every day after the first window is learnt from once.
        train, valid = cut_stretches(
            self.inputs_NF,
            self.targets_M,
            first_valid=split_rows(len(self.inputs_NF), 0.0).valid.start,
            length=2 * window,
            stride=window,
            warm_up=window,
            day_loss=self.day_loss,
        )
        network = build_network(self.settings, n_features=len(self.scaler.names), seed=seed)
        return Training(network=network, train=train, valid=valid, settings=self.settings, seed=seed)


def training_data(table_train: PriceTable, settings: BacktestSettings) -> TrainingData:
    """The days up to the origin as `train_lstm` trains on them."""
    first_valid, horizon = split_rows(len(table_train), 0.0).valid.start, settings.horizon
    names = feature_names(table_train, settings.features)
    features_NF, moves_M = build_features(table_train, names), moves_ahead(table_train.close, horizon)
    # Row 0 has no move of its own; a move that ends in the validation is not looked at.
    scaler = fit_scaler(features_NF[1:first_valid], moves_M[: first_valid - horizon], names)
    return TrainingData(
        inputs_NF=scale(features_NF, scaler),
        # Moves are cut at 5 standard deviations: squared, AAPL's worst day would outweigh two years.
        targets_M=np.clip(moves_M / scaler.return_sd, -CLIP_SD, CLIP_SD),
        scaler=scaler,
        settings=settings,
    )


def forecast_returns(trained: TrainedForecaster, table: PriceTable, first_row: int) -> NDArray[np.float64]:
    """The forecast log-returns of days `first_row` to the table's last, over the horizon that ends on each.

    Each is made on the evening `horizon` days before, from the `window` days up to then.

    Returns:
        (N - first_row,) log-returns; 0 is the naive forecast.
    """
    scaled_NF = scale(build_features(table, trained.scaler.names), trained.scaler)
    horizon = trained.settings.horizon
    said_N = mean_outputs(
        trained.ensemble, scaled_NF[: len(table) - horizon], trained.settings.window, first=first_row - horizon
    )
    return said_N * (trained.shrinkage * trained.scaler.return_sd)

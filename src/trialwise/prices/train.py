"""Training days -> a trained forecaster that knows how far to trust itself.

Legend: N days, B stretches in a batch, T days in a stretch, F features.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trialwise.base.seeds import child_seed, numpy_generator
from trialwise.prices.features import CLIP_SD, Scaler, build_features, feature_names, fit_scaler, log_returns, scale
from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.shrinkage import fit_shrinkage
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.training.best_weights import BestWeights
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import threads
from trialwise.training.loop import EpochResult, fit
from trialwise.training.optimizers import build_optimizer, constant

WEIGHT_DECAY = 1e-2
CLIP_NORM = 1.0
FORECAST_BATCH = 256


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainedForecaster:
    """A trained network with everything that a forecast needs.

    Attributes:
        network: In eval mode, with the weights of the best epoch.
        scaler: Measured on the training days.
        settings: What it was built and trained with.
        epochs: One result for each epoch that was run.
        best_epoch: The epoch whose weights were kept; 0 where none beat the untrained, naive network.
        shrinkage: The share of the network's forecast that is used, in [0, 1]; 0 gives the naive forecast.
    """

    network: LSTMForecaster
    scaler: Scaler
    settings: BacktestSettings
    epochs: tuple[EpochResult, ...]
    best_epoch: int
    shrinkage: float


def train_lstm(
    table_train: PriceTable,
    settings: BacktestSettings,
    *,
    seed: int,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> TrainedForecaster:
    """An LSTM trained on all but the last 15 % of the days, which choose its epoch and its shrinkage.

    Every step of a stretch of days gives a loss (not one target for each window): the same gradient signal in a
    fraction of the time. The same seed gives the same numbers to the bit on one machine.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        settings: The network and its training.
        seed: Seeds the weights, the order of stretches and dropout.
        on_epoch: Called after every epoch, e.g. to show progress.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    with threads(1):
        training, scaler = prepare_training(table_train, settings, seed=seed)
        epochs, best_epoch = fit_best(training, on_epoch)
    unshrunk = TrainedForecaster(
        network=training.network, scaler=scaler, settings=settings, epochs=epochs, best_epoch=best_epoch, shrinkage=1.0
    )
    first_valid = split_rows(len(table_train), 0.0).valid.start
    predicted = forecast_returns(unshrunk, table_train, first_valid)
    moves = log_returns(table_train.close)[first_valid:]
    shrinkage = fit_shrinkage(predicted, moves, n_tried=settings.configurations_tried)
    return dataclasses.replace(unshrunk, shrinkage=shrinkage)


def prepare_training(table_train: PriceTable, settings: BacktestSettings, *, seed: int) -> tuple["Training", Scaler]:
    """An LSTM with the days that `train_lstm` trains it on, and the scaler measured on them."""
    first_valid = split_rows(len(table_train), 0.0).valid.start
    names = feature_names(table_train, settings.features)
    features_NF, returns_N = build_features(table_train, names), log_returns(table_train.close)
    # Row 0 has no move of its own.
    scaler = fit_scaler(features_NF[1:first_valid], returns_N[1:first_valid], names)
    network = build_network(settings, n_features=len(names), seed=seed)
    train, valid = _stretches(table_train, scaler, first_valid=first_valid, window=settings.window)
    return Training(network=network, train=train, valid=valid, settings=settings, seed=seed), scaler


def build_network(settings: BacktestSettings, *, n_features: int, seed: int = 0) -> LSTMForecaster:
    """An untrained network whose weights depend on the settings and the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(seed, "network"))
        return LSTMForecaster(
            n_features=n_features,
            hidden_size=settings.hidden_size,
            n_layers=settings.n_layers,
            dropout=settings.dropout,
        )


def forecast_returns(trained: TrainedForecaster, table: PriceTable, first_row: int) -> NDArray[np.float64]:
    """The forecast log-returns of days `first_row` to the table's last, each from the `window` days before it.

    Returns:
        (N - first_row,) log-returns; 0 is the naive forecast.
    """
    window = trained.settings.window
    scaled_NF = torch.from_numpy(scale(build_features(table, trained.scaler.names), trained.scaler))
    # windows_BFT[i] ends on day first_row - 1 + i, the day on whose evening the forecast is made.
    windows_BFT = scaled_NF[first_row - window : len(table) - 1].unfold(0, window, 1)
    with threads(1), torch.no_grad():
        parts = [trained.network(part_BFT.transpose(1, 2))[:, -1] for part_BFT in windows_BFT.split(FORECAST_BATCH)]
    predicted_N = torch.cat(parts).double().numpy()
    return predicted_N * (trained.shrinkage * trained.scaler.return_sd)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stretches:
    """B stretches of T days; the loss begins after the first `n_warm_up` days of each.

    Attributes:
        inputs_BTF: What the network sees of each day.
        targets_BT: What it should have said at the end of that day.
        n_warm_up: Days at the start of a stretch whose outputs are not judged.
        day_loss: The mean loss of (outputs, targets).
    """

    inputs_BTF: torch.Tensor
    targets_BT: torch.Tensor
    n_warm_up: int
    day_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.mse_loss

    def loss(self, outputs_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        """The mean loss after the warm-up."""
        return self.day_loss(outputs_BT[:, self.n_warm_up :], targets_BT[:, self.n_warm_up :])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """A network and the days it learns from, ready to be trained.

    Attributes:
        network: Trained in place.
        train: What it learns from.
        valid: What chooses its epoch.
        settings: Of the training.
        seed: Seeds the order of stretches and dropout.
    """

    network: LSTMForecaster
    train: Stretches
    valid: Stretches
    settings: BacktestSettings
    seed: int
    best: BestWeights = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.network.eval()
        object.__setattr__(self, "best", BestWeights(self.network, self.validate()["loss"]))

    def epochs(self, checkpoint: Checkpoint | None = None, *, results_known: int = 0) -> Generator[EpochResult]:
        """Train, one result an epoch, until the validation loss has not fallen for `settings.patience` epochs.

        `best` holds the weights of the best epoch meanwhile, at first those of the untrained network. See
        `training.loop.fit` for the rest.
        """
        settings = self.settings
        epochs = fit(
            self.network,
            batches=self._batches,
            loss=self.train.loss,
            validate=self.validate,
            optimizer=build_optimizer(
                self.network, "adamw", learning_rate=settings.learning_rate, weight_decay=WEIGHT_DECAY
            ),
            schedule=constant,
            n_epochs=settings.epochs,
            steps_per_epoch=-(-len(self.train.targets_BT) // settings.batch_size),
            seed=child_seed(self.seed, "fit"),
            checkpoint=checkpoint,
            results_known=results_known,
            clip_norm=CLIP_NORM,
            best=self.best,
        )
        with contextlib.closing(epochs):
            for result in epochs:
                yield result
                if result.epoch - self.best.epoch >= settings.patience:
                    return

    def validate(self) -> dict[str, float]:
        """The "loss" on the validation days."""
        with torch.no_grad():
            return {"loss": float(self.valid.loss(self.network(self.valid.inputs_BTF), self.valid.targets_BT))}

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.from_numpy(numpy_generator(self.seed, "order", epoch).permutation(len(self.train.targets_BT)))
        for chosen in order.split(self.settings.batch_size):
            yield self.train.inputs_BTF[chosen], self.train.targets_BT[chosen]


def fit_best(
    training: Training, on_epoch: Callable[[EpochResult], None] | None = None
) -> tuple[tuple[EpochResult, ...], int]:
    """Train until the validation loss stops falling and put the best epoch's weights into the network.

    Returns:
        One result for each epoch that was run, and the best epoch; 0 where none beat the untrained network.
    """
    results: list[EpochResult] = []
    with contextlib.closing(training.epochs()) as epochs:
        for result in epochs:
            results.append(result)
            if on_epoch:
                on_epoch(result)
    training.best.restore()
    training.network.eval()
    return tuple(results), training.best.epoch


def _stretches(
    table_train: PriceTable, scaler: Scaler, *, first_valid: int, window: int
) -> tuple[Stretches, Stretches]:
    """The days before `first_valid` as stretches to train on, and the days from it on as one to validate on.

    Training stretches have 2 x window days and overlap by half, so that every day after the first window is learnt
    from once; the last one is moved back to end on the last day. Few days give one stretch, half of it warm-up.
    """
    inputs_NF = torch.from_numpy(scale(build_features(table_train, scaler.names), scaler))
    # The target of day t is the move of day t+1, so the last day has none. Moves are cut at 5 standard deviations:
    # squared, AAPL's worst day would outweigh two years.
    moves_N = log_returns(table_train.close)[1:] / scaler.return_sd
    targets_N = torch.from_numpy(np.clip(moves_N, -CLIP_SD, CLIP_SD).astype(np.float32))
    n_days = first_valid - 1
    length = min(2 * window, n_days)
    starts = [*range(0, n_days - length, window), n_days - length]
    train = Stretches(
        inputs_BTF=torch.stack([inputs_NF[start : start + length] for start in starts]),
        targets_BT=torch.stack([targets_N[start : start + length] for start in starts]),
        n_warm_up=length // 2,
    )
    # Day first_valid - 1 makes the first validation forecast, with as many days before it as it has seen in training.
    valid_from = n_days - window
    valid = Stretches(
        inputs_BTF=inputs_NF[None, valid_from:-1], targets_BT=targets_N[None, valid_from:], n_warm_up=window
    )
    return train, valid

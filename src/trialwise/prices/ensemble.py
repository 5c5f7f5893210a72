"""Networks of several seeds: trained on stretches of days with a loss at every step, then averaged.

Legend: N days, B stretches in a batch, T days in a stretch, F features.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trialwise.base.seeds import child_seed, numpy_generator
from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.recipes import BacktestSettings
from trialwise.training.best_weights import BestWeights
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import threads
from trialwise.training.loop import EpochResult, fit
from trialwise.training.optimizers import build_optimizer, constant

N_SEEDS = 3
WEIGHT_DECAY = 1e-2
CLIP_NORM = 1.0
FORECAST_BATCH = 256


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    """Trained networks of several seeds.

    Attributes:
        networks: One a seed, in eval mode, each with the weights of its best epoch.
        best_epochs: The epoch of each network whose weights were kept; 0 where none beat the untrained network.
        epochs: For each network, one result for each epoch that was run.
    """

    networks: tuple[LSTMForecaster, ...]
    best_epochs: tuple[int, ...]
    epochs: tuple[tuple[EpochResult, ...], ...]


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

    def best_errors(self) -> torch.Tensor:
        """The squared error (T,) of the best weights so far on each validation day, oldest first."""
        weights = self.best.state_dict()["weights"]
        with torch.no_grad():
            outputs_BT = torch.func.functional_call(self.network, weights, (self.valid.inputs_BTF,))
        return ((outputs_BT - self.valid.targets_BT) ** 2)[:, self.valid.n_warm_up :].flatten()

    def naive_errors(self) -> torch.Tensor:
        """The same of the naive forecast, which says 0."""
        return (self.valid.targets_BT**2)[:, self.valid.n_warm_up :].flatten()

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.from_numpy(numpy_generator(self.seed, "order", epoch).permutation(len(self.train.targets_BT)))
        for chosen in order.split(self.settings.batch_size):
            yield self.train.inputs_BTF[chosen], self.train.targets_BT[chosen]


def fit_best(training: Training, on_epoch: Callable[[EpochResult], None] | None = None) -> tuple[EpochResult, ...]:
    """Train until the validation loss stops falling and put the best epoch's weights into the network.

    Returns:
        One result for each epoch that was run.
    """
    results: list[EpochResult] = []
    with contextlib.closing(training.epochs()) as epochs:
        for result in epochs:
            results.append(result)
            if on_epoch:
                on_epoch(result)
    training.best.restore()
    training.network.eval()
    return tuple(results)


def fit_ensemble(
    of_seed: Callable[[int], Training],
    *,
    seed: int,
    n_seeds: int = N_SEEDS,
    on_epoch: Callable[[int, EpochResult], None] | None = None,
) -> Ensemble:
    """Networks of several seeds, to be averaged and never chosen among: a lucky seed is no better a model.

    Args:
        of_seed: The training of a seed, not yet begun.
        seed: The seeds of the networks come from it.
        n_seeds: Networks.
        on_epoch: Called after every epoch with the network's number, from 0, e.g. to show progress.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    networks, best_epochs, epochs = [], [], []
    with threads(1):
        for number in range(n_seeds):
            training = of_seed(child_seed(seed, "network of", number))
            epochs.append(fit_best(training, functools.partial(on_epoch, number) if on_epoch else None))
            networks.append(training.network)
            best_epochs.append(training.best.epoch)
    return Ensemble(networks=tuple(networks), best_epochs=tuple(best_epochs), epochs=tuple(epochs))


def mean_outputs(ensemble: Ensemble, inputs_NF: NDArray[np.float32], window: int, *, first: int) -> NDArray[np.float64]:
    """(N - first,) mean of what the networks say on the evenings of days `first` to the last.

    Args:
        ensemble: The networks.
        inputs_NF: (N, F) scaled inputs of all days.
        window: Days up to the evening, that day included, which a network sees; at most `first` + 1.
        first: The first evening.
    """
    windows_BFT = torch.from_numpy(inputs_NF[first + 1 - window :]).unfold(0, window, 1)
    with threads(1), torch.no_grad():
        parts = [
            torch.stack([network(part_BFT.transpose(1, 2))[:, -1] for network in ensemble.networks]).mean(dim=0)
            for part_BFT in windows_BFT.split(FORECAST_BATCH)
        ]
    return torch.cat(parts).double().numpy()


def cut_stretches(
    inputs_NF: NDArray[np.float32],
    targets_M: NDArray[np.float64],
    *,
    first_valid: int,
    length: int,
    stride: int,
    warm_up: int,
    day_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.mse_loss,
) -> tuple[Stretches, Stretches]:
    """Overlapping stretches of the days before `first_valid` to train on, and those from it on as one to validate.

    The target of row t speaks of h = N - M days after t. It is trained on only where these end before `first_valid`,
    and validated only where t is the evening before `first_valid` or later: no target of one crosses into the other.
    Few days give one stretch, half of it warm-up.

    Args:
        inputs_NF: (N, F) scaled inputs.
        targets_M: (M,) what should be said on the evening of each of the first M days.
        first_valid: The first row that is for validation.
        length: Days in a stretch.
        stride: Days from the start of one to that of the next; the last one is moved back to end on the last day.
        warm_up: Days at the start of a stretch whose outputs are not judged.
        day_loss: The mean loss of (outputs, targets).
    """
    inputs, targets = torch.from_numpy(inputs_NF), torch.from_numpy(targets_M.astype(np.float32))
    n_train = first_valid - (len(inputs_NF) - len(targets_M))
    length = min(length, n_train)
    starts = [*range(0, n_train - length, stride), n_train - length]
    train = Stretches(
        inputs_BTF=torch.stack([inputs[start : start + length] for start in starts]),
        targets_BT=torch.stack([targets[start : start + length] for start in starts]),
        n_warm_up=min(warm_up, length // 2),
        day_loss=day_loss,
    )
    # The first validation forecast is made with as many days before it as are enough in training.
    valid_from = max(0, first_valid - 1 - warm_up)
    valid = Stretches(
        inputs_BTF=inputs[None, valid_from : len(targets)],
        targets_BT=targets[None, valid_from:],
        n_warm_up=first_valid - 1 - valid_from,
        day_loss=day_loss,
    )
    return train, valid

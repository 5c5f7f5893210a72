"""The LSTM for tomorrow's variance: it learns what the HAR with leverage and volume leaves over.

Legend: N days, B stretches in a batch, T days in a stretch, F features.
"""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.base.seeds import child_seed
from trialwise.prices.features import Scaler, build_features, feature_names, fit_scaler, log_returns, scale
from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.prices.train import FORECAST_BATCH, Stretches, Training, build_network, fit_best
from trialwise.prices.volatility_models import fit_har, har_columns, har_forecast, har_plus
from trialwise.prices.volatility_target import daily_variance
from trialwise.training.device import threads

N_SEEDS = 3
STRETCH_DAYS = 120
STRIDE_DAYS = 90
WARM_UP_DAYS = 30
MOST_LOG = 3.0  # the network moves the regression's forecast by a factor of at most e^3
SETTINGS = BacktestSettings(
    window=STRETCH_DAYS, hidden_size=32, learning_rate=5e-3, batch_size=8, epochs=30, patience=5
)
SMALLEST_LOG = -9.0  # a target further below is a day that hardly moved


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class VolatilityForecaster:
    """Networks of several seeds on top of `har_plus`.

    Attributes:
        networks: One a seed, in eval mode, each with the weights of its best epoch; they forecast the logarithm of
            what comes over what the regression says.
        scaler: Of the features, measured on the training days.
        best_epochs: The epoch of each network whose weights were kept; 0 leaves the forecast to the regression.
    """

    networks: tuple[LSTMForecaster, ...]
    scaler: Scaler
    best_epochs: tuple[int, ...]


def train_volatility(table_train: PriceTable, *, seed: int) -> VolatilityForecaster:
    """LSTMs of 3 seeds, trained on all but the last 15 % of the days, which choose their epochs.

    They begin as the HAR with leverage and volume and are trained on QLIKE, as in HARNet (Reisenhofer, Bayer &
    Hautsch 2022, arXiv 2205.07719). Every day of a stretch gives a loss. Seeds are averaged, never chosen.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        seed: Seeds the weights and the order of stretches.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    first_valid = split_rows(len(table_train), 0.0).valid.start
    inputs_NF, names = _inputs(table_train)
    variance_N, columns_NF = daily_variance(table_train), har_columns(table_train, extended=True)
    har = fit_har(columns_NF[:first_valid], variance_N[:first_valid])
    scaler = fit_scaler(inputs_NF[1:first_valid], log_returns(table_train.close)[1:first_valid], names)
    left_over_N = np.log(variance_N[1:] / har_forecast(har, columns_NF[:-1]))
    train, valid = _stretches(scale(inputs_NF, scaler), left_over_N, first_valid)
    networks, best_epochs = [], []
    with threads(1):
        for i in range(N_SEEDS):
            of_seed = child_seed(seed, "volatility", i)
            network = build_network(SETTINGS, n_features=len(names), seed=of_seed)
            training = Training(network=network, train=train, valid=valid, settings=SETTINGS, seed=of_seed)
            _, best_epoch = fit_best(training)
            networks.append(network)
            best_epochs.append(best_epoch)
    return VolatilityForecaster(networks=tuple(networks), scaler=scaler, best_epochs=tuple(best_epochs))


def forecast_variance(trained: VolatilityForecaster, table: PriceTable, first_row: int) -> NDArray[np.float64]:
    """(N - first_row,) variances of days `first_row` to the last: `har_plus`, moved by the networks' mean.

    The networks stay as they are and see 120 days before each day at most; the regression below them is fitted again
    as the days go by. No forecast leaves the range of the variances before its day.
    """
    inputs_NF = torch.from_numpy(scale(_inputs(table)[0], trained.scaler))
    window = min(STRETCH_DAYS, first_row)
    # windows_BFT[i] ends on day first_row - 1 + i, the day on whose evening the forecast is made.
    windows_BFT = inputs_NF[first_row - window : len(table) - 1].unfold(0, window, 1)
    with threads(1), torch.no_grad():
        parts = [
            torch.stack([network(part_BFT.transpose(1, 2))[:, -1] for network in trained.networks]).mean(dim=0)
            for part_BFT in windows_BFT.split(FORECAST_BATCH)
        ]
    moved_N = np.clip(torch.cat(parts).double().numpy(), -MOST_LOG, MOST_LOG)
    known_N = daily_variance(table)[:-1]
    lowest_N, highest_N = np.minimum.accumulate(known_N), np.maximum.accumulate(known_N)
    forecast_N = har_plus(table, first_row) * np.exp(moved_N)
    return np.clip(forecast_N, lowest_N[first_row - 1 :], highest_N[first_row - 1 :])


def _inputs(table: PriceTable) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    names = feature_names(table)
    log_variance_N1 = np.log(daily_variance(table))[:, None]
    return np.concatenate([log_variance_N1, build_features(table, names)], axis=1), ("log_variance", *names)


def _stretches(
    inputs_NF: NDArray[np.float32], left_over_N: NDArray[np.float64], first_valid: int
) -> tuple[Stretches, Stretches]:
    """The days before `first_valid` in overlapping stretches to train on, and those from it on as one to validate."""
    inputs = torch.from_numpy(inputs_NF)
    # The target of day t is that of day t+1, so the last day has none.
    targets = torch.from_numpy(np.clip(left_over_N, SMALLEST_LOG, MOST_LOG).astype(np.float32))
    n_days = first_valid - 1
    length = min(STRETCH_DAYS, n_days)
    starts = [*range(0, n_days - length, STRIDE_DAYS), n_days - length]
    train = Stretches(
        inputs_BTF=torch.stack([inputs[start : start + length] for start in starts]),
        targets_BT=torch.stack([targets[start : start + length] for start in starts]),
        n_warm_up=min(WARM_UP_DAYS, length // 2),
        day_loss=_log_qlike,
    )
    valid_from = max(0, n_days - WARM_UP_DAYS)
    valid = Stretches(
        inputs_BTF=inputs[None, valid_from:-1],
        targets_BT=targets[None, valid_from:],
        n_warm_up=n_days - valid_from,
        day_loss=_log_qlike,
    )
    return train, valid


def _log_qlike(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean QLIKE of log variances."""
    excess = targets - outputs
    return (excess.exp() - excess - 1).mean()

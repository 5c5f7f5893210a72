"""The LSTM for tomorrow's variance: it learns what the HAR with leverage and volume leaves over.

Legend: N days, M evenings whose horizon has come, F features.
"""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.base.seeds import child_seed
from trialwise.prices.ensemble import Ensemble, Training, build_network, cut_stretches, fit_ensemble, mean_outputs
from trialwise.prices.features import Scaler, build_features, feature_names, fit_scaler, log_returns, scale
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.prices.volatility_models import fit_har, har_columns, har_forecast, har_plus
from trialwise.prices.volatility_target import daily_variance, variance_ahead

VARIANCE = "log_variance"  # the first feature, beside those of the closes
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
        ensemble: They forecast the logarithm of what comes over what the regression says; one whose best epoch is 0
            leaves the forecast to the regression.
        scaler: Of the features, measured on the training days.
        horizon: The days ahead whose variances are summed.
    """

    ensemble: Ensemble
    scaler: Scaler
    horizon: int = 1


def train_volatility(table_train: PriceTable, *, seed: int, horizon: int = 1) -> VolatilityForecaster:
    """LSTMs of 3 seeds, trained on all but the last 15 % of the days, which choose their epochs.

    They begin as the HAR with leverage and volume and are trained on QLIKE, as in HARNet (Reisenhofer, Bayer &
    Hautsch 2022, arXiv 2205.07719). Every day of a stretch gives a loss. Seeds are averaged, never chosen.

    Args:
        table_train: The days up to the origin; no test day may be in it.
        seed: Seeds the weights and the order of stretches.
        horizon: The days ahead whose variances are summed.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    first_valid = split_rows(len(table_train), 0.0).valid.start
    names = (VARIANCE, *feature_names(table_train))
    inputs_NF = _inputs(table_train, names)
    came_M, columns_NF = variance_ahead(table_train, horizon), har_columns(table_train, extended=True)
    har = fit_har(columns_NF[:first_valid], came_M[: first_valid - horizon])
    scaler = fit_scaler(inputs_NF[1:first_valid], log_returns(table_train.close)[1:first_valid], names)
    left_over_M = np.log(came_M / har_forecast(har, columns_NF[: len(came_M)]))
    train, valid = cut_stretches(
        scale(inputs_NF, scaler),
        np.clip(left_over_M, SMALLEST_LOG, MOST_LOG),
        first_valid=first_valid,
        length=STRETCH_DAYS,
        stride=STRIDE_DAYS,
        warm_up=WARM_UP_DAYS,
        day_loss=_log_qlike,
    )

    def of_seed(seed: int) -> Training:
        network = build_network(SETTINGS, n_features=len(names), seed=seed)
        return Training(network=network, train=train, valid=valid, settings=SETTINGS, seed=seed)

    ensemble = fit_ensemble(of_seed, seed=child_seed(seed, "volatility"))
    return VolatilityForecaster(ensemble=ensemble, scaler=scaler, horizon=horizon)


def forecast_variance(trained: VolatilityForecaster, table: PriceTable, first_row: int) -> NDArray[np.float64]:
    """(N - first_row,) variances over the horizon that ends on days `first_row` to the last.

    They are those of `har_plus`, moved by the networks' mean. The networks stay as they are and see 120 days before
    each evening at most; the regression below them is fitted again as the days go by. No forecast leaves the range of
    the variances known on its evening.
    """
    horizon = trained.horizon
    n_evenings, first = len(table) - horizon, first_row - horizon
    inputs_NF = scale(_inputs(table, trained.scaler.names), trained.scaler)[:n_evenings]
    moved_N = mean_outputs(trained.ensemble, inputs_NF, min(STRETCH_DAYS, first + 1), first=first)
    # On the evening of day t the last known sum is the one that ends on it.
    known_N = variance_ahead(table, horizon)[: max(1, n_evenings - horizon)]
    lowest_N, highest_N = np.minimum.accumulate(known_N), np.maximum.accumulate(known_N)
    forecast_N = har_plus(table, first_row, horizon) * np.exp(np.clip(moved_N, -MOST_LOG, MOST_LOG))
    return np.clip(forecast_N, lowest_N[first - horizon :], highest_N[first - horizon :])


def _inputs(table: PriceTable, names: tuple[str, ...]) -> NDArray[np.float64]:
    log_variance_N1 = np.log(daily_variance(table))[:, None]
    return np.concatenate([log_variance_N1, build_features(table, names[1:])], axis=1)


def _log_qlike(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean QLIKE of log variances."""
    excess = targets - outputs
    return (excess.exp() - excess - 1).mean()

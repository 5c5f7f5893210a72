"""Forecasts of tomorrow's variance that need no network.

A model takes the table, the row of the first day to forecast and the horizon in days, and gives one variance for each
day from there to the last: the sum of those of the `horizon` days that end on it. The forecast of day t uses days up to
t - horizon only, its coefficients included. What is said of tomorrow below holds for each day of the horizon.

Legend: N days, M evenings whose horizon has come, F columns of a regression.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from trialwise.prices.features import build_features, log_returns
from trialwise.prices.table import PriceTable
from trialwise.prices.volatility_target import REFERENCE_DAYS, daily_variance, trailing_mean, variance_ahead

EWMA_DECAY = 0.94  # RiskMetrics, for daily data
HAR_DAYS = (1, 5, 22)
REFIT_EVERY_DAYS = 22
RIDGE_DAYS = 100.0  # with 2,000 days hardly felt, with 200 it keeps eight coefficients from learning noise
VolatilityModel = Callable[[PriceTable, int, int], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HAR:
    """A regression of the log variance to come, with what turns it into a variance.

    Attributes:
        coefficients: (F,) one for each column of `har_columns`, the constant first.
        level: What exp(forecast log variance) is multiplied by: the mean over the days of fitting of what came over
            what was forecast (the smearing of Duan 1983, and the level with the smallest QLIKE).
        smallest: No forecast goes below the smallest variance of the days of fitting,
        largest: nor above the largest.
    """

    coefficients: NDArray[np.float64]
    level: float
    smallest: float
    largest: float


def rolling_mean(table: PriceTable, first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = the mean variance of the last 22 days: what people use, and the measure of the others."""
    return horizon * trailing_mean(daily_variance(table), REFERENCE_DAYS)[first_row - horizon : len(table) - horizon]


def ewma(table: PriceTable, first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow = 0.94 x today's forecast + 0.06 x today's variance (J.P. Morgan 1996, "RiskMetrics")."""
    variance_N = daily_variance(table)
    start = np.array([EWMA_DECAY * variance_N[0]])
    forecast_N = lfilter([1 - EWMA_DECAY], [1.0, -EWMA_DECAY], variance_N, zi=start)[0]
    return horizon * forecast_N[first_row - horizon : len(table) - horizon]


def log_har(table: PriceTable, first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """Tomorrow from the last day, week and month (Corsi 2009, "A simple approximate long-memory model")."""
    return _walk(table, first_row, horizon, extended=False)


def har_plus(table: PriceTable, first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """The HAR that also sees falling prices and, where there is one, volume."""
    return _walk(table, first_row, horizon, extended=True)


LINEAR_MODELS: dict[str, VolatilityModel] = {
    "rolling_mean": rolling_mean,
    "ewma": ewma,
    "log_har": log_har,
    "har_plus": har_plus,
}


def har_columns(table: PriceTable, *, extended: bool) -> NDArray[np.float64]:
    """(N, F) columns: 1, log of the mean variance of 1, 5 and 22 days; extended: falls over 1, 5 and 22 days, volume.

    The falls are the leverage effect of Corsi & Reno 2012, "Discrete-time volatility forecasting with persistent
    leverage effect": means of the negative log-returns. Volume is its logarithm against the last 22 days.
    """
    variance_N = daily_variance(table)
    columns = [np.ones(len(table)), *(np.log(trailing_mean(variance_N, days)) for days in HAR_DAYS)]
    if extended:
        falls_N = np.minimum(log_returns(table.close), 0.0)
        columns += [trailing_mean(falls_N, days) for days in HAR_DAYS]
        if table.volume is not None:
            columns.append(build_features(table, ("log_volume_change",))[:, 0])
    return np.stack(columns, axis=1)


def fit_har(columns_NF: NDArray[np.float64], came_M: NDArray[np.float64]) -> HAR:
    """The regression by least squares on the days given; the first 21, whose month is not whole, are left out.

    The coefficients of the extra columns are held back by a ridge (Hoerl & Kennard 1970), those of log-HAR are not.

    Args:
        columns_NF: `har_columns` of days up to the origin.
        came_M: `variance_ahead` of those of them whose horizon ends up to the origin.
    """
    known_MF, later_M = columns_NF[REFERENCE_DAYS - 1 : len(came_M)], came_M[REFERENCE_DAYS - 1 :]
    coefficients = _regress(known_MF, np.log(later_M))
    level = float(np.mean(later_M / np.exp(known_MF @ coefficients)))
    return HAR(coefficients=coefficients, level=level, smallest=float(came_M.min()), largest=float(came_M.max()))


def har_forecast(har: HAR, columns_NF: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) variance over the horizon after each row."""
    # Row by row, not one matrix product: the rounding of a row must not hang on how many there are.
    log_N = (columns_NF * har.coefficients).sum(axis=1)
    return np.clip(har.level * np.exp(log_N), har.smallest, har.largest)


def _regress(known_MF: NDArray[np.float64], came_M: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,) coefficients by least squares, those of extra columns held back as by RIDGE_DAYS days without effect."""
    n_plain = 1 + len(HAR_DAYS)
    sd_F = known_MF.std(axis=0)
    penalty_FF = np.diag(np.sqrt(RIDGE_DAYS) * sd_F)[n_plain:]
    # The extra columns are centred by their means, so that holding them back does not move the constant.
    mean_F = np.where(np.arange(known_MF.shape[1]) < n_plain, 0.0, known_MF.mean(axis=0))
    rows = np.concatenate([known_MF - mean_F, penalty_FF])
    targets = np.pad(came_M, (0, len(penalty_FF)))
    coefficients = np.linalg.lstsq(rows, targets, rcond=None)[0].astype(np.float64)
    coefficients[0] -= coefficients @ mean_F
    return coefficients


def _walk(table: PriceTable, first_row: int, horizon: int, *, extended: bool) -> NDArray[np.float64]:
    """Forecasts of the days from `first_row` on; every 22 days the regression is fitted again on all days before."""
    columns_NF, came_M = har_columns(table, extended=extended), variance_ahead(table, horizon)
    parts = []
    last = len(table) - horizon
    for evening in range(first_row - horizon, last, REFIT_EVERY_DAYS):
        har = fit_har(columns_NF[: evening + 1], came_M[: evening + 1 - horizon])
        parts.append(har_forecast(har, columns_NF[evening : min(evening + REFIT_EVERY_DAYS, last)]))
    return np.concatenate(parts)

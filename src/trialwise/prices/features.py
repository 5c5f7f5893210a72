"""Prices -> what the network sees, and the scale it sees it on.

Row t of a feature uses days up to and including t: what is known at the close of day t.

Legend: N days, F features.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.table import PriceTable

FEATURES: dict[str, tuple[str, ...]] = {
    "returns": ("log_return", "abs_log_return"),
    "volume": ("log_volume_change",),
    "ranges": ("log_range", "overnight_return"),
    "weekday": ("monday", "tuesday", "wednesday", "thursday", "friday"),
}
VOLUME_DAYS = 22
CLIP_SD = 5.0
COMPANION = "log_return of "  # and the name of another symbol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaler:
    """The scale of each feature, measured on training days and then frozen.

    Attributes:
        names: The F features, in order.
        mean: F means.
        sd: F standard deviations, above 0.
        return_sd: The standard deviation of the log-returns to forecast, over the horizon, above 0. Their mean is
            taken to be 0, so that a forecast of 0 is the naive one.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    return_sd: float


def log_returns(close_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) log(close of day t / close of day t-1); 0 on the first day."""
    return np.diff(np.log(close_N), prepend=np.log(close_N[:1]))


def moves_ahead(close_N: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """(N - horizon,) log(close of day t + horizon / close of day t): what is forecast on the evening of day t."""
    log_close_N = np.log(close_N)
    return log_close_N[horizon:] - log_close_N[:-horizon]


def feature_names(table: PriceTable, groups: Sequence[str] = ("returns", "volume")) -> tuple[str, ...]:
    """The features of `groups` (keys of FEATURES) that the table's columns allow, and the moves of its companions."""
    missing = set()
    if table.volume is None:
        missing.add("volume")
    if table.open is None or table.high is None or table.low is None:
        missing.add("ranges")
    names = [name for group in groups if group not in missing for name in FEATURES[group]]
    return (*names, *(f"{COMPANION}{companion.name}" for companion in table.companions))


def build_features(table: PriceTable, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(N, F) features, unscaled; one is 0 where what it is made of is unknown on that day."""
    return np.stack([_feature(table, name) for name in names], axis=1)


def fit_scaler(features_NF: NDArray[np.float64], returns_N: NDArray[np.float64], names: tuple[str, ...]) -> Scaler:
    """The scale of the given rows; hand it training rows only."""
    sd_F = features_NF.std(axis=0)
    sd_F = np.where(sd_F > 0, sd_F, 1.0)
    return Scaler(
        names=names,
        mean=tuple(features_NF.mean(axis=0).tolist()),
        sd=tuple(sd_F.tolist()),
        return_sd=float(np.sqrt(np.mean(returns_N**2))) or 1.0,
    )


def scale(features_NF: NDArray[np.float64], scaler: Scaler) -> NDArray[np.float32]:
    """(N, F) features in standard deviations of the training days, within +-5: a crash must not drown the rest."""
    scaled_NF = (features_NF - np.array(scaler.mean)) / np.array(scaler.sd)
    return np.clip(scaled_NF, -CLIP_SD, CLIP_SD).astype(np.float32)


def _feature(table: PriceTable, name: str) -> NDArray[np.float64]:
    """(N,) the feature of that name: see FEATURES."""
    if name == "log_return":
        return log_returns(table.close)
    if name == "abs_log_return":
        return np.abs(log_returns(table.close))
    if name == "log_volume_change":
        return _volume_change(table)
    if name == "log_range":
        return _log_ratio(table.high, table.low, len(table))
    if name == "overnight_return":
        before = np.concatenate([table.close[:1], table.close[:-1]])
        return _log_ratio(table.open, before, len(table))
    if name in FEATURES["weekday"]:
        weekday_N = (table.dates.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
        return (weekday_N == FEATURES["weekday"].index(name)).astype(np.float64)
    companion = next((one for one in table.companions if name == f"{COMPANION}{one.name}"), None)
    if companion is None:
        raise KeyError(name)
    return np.nan_to_num(log_returns(companion.close))


def _log_ratio(
    above_N: NDArray[np.float64] | None, below_N: NDArray[np.float64] | None, n_days: int
) -> NDArray[np.float64]:
    """(N,) log(above / below); 0 where one of them is unknown."""
    if above_N is None or below_N is None:
        return np.zeros(n_days)
    return np.nan_to_num(np.log(above_N / below_N))


def _volume_change(table: PriceTable) -> NDArray[np.float64]:
    """(N,) log volume minus its mean over the last 22 days, the day itself included."""
    if table.volume is None:
        return np.zeros(len(table))
    log_volume_N = np.log(table.volume)
    known_N = ~np.isnan(log_volume_N)
    # Sums over padded windows, not differences of running sums: the rounding of one day cannot reach another.
    padded = np.pad(np.where(known_N, log_volume_N, 0.0), (VOLUME_DAYS - 1, 0))
    counted = np.pad(known_N.astype(np.float64), (VOLUME_DAYS - 1, 0))
    sums_N = np.lib.stride_tricks.sliding_window_view(padded, VOLUME_DAYS).sum(axis=1)
    counts_N = np.lib.stride_tricks.sliding_window_view(counted, VOLUME_DAYS).sum(axis=1)
    return np.where(known_N, np.where(known_N, log_volume_N, 0.0) - sums_N / np.maximum(counts_N, 1.0), 0.0)

"""Prices -> what the network sees, and the scale it sees it on.

Row t of a feature uses days up to and including t: what is known at the close of day t.

Legend: N days, F features.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.table import PriceTable

VOLUME_DAYS = 22
CLIP_SD = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaler:
    """The scale of each feature, measured on training days and then frozen.

    Attributes:
        names: The F features, in order.
        mean: F means.
        sd: F standard deviations, above 0.
        return_sd: The standard deviation of the log-returns to forecast, above 0. Their mean is taken to be 0,
            so that a forecast of 0 is the naive one.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    return_sd: float


def log_returns(close_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) log(close of day t / close of day t-1); 0 on the first day."""
    return np.diff(np.log(close_N), prepend=np.log(close_N[:1]))


def feature_names(table: PriceTable) -> tuple[str, ...]:
    """The features that the table's columns allow."""
    return ("log_return", "abs_log_return") + (() if table.volume is None else ("log_volume_change",))


def build_features(table: PriceTable, names: tuple[str, ...]) -> NDArray[np.float64]:
    """(N, F) features, unscaled; a volume feature is 0 where the day's volume is unknown or the table has none."""
    returns_N = log_returns(table.close)
    columns = {"log_return": returns_N, "abs_log_return": np.abs(returns_N), "log_volume_change": _volume_change(table)}
    return np.stack([columns[name] for name in names], axis=1)


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

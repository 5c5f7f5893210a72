"""Prices -> how much a day moved: its variance, the thing that volatility models forecast.

Row t uses days up to and including t. Variances are squared log-returns of a day, close to close.

Legend: N days.
"""

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import log_returns
from trialwise.prices.table import PriceTable

REFERENCE_DAYS = 22  # the month of trading days over which people average
FLOOR_FRACTION = 0.01  # of the mean of the last 22 days
SMALLEST_VARIANCE = 1e-10  # a daily standard deviation of 0.001 %
_TICK = 1e-9  # how far, relatively, rounding may put a close above the day's high


def daily_variance(table: PriceTable) -> NDArray[np.float64]:
    """(N,) variance of each day: Garman-Klass plus the squared overnight return, else the squared return.

    Garman & Klass 1980, "On the estimation of security price volatilities from historical data": the range and the
    move from open to close tell the variance of a session several times better than the move alone. A day without
    usable open, high and low has its squared log-return, which measures the same thing with more noise. The first
    day has no day before it, so its overnight return counts as 0.

    The models look at logarithms, so a day that did not move is lifted: each variance is at least 1 % of the mean of
    the last 22 days (the day itself included) and at least 1e-10.
    """
    variance_N = log_returns(table.close) ** 2
    if has_range(table):
        range_N, usable_N = _range_variance(table)
        variance_N = np.where(usable_N, range_N, variance_N)
    floor_N = np.maximum(FLOOR_FRACTION * trailing_mean(variance_N, REFERENCE_DAYS), SMALLEST_VARIANCE)
    return np.maximum(variance_N, floor_N)


def variance_ahead(table: PriceTable, horizon: int) -> NDArray[np.float64]:
    """(N - horizon,) sum of the variances of the `horizon` days after each day: what is forecast on its evening."""
    # A sum of each window by itself: the rounding of one day cannot reach another.
    return np.lib.stride_tricks.sliding_window_view(daily_variance(table)[1:], horizon).sum(axis=1)


def has_range(table: PriceTable) -> bool:
    """Whether the table has open, high and low."""
    return table.open is not None and table.high is not None and table.low is not None


def trailing_mean(values_N: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """(N,) mean of the last `n_days` days, the day itself included; of those there are, in the first days."""
    # Sums over windows, not differences of running sums: the rounding of one day cannot reach another.
    padded = np.pad(values_N, (n_days - 1, 0))
    sums_N = np.lib.stride_tricks.sliding_window_view(padded, n_days).sum(axis=1)
    return sums_N / np.minimum(np.arange(1, len(values_N) + 1), n_days)


def _range_variance(table: PriceTable) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N,) variance from open, high, low and close, and (N,) whether the day's four prices allow it."""
    assert table.open is not None and table.high is not None and table.low is not None  # noqa: PT018
    open_N, high_N, low_N, close_N = table.open, table.high, table.low, table.close
    # A comparison with NaN is false.
    usable_N = (
        (low_N > 0)
        & (low_N <= np.minimum(open_N, close_N) * (1 + _TICK))
        & (high_N >= np.maximum(open_N, close_N) * (1 - _TICK))
        & np.isfinite(high_N)
    )
    log_open, log_high, log_low = (np.log(np.where(usable_N, values, 1.0)) for values in (open_N, high_N, low_N))
    log_close = np.log(close_N)
    session_N = 0.5 * (log_high - log_low) ** 2 - (2 * np.log(2) - 1) * (log_close - log_open) ** 2
    overnight_N = log_open - np.concatenate([log_open[:1], log_close[:-1]])
    return session_N + overnight_N**2, usable_N

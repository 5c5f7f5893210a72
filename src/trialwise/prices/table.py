"""The one shape in which prices travel between the files of this wing.

Legend: N days.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

DAILY = 3  # calendar days from row to row, in the median, up to which rows are days of trading
TRADING_DAYS_A_YEAR = 252


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Companion:
    """Another symbol's closes on the days of a table.

    Attributes:
        name: Whose prices these are.
        close: (N,) closes; on a day without one the last known, NaN before the first.
    """

    name: str
    close: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PriceTable:
    """Daily prices of one symbol, oldest first, one row a day.

    Attributes:
        name: Whose prices these are: the file's name without its ending.
        dates: (N,) datetime64[D], strictly ascending; the exchange's local dates.
        close: (N,) float64, above 0, in the file's currency; the adjusted close where the file has one.
        volume: (N,) float64 shares, NaN where the file names none for a day; None where volume cannot be used.
        open: (N,) float64 on the scale of `close`; None where it cannot be used. `high` and `low` likewise.
        high: See `open`.
        low: See `open`.
        close_column: The column that `close` was read from, as the file names it.
        order: The order of the file's rows: "oldest first", "newest first" or "unsorted".
        layout: Which vendor's layout the file has, e.g. "yahoo", or "generic".
        adjusted: True where `close` is adjusted for splits and dividends, False where not for both,
            None where the layout does not tell.
        companions: Other symbols' closes on the same days.
        warnings: What a person should know before trusting the file, one sentence each.
    """

    name: str
    dates: NDArray[np.datetime64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64] | None = None
    open: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    low: NDArray[np.float64] | None = None
    close_column: str = "close"
    order: str = "oldest first"
    layout: str = "generic"
    adjusted: bool | None = None
    companions: tuple[Companion, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.close)


def days_a_row(dates: NDArray[np.datetime64]) -> int:
    """Calendar days from one row to the next, the median: 1 for daily prices, 7 for weekly ones."""
    return int(np.median(np.diff(dates).astype(np.int64))) if len(dates) > 1 else 1


def rows_a_year(dates: NDArray[np.datetime64]) -> float:
    """Steps from row to row in a year: 252 of daily prices, 52 of weekly ones."""
    days = days_a_row(dates)
    return TRADING_DAYS_A_YEAR if days <= DAILY else 365.25 / days


def changed_columns(table: PriceTable, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> PriceTable:
    """The table with `change` made to each column of prices, companions' included, and to the volume."""

    def where_known(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if values is None else change(values)

    return dataclasses.replace(
        table,
        close=change(table.close),
        volume=where_known(table.volume),
        open=where_known(table.open),
        high=where_known(table.high),
        low=where_known(table.low),
        companions=tuple(Companion(name=one.name, close=change(one.close)) for one in table.companions),
    )


def first_rows(table: PriceTable, n_rows: int) -> PriceTable:
    """The table's first `n_rows` days, copied: nothing in it leads to a later day."""
    cut = changed_columns(table, lambda values: values[:n_rows].copy())
    return dataclasses.replace(cut, dates=table.dates[:n_rows].copy())


def accompanied(table: PriceTable, others: Sequence[PriceTable]) -> PriceTable:
    """The table with the closes of other symbols on its days.

    A day on which another symbol has no close gets the last one before it, never a later one.
    """
    companions = []
    for other in others:
        last = np.searchsorted(other.dates, table.dates, side="right") - 1
        close = np.where(last >= 0, other.close[np.maximum(last, 0)], np.nan)
        companions.append(Companion(name=other.name, close=close))
    return dataclasses.replace(table, companions=(*table.companions, *companions))

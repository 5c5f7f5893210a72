"""A CSV of prices from any vendor -> a `PriceTable`, or one message that says why not.

Legend: N days.
"""

import dataclasses
import importlib.resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.base.settings import unknown_name
from trialwise.prices.dates import parse_dates
from trialwise.prices.inspect import (
    gap_warnings,
    jump_warnings,
    range_warnings,
    standstill_warnings,
    step_warnings,
    weekend_warnings,
)
from trialwise.prices.layouts import Layout, find_layout
from trialwise.prices.numbers import decimal_mark, parse_numbers, plain_numbers
from trialwise.prices.rows import Row, line_error, quoted, read_text
from trialwise.prices.table import PriceTable

EMBEDDED = ("AAPL", "IBM", "MSFT")
MIN_ROWS = 100
LARGEST_PRICE = 1e15  # no share, coin or index ever cost as much
RANGE_ROLES = ("open", "high", "low")
PRICE_ROLES = ("close", "adj_close", *RANGE_ROLES, *(f"adj_{role}" for role in RANGE_ROLES))


def embedded_prices(name: str = "AAPL") -> Path:
    """The path of a price file that comes with trialwise: AAPL, IBM or MSFT, 2000 to 2013.

    Raises:
        UserError: There is none of that name.
    """
    if name not in EMBEDDED:
        raise unknown_name("embedded prices", name, EMBEDDED)
    return Path(str(importlib.resources.files("trialwise.prices") / "data" / f"{name}.csv"))


def file_and_ticker(path: Path) -> tuple[Path, str | None]:
    """Of "stocks.csv:AAPL", the file and the symbol in it, None for the symbol where none is named."""
    file, colon, ticker = path.name.rpartition(":")
    if not colon or not file or not ticker or path.exists():
        return path, None
    return path.with_name(file), ticker


def read_prices(path: Path) -> PriceTable:
    """The prices in a CSV file of any vendor, oldest first, adjusted where the file has an adjusted close.

    Args:
        path: The file; where it holds several symbols, with one behind a colon: "stocks.csv:AAPL".

    Raises:
        UserError: The file cannot be read as at least 100 days of positive prices of one symbol;
            names the line where there is one.
    """
    path, ticker = file_and_ticker(Path(path))
    layout = find_layout(read_text(path), path, ticker)
    rows, repeated = _without_repeated(layout.rows)
    columns = _Columns.of(dataclasses.replace(layout, rows=rows), path)
    if not columns.lines:
        raise UserError(f"{path} has no rows below its header", hint=f"at least {MIN_ROWS} days are needed")
    dates, warnings = parse_dates(columns.texts["date"], columns.lines, path)
    warnings = repeated + warnings
    prices, more = _prices(columns, path)
    lines = np.array(columns.lines)

    kept = np.flatnonzero(~np.isnan(prices["close"]))
    if len(kept) < len(lines):
        empty = lines[np.isnan(prices["close"])]
        rows = "1 row" if len(empty) == 1 else f"{len(empty)} rows"
        warnings.append(f"{rows} without a {columns.close_name} left out (first: line {empty[0]})")
    warnings += more
    if len(kept) < MIN_ROWS:
        raise UserError(
            f"{path}: expected at least {MIN_ROWS} days with a price, got {len(kept)}",
            hint="download a longer period; some years of daily prices are best",
        )
    ascending, order = _ascending(dates[kept], lines[kept], path)
    kept = kept[ascending]
    dates, lines = dates[kept], lines[kept]
    prices = {role: values[kept] for role, values in prices.items()}
    if order == "unsorted":
        warnings.append("the rows were not in the order of their dates; they were sorted")
    warnings += step_warnings(dates) + weekend_warnings(dates, lines) + gap_warnings(dates, lines)
    jumps = jump_warnings(
        dates, prices["close"], prices.get("open"), prices.get("volume"), lines, adjusted=layout.adjusted
    )
    warnings += jumps + standstill_warnings(dates, prices["close"], lines)
    if "high" in prices and "low" in prices:
        warnings += range_warnings(prices["close"], prices["high"], prices["low"], lines)
    return PriceTable(
        name=ticker.upper() if ticker else path.stem,
        dates=dates,
        close_column=columns.close_name,
        order=order,
        layout=layout.name,
        adjusted=layout.adjusted,
        warnings=tuple(warnings),
        close=prices["close"],
        volume=prices.get("volume"),
        open=prices.get("open"),
        high=prices.get("high"),
        low=prices.get("low"),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Columns:
    """The texts of the columns that have a role, by role; `lines` are their rows' lines in the file."""

    texts: dict[str, list[str]]
    lines: list[int]
    close_name: str

    @classmethod
    def of(cls, layout: Layout, path: Path) -> "_Columns":
        width = len(layout.header)
        for row in layout.rows:
            if any(row.cells[width:]):
                raise line_error(
                    path,
                    row.line,
                    f"expected {width} values as in the header, got {len(row.cells)}",
                    hint="a number with a comma in it needs quotes around it",
                )
        texts = {
            role: [row.cells[index] if index < len(row.cells) else "" for row in layout.rows]
            for role, index in layout.columns.items()
        }
        close = layout.columns.get("adj_close", layout.columns.get("close", 0))
        return cls(texts=texts, lines=[row.line for row in layout.rows], close_name=layout.header[close])


def _without_repeated(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """The rows without those that say word for word what an earlier one said, and a sentence where there are such."""
    first: dict[tuple[str, ...], int] = {}
    kept, repeated = [], []
    for row in rows:
        cells = tuple(row.cells)
        if cells in first:
            repeated.append((row.line, first[cells]))
        else:
            first[cells] = row.line
            kept.append(row)
    if not repeated:
        return kept, []
    n, (line, earlier) = len(repeated), repeated[0]
    rows_are = "1 row says" if n == 1 else f"{n} rows say"
    return kept, [f"{rows_are} word for word what an earlier row said (line {line}: as line {earlier}); left out"]


def _prices(columns: _Columns, path: Path) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """The (N,) columns "close" and, where they can be used, "open", "high", "low" and "volume", in the file's order."""
    roles = [role for role in PRICE_ROLES if role in columns.texts]
    plain = all(plain_numbers(columns.texts[role]) is not None for role in roles)
    mark = None if plain else decimal_mark(text for role in roles for text in columns.texts[role])
    adjusted = "adj_close" in columns.texts
    close = _close(columns, "adj_close" if adjusted else "close", mark or ".", path)
    prices, warnings = {"close": close}, []
    scale = _scale(columns, close, mark or ".") if adjusted else np.ones_like(close)
    if scale is None and any(_is_adjusted_by_close(columns, role) for role in RANGE_ROLES):
        warnings.append("open, high and low are not used: not every adjusted close has a close beside it")
    for role in RANGE_ROLES:
        exact = f"adj_{role}" if adjusted and f"adj_{role}" in columns.texts else None
        if exact is None and (role not in columns.texts or scale is None):
            continue
        values, bad = parse_numbers(columns.texts[exact or role], mark or ".")
        if exact is None and scale is not None:
            values = values * scale
        unusable = np.flatnonzero(~(values > 0) & ~np.isnan(close))
        if bad is None and not len(unusable):
            prices[role] = values
        else:
            line = columns.lines[int(unusable[0]) if bad is None else bad]
            warnings.append(f"the {role} prices are not used: line {line} has none above 0")
    volume, volume_warnings = _volume(columns, mark)
    if volume is not None:
        prices["volume"] = volume
    return prices, warnings + volume_warnings


def _scale(columns: _Columns, close: NDArray[np.float64], mark: str) -> NDArray[np.float64] | None:
    """(N,) adjusted close over close; None where a day with the one has not the other."""
    if "close" not in columns.texts:
        return None
    unadjusted, bad = parse_numbers(columns.texts["close"], mark)
    is_usable = bad is None and bool(((unadjusted > 0) | np.isnan(close)).all())
    return close / unadjusted if is_usable else None


def _is_adjusted_by_close(columns: _Columns, role: str) -> bool:
    return role in columns.texts and f"adj_{role}" not in columns.texts


def _close(columns: _Columns, role: str, mark: str, path: Path) -> NDArray[np.float64]:
    texts = columns.texts[role]
    close, bad = parse_numbers(texts, mark)
    if bad is not None:
        raise line_error(
            path,
            columns.lines[bad],
            f"expected a price in column {columns.close_name}, got {quoted(texts[bad])}",
            hint="a program that opened the file may have changed its numbers; download it again",
        )
    wrong = np.flatnonzero(close <= 0)
    if len(wrong):
        raise line_error(
            path,
            columns.lines[wrong[0]],
            f"expected a price above 0 in column {columns.close_name}, got {quoted(texts[wrong[0]])}",
            hint="prices are wanted as they were paid, neither scaled nor differenced",
        )
    wrong = np.flatnonzero(close > LARGEST_PRICE)
    if len(wrong):
        raise line_error(
            path,
            columns.lines[wrong[0]],
            f"expected a price below {LARGEST_PRICE:g} in column {columns.close_name}, got {quoted(texts[wrong[0]])}",
            hint="a program that opened the file may have changed its numbers; download it again",
        )
    return close


def _volume(columns: _Columns, price_mark: str | None) -> tuple[NDArray[np.float64] | None, list[str]]:
    role = "adj_volume" if {"adj_volume", "adj_close"} <= columns.texts.keys() else "volume"
    if role not in columns.texts:
        return None, ["the file has no volume: the forecast uses prices alone"]
    texts = columns.texts[role]
    volume, bad = parse_numbers(texts, decimal_mark(texts) or price_mark or ".")
    if bad is not None:
        return None, [f"the volume is not used: line {columns.lines[bad]} has {quoted(texts[bad])}"]
    volume = np.where(volume > 0, volume, np.nan)
    n_missing = int(np.isnan(volume).sum())
    if n_missing > 0.1 * len(volume):
        return None, [f"the volume is not used: {n_missing} of {len(volume)} rows have none"]
    return volume, []


def _ascending(dates: NDArray[np.datetime64], lines: NDArray[np.int64], path: Path) -> tuple[NDArray[np.int64], str]:
    """The order that makes the dates ascend, and what their order was: see `PriceTable.order`."""
    order = np.argsort(dates, kind="stable")
    repeated = np.flatnonzero(np.diff(dates[order]).astype(np.int64) == 0)
    if len(repeated):
        first, second = sorted((lines[order[repeated[0]]], lines[order[repeated[0] + 1]]))
        raise line_error(
            path,
            int(second),
            f"expected one row a day, got {dates[order[repeated[0]]]} again (first on line {first})",
            hint="keep one row a day; intraday prices and several symbols in one file cannot be used",
        )
    steps = np.diff(order)
    if (steps == 1).all():
        return order, "oldest first"
    return order, "newest first" if (steps == -1).all() else "unsorted"

"""Rows of text -> which column is what, and whose layout it is."""

import dataclasses
import re
import unicodedata
from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.prices.dates import looks_like_date
from trialwise.prices.rows import SEPARATORS, Row, quoted, split_rows

# What vendors call a column, in lower case with letters and digits only; an earlier name is preferred.
COLUMN_NAMES = {
    "date": ("date", "datetime", "timestamp", "tradedate", "tradingdate", "data", "datum", "day", "time"),
    "adj_close": ("adjclose", "adjustedclose", "closeadjusted", "adjustedclosingprice", "adjusted"),
    "close": ("close", "closelast", "closingprice", "closeprice", "zamkniecie", "schlusskurs", "last", "price"),
    "open": ("open", "openingprice", "openprice", "otwarcie"),
    "high": ("high", "highprice", "najwyzszy"),
    "low": ("low", "lowprice", "najnizszy"),
    "volume": ("volume", "vol", "volumen", "wolumen"),
    "adj_open": ("adjopen",),
    "adj_high": ("adjhigh",),
    "adj_low": ("adjlow",),
    "adj_volume": ("adjvolume",),
    "ticker": ("ticker", "symbol", "name"),
}
LONGER_ROLES = ("date", "close", "adj_close", "open", "high", "low", "volume")
HEADER_SEARCH_ROWS = 10
EXAMPLE_HEADER = "Date,Open,High,Low,Close,Volume"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """How one file is laid out.

    Attributes:
        name: The vendor whose layout this is, or "generic".
        header: The column names as written.
        columns: The index of the column for each role of `COLUMN_NAMES` that the file has.
        rows: The rows of values.
        adjusted: As in `PriceTable.adjusted`.
    """

    name: str
    header: list[str]
    columns: dict[str, int]
    rows: list[Row]
    adjusted: bool | None


def find_layout(text: str, path: Path) -> Layout:
    """The layout of a text with any of the known separators.

    Raises:
        UserError: It has no header with a date and a close, or holds several symbols side by side.
    """
    tables = [rows for separator in SEPARATORS if separator in text and (rows := split_rows(text, separator))]
    for rows in tables:
        for start in range(min(HEADER_SEARCH_ROWS, len(rows))):
            header, first, tickers = _header_at(rows, start)
            columns = find_columns(header, rows[first].cells if first < len(rows) else [])
            close = columns.get("adj_close", columns.get("close"))
            # One cell is both where the line was cut at the wrong separator: "Date;Open;Close".
            if close is not None and columns.get("date", close) != close:
                _refuse_several(path, header, rows[start].line, tickers)
                name, adjusted = _vendor(header, columns, multi_header=bool(tickers))
                return Layout(name=name, header=header, columns=columns, rows=rows[first:], adjusted=adjusted)
    raise _no_header(path, max(tables, key=lambda rows: len(rows[0].cells), default=[Row(1, text.splitlines()[:1])]))


def plain_name(name: str) -> str:
    """A column name in lower case, without accents, spaces and signs."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return re.sub(r"[^a-z0-9]", "", letters)


def find_columns(header: list[str], values: list[str]) -> dict[str, int]:
    """The index of the column for each role, by its name; an unnamed column is a date where its value is one.

    Args:
        header: The column names.
        values: The first row of values.
    """
    plain = [plain_name(name) for name in header]
    columns = {}
    for role, names in COLUMN_NAMES.items():
        found = next((plain.index(name) for name in names if name in plain), None)
        if found is None and role in LONGER_ROLES:
            longer = [i for i, name in enumerate(plain) if _is_longer_name(name, role)]
            found = longer[0] if len(longer) == 1 else None
        if found is not None:
            columns[role] = found
    if "date" not in columns and plain[0] in ("", "index", "unnamed0") and values and looks_like_date(values[0]):
        columns["date"] = 0
    return columns


def _is_longer_name(name: str, role: str) -> bool:
    """Whether a name like "AAPL.Close", "4. close" or "Local date" means the role."""
    if any(name in names for names in COLUMN_NAMES.values()) or "prev" in name:
        return False
    if role == "date":
        return "date" in name
    if role == "adj_close":
        return name.endswith(COLUMN_NAMES["adj_close"])
    return name.endswith(role) and "adj" not in name


def _header_at(rows: list[Row], start: int) -> tuple[list[str], int, list[str]]:
    """The header that begins at row `start`, the first row of values, and the tickers named in between."""
    cells = [row.cells for row in rows[start : start + 3]]
    first_cells = [plain_name(row[0]) for row in cells] + ["-", "-"]
    if first_cells[:2] in (["price", "ticker"], ["ticker", "price"], ["", ""]) and first_cells[2] in (
        "date",
        "datetime",
    ):
        fields, tickers = (cells[0], cells[1]) if first_cells[0] != "ticker" else (cells[1], cells[0])
        return [cells[2][0], *fields[1:]], start + 3, [cell for cell in tickers[1:] if cell]
    if first_cells[1] == "" and len(cells) > 1 and not any(re.fullmatch(r"[$\d.,]+", cell) for cell in cells[1]):
        return cells[0], start + 2, [cell for cell in cells[1][1:] if cell]
    return cells[0], start + 1, []


def _refuse_several(path: Path, header: list[str], line: int, tickers: list[str]) -> None:
    several = list(dict.fromkeys(tickers))
    closes = [name for name in header if plain_name(name) == "close"]
    if len(several) > 1 or len(closes) > 1:
        named = ", ".join(several[:5]) or f"{len(closes)} columns named Close"
        raise UserError(
            f"{path}, line {line}: expected one symbol, got several side by side ({named})",
            hint="save one file for each symbol",
        )


def _vendor(header: list[str], columns: dict[str, int], *, multi_header: bool) -> tuple[str, bool | None]:
    """The layout's name, and whether the close that will be read is adjusted."""
    plain = {plain_name(name) for name in header}
    adjusted = True if "adj_close" in columns else None
    if multi_header:  # yfinance adjusts by default and then names no Adj Close; single saved columns do not tell
        return "yfinance", True if adjusted or {"open", "high", "low"} <= plain else None
    if {"divcash", "splitfactor"} & plain:
        return "tiingo", adjusted or False
    if {"dividends", "stocksplits"} <= plain:
        return "yfinance-history", True
    if "closelast" in plain:
        return "nasdaq", adjusted or False
    if "price" in plain and "change" in plain:
        return "investing", adjusted or False
    if "timestamp" in plain and "open" in plain:
        return "alpha-vantage", adjusted or False
    if "zamkniecie" in plain:
        return "stooq", True
    if {"date", "open", "high", "low", "close", "adjclose", "volume"} == plain:
        return "yahoo", True
    return "generic", adjusted


def _no_header(path: Path, rows: list[Row]) -> UserError:
    """The error that says best why no header was found."""
    first = rows[0]
    named = ", ".join(first.cells[:8])
    columns = find_columns(first.cells, rows[1].cells if len(rows) > 1 else [])
    hint = f"the first line should name the columns, e.g. {EXAMPLE_HEADER}"
    if len(first.cells) > 1 and any(looks_like_date(cell) for cell in first.cells):
        return UserError(f"{path}, line {first.line}: expected column names, got values ({named})", hint=hint)
    if "date" in columns:
        closes = [name for name in first.cells if "close" in plain_name(name)]
        if len(closes) > 1:
            return UserError(
                f"{path}, line {first.line}: expected one close column, got several: {', '.join(closes[:8])}",
                hint="save one file for each symbol, or name the column to use Close",
            )
        return UserError(
            f"{path}, line {first.line}: expected a close column, got {named}",
            hint="name the column of prices Close (or Adj Close, Close/Last, Price)",
        )
    if "close" in columns or "adj_close" in columns:
        return UserError(
            f"{path}, line {first.line}: expected a date column, got {named}",
            hint="name the column of days Date (or Datetime, Timestamp)",
        )
    return UserError(f"{path} is not a table of prices: line {first.line} is {quoted(named)}", hint=hint)

"""Rows of text -> which column is what, and whose layout it is."""

import dataclasses
import difflib
import re
import unicodedata
from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.prices.dates import looks_like_date
from trialwise.prices.rows import SEPARATORS, Row, line_error, quoted, split_rows

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
        rows: The rows of values, those of one symbol where several lie below each other and one was asked for.
        adjusted: As in `PriceTable.adjusted`.
    """

    name: str
    header: list[str]
    columns: dict[str, int]
    rows: list[Row]
    adjusted: bool | None


def find_layout(text: str, path: Path, ticker: str | None = None) -> Layout:
    """The layout of a text with any of the known separators.

    Args:
        text: The file's text.
        path: The file, for messages.
        ticker: The symbol to read where the file holds several; upper and lower case are the same.

    Raises:
        UserError: It has no header with a date and a close, holds several symbols without saying which, or holds
            none called `ticker`.
    """
    tables = [rows for separator in SEPARATORS if separator in text and (rows := split_rows(text, separator))]
    for rows in tables:
        for start in range(min(HEADER_SEARCH_ROWS, len(rows))):
            header, first, tickers = _header_at(rows, start)
            below = rows[first:]
            if ticker is not None:
                header, tickers, below = _only(ticker, header, tickers, below)
            columns = find_columns(header, below[0].cells if below else [])
            close = columns.get("adj_close", columns.get("close"))
            # One cell is both where the line was cut at the wrong separator: "Date;Open;Close".
            if close is not None and columns.get("date", close) != close:
                _refuse_side_by_side(path, header, rows[start].line, tickers)
                name, adjusted = _vendor(header, columns, multi_header=any(tickers))
                below = _stacked(below, columns.get("ticker"), path, ticker)
                return Layout(name=name, header=header, columns=columns, rows=below, adjusted=adjusted)
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
    """The header that begins at row `start`, the first row of values, and the ticker of each column or []."""
    cells = [row.cells for row in rows[start : start + 3]]
    first_cells = [plain_name(row[0]) for row in cells] + ["-", "-"]
    if first_cells[:2] in (["price", "ticker"], ["ticker", "price"], ["", ""]) and first_cells[2] in (
        "date",
        "datetime",
    ):
        fields, tickers = (cells[0], cells[1]) if first_cells[0] != "ticker" else (cells[1], cells[0])
        return [cells[2][0], *fields[1:]], start + 3, ["", *tickers[1:]]
    if first_cells[1] == "" and len(cells) > 1 and not any(re.fullmatch(r"[$\d.,]+", cell) for cell in cells[1]):
        return cells[0], start + 2, cells[1]
    return cells[0], start + 1, []


def _only(
    ticker: str, header: list[str], tickers: list[str], rows: list[Row]
) -> tuple[list[str], list[str], list[Row]]:
    """The columns of one symbol, and those of none, where several symbols lie side by side; else all.

    A header of one row names symbol and field in one cell, in any order ("AAPL.Close", "Close_AAPL"), or the symbol
    alone, which then is its close.
    """
    if any(tickers):
        of_column = [*tickers, *[""] * len(header)][: len(header)]
        names = {i: header[i] for i, of in enumerate(of_column) if of.lower() in ("", ticker.lower())}
        if len(names) == of_column.count(""):
            return header, tickers, rows
    else:
        pattern = re.compile(rf"(?:(.+?)[\W_]+)?{re.escape(ticker)}(?:[\W_]+(.+))?", re.IGNORECASE)
        matches = [pattern.fullmatch(name.strip("()'\" ")) for name in header]
        if not any(matches):
            return header, tickers, rows
        names = {i: match[1] or match[2] or "Close" for i, match in enumerate(matches) if match}
        names |= {i: name for i, name in enumerate(header) if plain_name(name) in COLUMN_NAMES["date"]}
        names |= {0: header[0]} if plain_name(header[0]) == "" else {}
    kept = sorted(names)
    cut = [Row(row.line, [row.cells[i] if i < len(row.cells) else "" for i in kept]) for row in rows]
    return [names[i] for i in kept], [ticker] * len(kept) if any(tickers) else [], cut


def _stacked(rows: list[Row], column: int | None, path: Path, ticker: str | None) -> list[Row]:
    """The rows of one symbol where the file has a column of tickers."""
    if column is None:
        return rows
    of_rows = [row.cells[column] if column < len(row.cells) else "" for row in rows]
    several = list(dict.fromkeys(of_rows))
    if ticker is not None:
        kept = [row for row, of_row in zip(rows, of_rows, strict=True) if of_row.lower() == ticker.lower()]
        if rows and not kept:
            raise _no_such_ticker(path, ticker, several)
        return kept
    if len(several) > 1:
        raise line_error(
            path,
            rows[of_rows.index(several[1])].line,
            f"expected one symbol, got {len(several)} below each other ({_named(several)})",
            hint=_which(path, several),
        )
    return rows


def _refuse_side_by_side(path: Path, header: list[str], line: int, tickers: list[str]) -> None:
    several = list(dict.fromkeys(name for name in tickers if name))
    closes = [name for name in header if plain_name(name) == "close"]
    if len(several) > 1 or len(closes) > 1:
        named = _named(several) if len(several) > 1 else f"{len(closes)} columns named Close"
        hint = _which(path, several) if len(several) > 1 else "save one file for each symbol"
        raise line_error(path, line, f"expected one symbol, got several side by side ({named})", hint=hint)


def _no_such_ticker(path: Path, ticker: str, several: list[str]) -> UserError:
    near = difflib.get_close_matches(ticker.upper(), several, n=1)
    return UserError(
        f"{path} has no symbol {ticker!r}; it has {_named(several)}", hint=f"did you mean {near[0]}?" if near else ""
    )


def _named(tickers: list[str]) -> str:
    return ", ".join(tickers[:5]) + (f" and {len(tickers) - 5} more" if len(tickers) > 5 else "")


def _which(path: Path, tickers: list[str]) -> str:
    return f"say which one behind the file's name: {path.name}:{next(name for name in tickers if name)}"


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
    if "zamkniecie" in plain or {"ticker", "per", "openint"} <= plain:  # stooq.pl, and its files of whole markets
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
                hint=f"say which symbol's behind the file's name, e.g. {path.name}:AAPL, or name its column Close",
            )
        return UserError(
            f"{path}, line {first.line}: expected a close column, got {named}",
            hint="name the column of prices Close (or Adj Close, Close/Last, Price); where columns are symbols, say "
            f"which behind the file's name: {path.name}:{first.cells[-1]}",
        )
    if "close" in columns or "adj_close" in columns:
        return UserError(
            f"{path}, line {first.line}: expected a date column, got {named}",
            hint="name the column of days Date (or Datetime, Timestamp)",
        )
    return UserError(f"{path} is not a table of prices: line {first.line} is {quoted(named)}", hint=hint)

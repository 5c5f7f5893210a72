"""Dates as vendors write them -> days; which of day and month comes first is told by what is possible.

Legend: N rows.
"""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.prices.rows import line_error, quoted

# A time and a zone may follow. The date is taken as written: it is the exchange's local one, and moving it to
# another zone would put daily bars, stamped at local midnight, on the day before.
_TIME = r"(?:[T ,]+\d{1,2}:\d{2}.*)?"
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME)
_EIGHT_DIGITS = re.compile(r"(\d{4})()(\d{2})(\d{2})" + _TIME)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})" + _TIME)
_MONTH_DAY_YEAR = re.compile(r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}),? (\d{4})" + _TIME)
_DAY_MONTH_YEAR = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[-, ]+(\d{4}|\d{2})" + _TIME)
_PATTERNS = (_YEAR_FIRST, _EIGHT_DIGITS, _YEAR_LAST, _MONTH_DAY_YEAR, _DAY_MONTH_YEAR)
_MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}

FIRST_YEAR, LAST_YEAR = 1600, 2200  # outside, a number was taken for a date
Parts = tuple[int, int, int]


def looks_like_date(text: str) -> bool:
    """Whether the text is written like a date in one of the known ways; seconds since 1970 are not."""
    return any(pattern.fullmatch(text) for pattern in _PATTERNS)


def parse_dates(texts: Sequence[str], lines: Sequence[int], path: Path) -> tuple[NDArray[np.datetime64], list[str]]:
    """The days of a column, all written in one way, and warnings where they could be read in another.

    Args:
        texts: N dates as written.
        lines: Their N lines in the file.
        path: The file, for messages.

    Returns:
        (N,) datetime64[D] in the file's order, and what to tell people.

    Raises:
        UserError: A text is no date, or not written as the others are.
    """
    for pattern in _PATTERNS:
        if not pattern.fullmatch(texts[0]):
            continue
        matches = [pattern.fullmatch(text) for text in texts]
        for match, text, line in zip(matches, texts, lines, strict=True):
            if match is None:
                raise _not_a_date(path, line, text, f"a date like {texts[0]!r}")
        groups = [match.groups() for match in matches if match is not None]
        if pattern is _YEAR_LAST:
            return _day_or_month_first(groups, texts, lines, path)
        return _days([_named_or_year_first(group) for group in groups], texts, lines, path), []
    raise _not_a_date(path, lines[0], texts[0], "a date")


def _named_or_year_first(group: tuple[str, ...]) -> Parts:
    if len(group) == 4:
        return int(group[0]), int(group[2]), int(group[3])
    month, day = (group[0], group[1]) if group[0].isalpha() else (group[1], group[0])
    return _full_year(group[2]), _MONTHS.get(month.lower(), 0), int(day)


def _day_or_month_first(
    groups: list[tuple[str, ...]], texts: Sequence[str], lines: Sequence[int], path: Path
) -> tuple[NDArray[np.datetime64], list[str]]:
    numbers = [(int(a), int(b), _full_year(year)) for a, _, b, year in groups]
    n_day_first = sum(a > 12 for a, _, _ in numbers)
    n_month_first = sum(b > 12 for _, b, _ in numbers)
    month_first = [(year, a, b) for a, b, year in numbers]
    day_first = [(year, b, a) for a, b, year in numbers]
    if n_day_first or n_month_first:
        return _days(day_first if n_day_first > n_month_first else month_first, texts, lines, path), []
    as_month_first, as_day_first = (_days(parts, texts, lines, path) for parts in (month_first, day_first))
    if _in_order(as_month_first) != _in_order(as_day_first):
        return (as_month_first if _in_order(as_month_first) else as_day_first), []
    dots = groups[0][1] == "."  # only day-first countries write dots
    order = "day.month.year" if dots else "month/day/year"
    warning = f"dates like {texts[0]!r} can be read in two ways; they were read as {order}"
    return (as_day_first if dots else as_month_first), [warning]


def _full_year(text: str) -> int:
    if len(text) == 4:
        return int(text)
    this_year = datetime.date.today().year  # prices were paid in the past, or bear tomorrow's date
    return max(year for year in (1900 + int(text), 2000 + int(text)) if year <= this_year + 1)


def _in_order(days: NDArray[np.datetime64]) -> bool:
    steps = np.diff(days).astype(np.int64)
    return bool((steps > 0).all() or (steps < 0).all())


def _days(parts: list[Parts], texts: Sequence[str], lines: Sequence[int], path: Path) -> NDArray[np.datetime64]:
    for (year, _, _), text, line in zip(parts, texts, lines, strict=True):
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise _not_a_date(path, line, text, f"a year from {FIRST_YEAR} to {LAST_YEAR}")
    iso = [f"{year:04}-{month:02}-{day:02}" for year, month, day in parts]
    try:
        return np.array(iso, dtype="datetime64[D]")
    except ValueError:
        for day, text, line in zip(iso, texts, lines, strict=True):
            try:
                np.datetime64(day, "D")
            except ValueError:
                raise _not_a_date(path, line, text, "a date of the calendar, written as in the other rows") from None
        raise


def _not_a_date(path: Path, line: int, text: str, expected: str) -> UserError:
    return line_error(
        path,
        line,
        f"expected {expected}, got {quoted(text)}",
        hint="one way of writing dates in the whole file, best YYYY-MM-DD",
    )

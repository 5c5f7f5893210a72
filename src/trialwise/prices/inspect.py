"""What is in a table of prices that could be read, and what looks wrong in it: told, never mended.

Legend: N days, oldest first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.table import DAILY, PriceTable, days_a_row

# Day ratios of real splits, old price over new; the other way round for a reverse split.
SPLIT_RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)
BIG_LOG_RETURN = 0.35
SPIKE_LOG_RETURN = 0.5
MAX_JUMP_WARNINGS = 5
LONG_STANDSTILL_DAYS = 10  # in a row with one close: a holiday filled up, or a share not traded
RANGE_TOLERANCE = 1e-3  # how far, relatively, rounding may put a close outside its day's range
LONG_GAP_WEEKDAYS = 5  # more than exchanges were ever closed in a row since 1950: four, in September 2001


def description(table: PriceTable) -> dict[str, Any]:
    """The data report of a table as plain JSON values."""
    gaps = missing_weekdays(table.dates)
    optional = {name: getattr(table, name) for name in ("open", "high", "low", "volume")}
    return {
        "name": table.name,
        "layout": table.layout,
        "order": table.order,
        "n_rows": len(table),
        "first_date": str(table.dates[0]),
        "last_date": str(table.dates[-1]),
        "close_column": table.close_column,
        "adjusted": table.adjusted,
        "columns": ["close", *(name for name, values in optional.items() if values is not None)],
        "smallest_close": float(table.close.min()),
        "largest_close": float(table.close.max()),
        "last_close": float(table.close[-1]),
        "n_weekdays_missing": int(gaps.sum()),
        "longest_gap_weekdays": int(gaps.max(initial=0)),
        "warnings": list(table.warnings),
    }


def missing_weekdays(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """(N-1,) Mondays to Fridays between each day and the next one; holidays are among them."""
    # From the day after each to the next, that one left out.
    return np.maximum(np.busday_count(dates[:-1] + 1, dates[1:]), 0)


def gap_warnings(dates: NDArray[np.datetime64], lines: NDArray[np.int64]) -> list[str]:
    """A sentence for each gap that no closing of the exchange explains, the longest ones."""
    gaps = missing_weekdays(dates)
    long = np.flatnonzero(gaps > LONG_GAP_WEEKDAYS)
    longest = sorted(long[np.argsort(-gaps[long], kind="stable")][:MAX_JUMP_WARNINGS].tolist())
    warnings = [
        f"no rows between {dates[day]} (line {lines[day]}) and {dates[day + 1]} (line {lines[day + 1]}): "
        f"{gaps[day]} weekdays are missing, and the move over them counts as one day's"
        for day in longest
    ]
    return warnings + ([f"and {len(long) - len(longest)} more gaps like these"] if len(long) > len(longest) else [])


def step_warnings(dates: NDArray[np.datetime64]) -> list[str]:
    """A sentence where the rows are further apart than days of trading are; else []."""
    step = days_a_row(dates)
    if step <= DAILY:
        return []
    return [f"the rows are {step} days apart: whatever is said of days holds for steps of {step} days"]


def weekend_warnings(dates: NDArray[np.datetime64], lines: NDArray[np.int64]) -> list[str]:
    """A sentence where days are Saturdays or Sundays; [] where none is."""
    weekday = (dates.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    weekend = np.flatnonzero(weekday >= 5)
    if not len(weekend):
        return []
    first = weekend[0]
    return [
        f"{len(weekend)} of {len(dates)} days are Saturdays or Sundays (first: {dates[first]}, line {lines[first]}); "
        "stock exchanges are closed then, so the data may be made up or carry wrong dates"
    ]


def standstill_warnings(
    dates: NDArray[np.datetime64], close: NDArray[np.float64], lines: NDArray[np.int64]
) -> list[str]:
    """A sentence where the close stays the same for many days in a row, on the longest such stretch; else []."""
    starts = np.flatnonzero(np.diff(close, prepend=np.nan) != 0)
    lengths = np.diff(starts, append=len(close))
    longest = int(lengths.argmax())
    first, n_days = starts[longest], lengths[longest]
    if n_days < LONG_STANDSTILL_DAYS:
        return []
    return [
        f"the close is {close[first]:.6g} on {n_days} days in a row from {dates[first]} (line {lines[first]}) on: "
        "the share was not traded, or the file was filled up"
    ]


def range_warnings(
    close: NDArray[np.float64], high: NDArray[np.float64], low: NDArray[np.float64], lines: NDArray[np.int64]
) -> list[str]:
    """A sentence where a close lies outside its day's high and low; [] where none does."""
    # A comparison with NaN is false.
    outside = np.flatnonzero((close > high * (1 + RANGE_TOLERANCE)) | (close < low * (1 - RANGE_TOLERANCE)))
    if not len(outside):
        return []
    days = "1 close lies" if len(outside) == 1 else f"{len(outside)} closes lie"
    return [
        f"{days} outside the day's high and low (first: line {lines[outside[0]]}): "
        "on such days volatility is taken from the closes alone"
    ]


def jump_warnings(
    dates: NDArray[np.datetime64],
    close: NDArray[np.float64],
    opens: NDArray[np.float64] | None,
    volume: NDArray[np.float64] | None,
    lines: NDArray[np.int64],
    *,
    adjusted: bool | None,
) -> list[str]:
    """A sentence for each price far off both its neighbours and each fall or rise that looks like a split.

    A split is told from a crash by the overnight ratio, which is near a split's ratio to 3 % (AAPL's real fall to
    1/1.9 on 2000-09-29 is not), and by a volume that does not multiply.

    Args:
        dates: (N,) datetime64[D].
        close: (N,) prices.
        opens: (N,) prices on the same scale, or None.
        volume: (N,) shares with NaN for unknown, or None.
        lines: (N,) lines in the file.
        adjusted: Splits are not looked for where this is True.
    """
    warnings = []
    log_returns = np.diff(np.log(close))
    big = (np.flatnonzero(np.abs(log_returns) > BIG_LOG_RETURN) + 1).tolist()
    spikes = set()
    for day in big:
        back = log_returns[day] if day < len(log_returns) else 0.0
        there = log_returns[day - 1]
        if abs(there) > SPIKE_LOG_RETURN and abs(there + back) < 0.2 * abs(there):
            spikes |= {day, day + 1}
            warnings.append(
                f"line {lines[day]} ({dates[day]}): the price is {np.exp(there):.3g} times that of the days around it; "
                "this row looks wrong"
            )
    for day in big:
        if adjusted is not True and day not in spikes and (ratio := _split_ratio(day, close, opens, volume)):
            kind = f"{ratio:g}:1 split" if close[day] < close[day - 1] else f"1:{ratio:g} reverse split"
            warnings.append(
                f"line {lines[day]} ({dates[day]}): the price goes from {close[day - 1]:.6g} to {close[day]:.6g}, "
                f"which looks like a {kind} that the file is not adjusted for; it will be taken for a real move"
            )
    if len(warnings) > MAX_JUMP_WARNINGS:
        n_more = len(warnings) - MAX_JUMP_WARNINGS
        warnings = [*warnings[:MAX_JUMP_WARNINGS], f"and {n_more} more jumps like these"]
    return warnings


def _split_ratio(
    day: int,
    close: NDArray[np.float64],
    opens: NDArray[np.float64] | None,
    volume: NDArray[np.float64] | None,
) -> float | None:
    """The ratio of the split that day's price looks like; None where it looks like none."""
    today, tolerance = (close[day], 0.05) if opens is None else (opens[day], 0.03)
    step = abs(np.log(today / close[day - 1]))
    ratio = min(SPLIT_RATIOS, key=lambda ratio: abs(np.log(ratio) - step))
    if abs(np.log(ratio) - step) > tolerance:
        return None
    if volume is not None and volume[day] > 3 * max(1.0, ratio) * volume[day - 1]:
        return None
    return float(ratio)

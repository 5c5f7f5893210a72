"""What a person hands to `PriceForecaster` -> a table of prices.

Shapes: N days, F columns.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_non_negative

from trialwise.api.estimators.saving import InputError
from trialwise.prices.table import Companion, PriceTable

FIRST_MADE_UP_DAY = np.datetime64("2000-01-03")
OF_THE_SAME_SYMBOL = ("close", "volume", "open", "high", "low")


def table_of(values_NF: NDArray[np.float64], names: tuple[str, ...] | None, dates: Any = None) -> PriceTable:
    """The table of an array or of a data frame's values.

    Args:
        values_NF: One row a day, oldest first. Without names: the close, then where there are more columns the volume,
            then other symbols' closes.
        names: The columns' names. Where one of them is "close" (in any case), all count by their names: "volume",
            "open", "high" and "low", and each other one is another symbol's closes. Where none is one of these, they
            count by their order, as in an array.
        dates: The days; without them weekdays are made up, which no default feature looks at.

    Raises:
        InputError: There is no close, a price is not above 0, or days are out of order.
    """
    check_non_negative(values_NF, "PriceForecaster")
    columns = _named_columns(values_NF, names)
    close_N = _prices(columns.pop("close"), "close")
    volume_N = columns.pop("volume", None)
    own = {name: _prices(columns.pop(name), name) for name in OF_THE_SAME_SYMBOL if name in columns}
    companions = tuple(Companion(name=name, close=_prices(values_N, name)) for name, values_N in columns.items())
    return PriceTable(
        name="X",
        dates=_days(dates, len(close_N)),
        close=close_N,
        # 0 stands for unknown, as in vendors' files.
        volume=None if volume_N is None else np.where(volume_N > 0, volume_N, np.nan),
        open=own.get("open"),
        high=own.get("high"),
        low=own.get("low"),
        companions=companions,
    )


def _named_columns(values_NF: NDArray[np.float64], names: tuple[str, ...] | None) -> dict[str, NDArray[np.float64]]:
    known = {} if names is None else {name.lower(): name for name in names if name.lower() in OF_THE_SAME_SYMBOL}
    if known and "close" not in known:
        raise InputError(
            f"X: no column is called close: {', '.join(map(repr, names or ()))}",
            hint='rename the column of closes to forecast, e.g. X.rename(columns={"Adj Close": "close"})',
        )
    adjusted = [name for name in names or () if re.sub("[^a-z]", "", name.lower()) in ("adjclose", "adjustedclose")]
    if known and adjusted:
        raise InputError(
            f"X: which is the close to forecast, {known['close']!r} or {adjusted[0]!r}?",
            hint="drop one of them; a plain close jumps where the stock was split",
        )
    if known and names is not None:
        keys = [name.lower() if name == known.get(name.lower()) else name for name in names]
    else:
        others = range(2, values_NF.shape[1])
        keys = [*("close", "volume")[: values_NF.shape[1]], *(f"column {number}" for number in others)]
    return {key: np.ascontiguousarray(values_NF[:, i], dtype=np.float64) for i, key in enumerate(keys)}


def _prices(values_N: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if not (values_N > 0).all():
        row = int(np.argmin(values_N > 0))
        raise InputError(
            f"X: expected prices, which are above 0: {name} is {values_N[row]:g} in row {row}",
            hint="give the prices themselves, neither scaled nor differenced",
        )
    return values_N


def _days(dates: Any, n_days: int) -> NDArray[np.datetime64]:
    if dates is None:
        return np.busday_offset(FIRST_MADE_UP_DAY, np.arange(n_days))
    days_N = np.asarray(dates).astype("datetime64[D]")
    if (np.diff(days_N) <= np.timedelta64(0, "D")).any():
        row = int(np.argmax(np.diff(days_N) <= np.timedelta64(0, "D"))) + 1
        raise InputError(
            f"X: days are out of order: {days_N[row]} in row {row} does not come after {days_N[row - 1]}",
            hint="X.sort_index(); in cross-validation: TimeSeriesSplit, never shuffled folds",
        )
    return days_N

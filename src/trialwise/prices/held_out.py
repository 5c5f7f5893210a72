"""The only door to the test days; `backtest` alone may import it (a contract in pyproject.toml checks that)."""

import dataclasses

from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutDays:
    """The test days with the history before them.

    Attributes:
        table: All days; a forecast for day t may use those up to t - horizon.
        first_row: The row of the first day to forecast; the test lasts until the table's end.
    """

    table: PriceTable
    first_row: int


def test_days(table: PriceTable, settings: BacktestSettings) -> HeldOutDays:
    """The last `settings.test_fraction` of the days, to be opened once, after training.

    No forecast is made before the evening on which training ends, so the first horizon - 1 test days have none: what
    a model was trained on and what it is tested on do not share a day's move.
    """
    origin = split_rows(len(table), settings.test_fraction).test.start
    return HeldOutDays(table=table, first_row=origin + settings.horizon - 1)

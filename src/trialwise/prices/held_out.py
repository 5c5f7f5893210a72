"""The only door to the test days; `backtest` alone may import it (a contract in pyproject.toml checks that)."""

import dataclasses

from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutDays:
    """The test days with the history before them.

    Attributes:
        table: All days; a forecast for day t may use those before t.
        first_row: The row of the first test day; the test lasts until the table's end.
    """

    table: PriceTable
    first_row: int


def test_days(table: PriceTable, settings: BacktestSettings) -> HeldOutDays:
    """The last `settings.test_fraction` of the days, to be opened once, after training."""
    return HeldOutDays(table=table, first_row=split_rows(len(table), settings.test_fraction).test.start)

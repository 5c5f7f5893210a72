"""Which days are for training, which for choosing, which for the test: always in this order, never shuffled."""

import dataclasses

from trialwise.base.errors import UserError
from trialwise.prices.features import feature_names
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import PriceTable, first_rows

VALID_FRACTION = 0.15
HORIZONS_IN_A_PART = 3  # that the validation and the test hold at least: fewer moves that do not overlap tell nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """The rows of a table by what they are for; each range begins where the one before it ends.

    Attributes:
        train: The rows whose moves the network learns from.
        valid: The rows whose moves choose the epoch and the shrinkage.
        test: The rows whose moves are used for nothing but the final numbers; empty in a table cut at the origin.
    """

    train: range
    valid: range
    test: range


def split_rows(n_rows: int, test_fraction: float) -> Split:
    """The split of `n_rows` days, oldest first.

    The test is the last `test_fraction` of all days, the validation the last 15 % of what comes before it.
    """
    origin = n_rows - round(n_rows * test_fraction)
    first_valid = origin - max(1, round(origin * VALID_FRACTION))
    return Split(train=range(first_valid), valid=range(first_valid, origin), test=range(origin, n_rows))


def train_part(table: PriceTable, settings: BacktestSettings) -> PriceTable:
    """The table cut at the origin: what training receives, without a single test day in it.

    Raises:
        UserError: Too few days are left for the window or the horizon.
    """
    check_fits(table, settings, test_fraction=settings.test_fraction)
    return first_rows(table, split_rows(len(table), settings.test_fraction).test.start)


def check_fits(table: PriceTable, settings: BacktestSettings, *, test_fraction: float) -> None:
    """Refuse a table with too few days.

    Args:
        table: All days.
        settings: What is to be trained.
        test_fraction: The share of the days kept for the test; 0 where all are trained on.

    Raises:
        UserError: Too few days are left for the window or the horizon, or the file has none of the features.
    """
    if not feature_names(table, settings.features):
        raise UserError(
            f"features: {table.name} has nothing of {', '.join(settings.features) or 'them'}",
            hint='features = ["returns"] needs closes alone',
        )
    split, horizon = split_rows(len(table), test_fraction), settings.horizon
    fewest = min(len(split.valid), len(split.test)) if test_fraction else len(split.valid)
    tested = f" and {len(split.test)} test days" if test_fraction else ""
    if horizon > 1 and fewest < HORIZONS_IN_A_PART * horizon:
        raise UserError(
            f"--horizon: expected at most {fewest // HORIZONS_IN_A_PART} for {table.name} with {len(split.valid)} "
            f"validation days{tested}, got {horizon}",
            hint="a shorter horizon or a longer file",
        )
    longest = len(split.train) - 1 - horizon
    if settings.window > longest:
        raise UserError(
            f"--window: expected at most {longest} for {table.name} with {len(split.train)} training days, "
            f"got {settings.window}",
            hint=f"a shorter window{', a smaller --test-fraction' if test_fraction else ''} or a longer file",
        )

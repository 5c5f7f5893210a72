"""A trained model and all days so far -> a close to come, how much it may move until then, and bands around it."""

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy as np

from trialwise.base.errors import UserError
from trialwise.prices.bands import price_bands
from trialwise.prices.direction import DirectionForecaster, probabilities
from trialwise.prices.features import COMPANION, FEATURES
from trialwise.prices.table import DAILY, PriceTable, changed_columns, days_a_row, rows_a_year
from trialwise.prices.train import TrainedForecaster, forecast_returns
from trialwise.prices.volatility import HEADLINE, walk_volatility
from trialwise.prices.volatility_lstm import VolatilityForecaster
from trialwise.prices.volatility_target import has_range


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band:
    """An interval that is meant to hold the next close on a share `level` of days, in the prices' currency."""

    level: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is forecast for the day that lies `horizon` trading days after a table's last.

    Attributes:
        name: Whose prices they are.
        last_date: The last day known, YYYY-MM-DD.
        last_close: Its close, which is the naive forecast.
        horizon: Trading days ahead.
        next_date: The weekday so many weekdays later, YYYY-MM-DD; holidays are not known here. Where rows are further
            apart than days of trading, so many of their steps later.
        close: The forecast close.
        up_probability: Of a close above the last one; None where the run has no model of it.
        sd: Forecast standard deviation of the log-return until then; None where too few days are known.
        daily_sd: The same for each day on the way.
        annual_volatility: The same over a year of 252 such days, or of 52 weeks where rows are weeks.
        bands: One a level; () where too few days are known.
    """

    name: str
    last_date: str
    last_close: float
    horizon: int
    next_date: str
    close: float
    up_probability: float | None
    sd: float | None
    daily_sd: float | None
    annual_volatility: float | None
    bands: tuple[Band, ...]

    def to_document(self) -> dict[str, Any]:
        """The forecast as plain JSON values."""
        return dataclasses.asdict(self) | {"bands": [dataclasses.asdict(band) for band in self.bands]}


def forecast_next(
    trained: TrainedForecaster,
    trained_volatility: VolatilityForecaster | None,
    table: PriceTable,
    trained_direction: DirectionForecaster | None = None,
) -> Forecast:
    """The forecast for the day that lies the model's horizon after the table's last.

    Args:
        trained: The model of closes.
        trained_volatility: The networks of volatility; None where there are none.
        trained_direction: The model of direction; None where there is none.
        table: All days so far; those after the training may be among them.

    Raises:
        UserError: Fewer days than the model looks back, or no volume where it was trained on one.
    """
    names = set(trained.scaler.names) | set(trained_volatility.scaler.names if trained_volatility else ())
    if len(table) <= trained.settings.window:
        raise UserError(
            f"{table.name}: expected more than {trained.settings.window} days, which the model looks back, "
            f"got {len(table)}"
        )
    table, n_days = as_trained(names, table), len(table)
    # Days are added for the models to forecast. What stands in them is not looked at: see `leaks`.
    horizon = trained.settings.horizon
    longer, row = with_more_days(table, horizon), n_days - 1 + horizon
    move = float(forecast_returns(trained, longer, row)[0])
    bands = price_bands(longer, row, horizon)
    variance = None
    if trained_volatility is not None:
        variance = float(walk_volatility([(row, trained_volatility)], longer, horizon)[0][HEADLINE][0])
    elif bands is not None:
        variance = float(bands.sd[0] ** 2)
    sd = None if variance is None else float(np.sqrt(variance))
    daily_sd = None if sd is None else sd / float(np.sqrt(horizon))
    up = None if trained_direction is None else float(probabilities(trained_direction, longer, row)["lstm"][0])
    return Forecast(
        name=table.name,
        last_date=str(table.dates[-1]),
        last_close=float(table.close[-1]),
        next_date=str(longer.dates[-1]),
        horizon=horizon,
        close=float(table.close[-1] * np.exp(move)),
        up_probability=up,
        sd=sd,
        daily_sd=daily_sd,
        annual_volatility=None if daily_sd is None else daily_sd * float(np.sqrt(rows_a_year(table.dates))),
        bands=()
        if bands is None
        else tuple(
            Band(level=level, low=float(low), high=float(high))
            for level, low, high in zip(bands.levels, bands.low[0], bands.high[0], strict=True)
        ),
    )


def as_trained(names: Collection[str], table: PriceTable) -> PriceTable:
    """The table with no more columns than the models were trained with.

    Args:
        names: The features of all models.
        table: All days so far.

    Raises:
        UserError: It lacks one of them.
    """
    if "log_volume_change" in names and table.volume is None:
        raise UserError(
            f"{table.name} has no volume, and the model was trained on one", hint="give a file with a volume column"
        )
    if set(FEATURES["ranges"]) & set(names) and not has_range(table):
        raise UserError(
            f"{table.name} has no open, high and low, and the model was trained on them",
            hint="give a file with these columns",
        )
    known = {f"{COMPANION}{one.name}" for one in table.companions}
    missing = [name for name in names if name.startswith(COMPANION) and name not in known]
    if missing:
        others = ", ".join(sorted(name.removeprefix(COMPANION) for name in missing))
        raise UserError(f"the model was trained with {others}", hint="give the files of the same symbols with --with")
    companions = tuple(one for one in table.companions if f"{COMPANION}{one.name}" in names)
    volume = table.volume if "log_volume_change" in names else None
    return dataclasses.replace(table, companions=companions, volume=volume)


def with_more_days(table: PriceTable, n_more: int) -> PriceTable:
    """The table with the next weekdays, or weeks where its rows are weeks, copies of the last day."""
    longer = changed_columns(table, lambda values: np.append(values, np.repeat(values[-1], n_more)))
    steps, days = np.arange(1, n_more + 1), days_a_row(table.dates)
    daily = days <= DAILY
    following = np.busday_offset(table.dates[-1], steps, roll="backward") if daily else table.dates[-1] + days * steps
    return dataclasses.replace(longer, dates=np.append(table.dates, following))

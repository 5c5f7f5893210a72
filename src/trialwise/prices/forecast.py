"""A trained model and all days so far -> the next day's close, how much it may move, and bands around it."""

import dataclasses
from typing import Any

import numpy as np

from trialwise.base.errors import UserError
from trialwise.prices.bands import price_bands
from trialwise.prices.features import COMPANION
from trialwise.prices.table import PriceTable, changed_columns
from trialwise.prices.train import TrainedForecaster, forecast_returns
from trialwise.prices.volatility import HEADLINE, walk_volatility
from trialwise.prices.volatility_lstm import VolatilityForecaster

TRADING_DAYS_A_YEAR = 252


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band:
    """An interval that is meant to hold the next close on a share `level` of days, in the prices' currency."""

    level: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is forecast for the first trading day after a table's last.

    Attributes:
        name: Whose prices they are.
        last_date: The last day known, YYYY-MM-DD.
        last_close: Its close, which is the naive forecast.
        next_date: The next weekday, YYYY-MM-DD; holidays are not known here.
        close: The forecast close.
        daily_sd: Forecast standard deviation of the next log-return; None where too few days are known.
        annual_volatility: The same over a year of 252 such days.
        bands: One a level; () where too few days are known.
    """

    name: str
    last_date: str
    last_close: float
    next_date: str
    close: float
    daily_sd: float | None
    annual_volatility: float | None
    bands: tuple[Band, ...]

    def to_document(self) -> dict[str, Any]:
        """The forecast as plain JSON values."""
        return dataclasses.asdict(self) | {"bands": [dataclasses.asdict(band) for band in self.bands]}


def forecast_next(
    trained: TrainedForecaster, trained_volatility: VolatilityForecaster | None, table: PriceTable
) -> Forecast:
    """The forecast for the day after the table's last.

    Args:
        trained: The model of closes.
        trained_volatility: The networks of volatility; None where there are none.
        table: All days so far; those after the training may be among them.

    Raises:
        UserError: Fewer days than the model looks back, or no volume where it was trained on one.
    """
    window, n_days = trained.settings.window, len(table)
    if n_days <= window:
        raise UserError(f"{table.name}: expected more than {window} days, which the model looks back, got {n_days}")
    if "log_volume_change" in trained.scaler.names and table.volume is None:
        raise UserError(
            f"{table.name} has no volume, and the model was trained on one", hint="give a file with a volume column"
        )
    known = {f"{COMPANION}{one.name}" for one in table.companions}
    missing = [name for name in trained.scaler.names if name.startswith(COMPANION) and name not in known]
    if missing:
        names = ", ".join(name.removeprefix(COMPANION) for name in missing)
        raise UserError(f"the model was trained with {names}", hint="give the files of the same symbols with --with")
    table = dataclasses.replace(
        table, companions=tuple(one for one in table.companions if f"{COMPANION}{one.name}" in trained.scaler.names)
    )
    if "log_volume_change" not in trained.scaler.names:
        table = dataclasses.replace(table, volume=None)
    # A day is added for the models to forecast. What stands in it is not looked at: see `leaks`.
    longer = _with_a_day_more(table)
    move = float(forecast_returns(trained, longer, n_days)[0])
    bands = price_bands(longer, n_days)
    variance = None
    if trained_volatility is not None:
        variance = float(walk_volatility(trained_volatility, longer, n_days)[0][HEADLINE][0])
    elif bands is not None:
        variance = float(bands.sd[0] ** 2)
    sd = None if variance is None else float(np.sqrt(variance))
    return Forecast(
        name=table.name,
        last_date=str(table.dates[-1]),
        last_close=float(table.close[-1]),
        next_date=str(longer.dates[-1]),
        close=float(table.close[-1] * np.exp(move)),
        daily_sd=sd,
        annual_volatility=None if sd is None else sd * float(np.sqrt(TRADING_DAYS_A_YEAR)),
        bands=()
        if bands is None
        else tuple(
            Band(level=level, low=float(low), high=float(high))
            for level, low, high in zip(bands.levels, bands.low[0], bands.high[0], strict=True)
        ),
    )


def _with_a_day_more(table: PriceTable) -> PriceTable:
    """The table with the next weekday, a copy of the last day."""
    longer = changed_columns(table, lambda values: np.append(values, values[-1]))
    return dataclasses.replace(
        longer, dates=np.append(table.dates, np.busday_offset(table.dates[-1], 1, roll="backward"))
    )

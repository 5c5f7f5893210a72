"""The leak test: the future is changed, and every forecast made before it must stay the same to the bit.

Legend: N days, F features, L levels.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.base.seeds import numpy_generator
from trialwise.prices.backtest import BacktestResult, run_backtest
from trialwise.prices.features import FEATURES, Scaler, build_features, fit_scaler, log_returns, scale
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import PriceTable, changed_columns
from trialwise.prices.volatility_models import har_columns
from trialwise.prices.volatility_target import daily_variance

PLANTED = "inputs of the LSTM, scaled by all days (a planted leak)"

Made = dict[tuple[str, str], NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeakCheck:
    """One thing that was compared.

    Attributes:
        kind: "feature", "close", "variance", "direction" or "band".
        name: The feature or the model.
        n_compared: Days that were compared, over all changes of the future.
        n_leaks: Those of them that were different: 0, or the future was seen.
        first_leak: The first day that was different, YYYY-MM-DD; None where none was.
    """

    kind: str
    name: str
    n_compared: int
    n_leaks: int
    first_leak: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeakReport:
    """What the leak test found.

    Attributes:
        changed_from: The days from which on everything was changed, one after the other.
        checks: One row a feature and a model.
    """

    changed_from: tuple[str, ...]
    checks: tuple[LeakCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing that was made before a change knew of it."""
        return not any(check.n_leaks for check in self.checks)

    def to_document(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {
            "passed": self.passed,
            "changed_from": list(self.changed_from),
            "checks": [dataclasses.asdict(check) for check in self.checks],
        }


def leak_test(
    table: PriceTable,
    settings: BacktestSettings,
    *,
    seed: int,
    plant: bool = False,
    on_backtest: Callable[[int, int], None] | None = None,
) -> LeakReport:
    """Backtest the table, then three more times with another future, and compare what was made before the change.

    The future begins on the first test day, on the middle one and on the last. From there on every price and every
    volume is another. Nothing made before that day may change: no feature of an earlier day, and no forecast made on
    an earlier evening, the trainings up to then, their scalers, their choices and the fits of every other model
    included.

    Args:
        table: All days.
        settings: As for a backtest.
        seed: Seeds the trainings and the other futures.
        plant: Adds inputs whose scale was measured on all days, a leak that the test must find.
        on_backtest: Called before each backtest with its number, from 1, and how many there are.

    Raises:
        UserError: Too few days for the settings.
        WorkError: The loss is no longer a finite number.
    """
    told = on_backtest or (lambda number, total: None)
    told(1, 4)
    result = run_backtest(table, settings, seed=seed)
    made = _made(table, result, plant=plant)
    origin, last = result.n_train, len(table) - 1
    first = origin + settings.horizon - 1  # the first day that is forecast
    rows = sorted({origin, (origin + last) // 2, last})
    n_compared, leaks = dict.fromkeys(made, 0), {key: list[int]() for key in made}
    for number, row in enumerate(rows, start=2):
        told(number, 1 + len(rows))
        other_table = _other_future(table, row, seed=seed)
        other = _made(other_table, run_backtest(other_table, settings, seed=seed), plant=plant)
        for key, values in made.items():
            # A feature of a day is made of days up to it, a forecast for a day of those up to a horizon before it.
            first_day, n = (0, row) if key[0] == "feature" else (first, row - origin + 1)
            n = min(n, len(values))
            differs = _differs(values[:n], other[key][:n]) if key in other else np.ones(n, dtype=bool)
            n_compared[key] += n
            leaks[key] += (first_day + np.flatnonzero(differs)).tolist()
    checks = tuple(
        LeakCheck(
            kind=kind,
            name=name,
            n_compared=n_compared[kind, name],
            n_leaks=len(days),
            first_leak=str(table.dates[min(days)]) if days else None,
        )
        for (kind, name), days in leaks.items()
    )
    return LeakReport(changed_from=tuple(str(table.dates[row]) for row in rows), checks=checks)


def _made(table: PriceTable, result: BacktestResult, *, plant: bool) -> Made:
    """Everything made of one table, a row a day, by kind and name."""
    made = _features(table, result.fits[0].price.scaler)
    made |= {("close", name): values for name, values in result.forecasts.items()}
    made |= {("variance", name): values for name, values in result.volatility.forecasts.items()}
    made |= {("direction", name): values for name, values in result.up_probabilities.items()}
    if result.bands is not None:
        ends_NL2 = np.stack([result.bands.low, result.bands.high], axis=2)
        made |= {("band", f"{100 * level:.0f} %"): ends_NL2[:, i] for i, level in enumerate(result.bands.levels)}
    if plant:
        names = result.fits[0].price.scaler.names
        features_NF = build_features(table, names)
        leaking = fit_scaler(features_NF, log_returns(table.close), names)
        made["feature", PLANTED] = scale(features_NF, leaking).astype(np.float64)
    return made


def _features(table: PriceTable, scaler: Scaler) -> Made:
    """(N,) or (N, F) everything that models are shown, by name; day t may hold what is known at its close."""
    names = tuple(name for group in FEATURES.values() for name in group)
    features_NF = build_features(table, names)
    made = {("feature", name): features_NF[:, i] for i, name in enumerate(names)}
    return made | {
        ("feature", "inputs of the LSTM"): scale(build_features(table, scaler.names), scaler).astype(np.float64),
        ("feature", "variance"): daily_variance(table),
        ("feature", "columns of HAR"): har_columns(table, extended=True),
    }


def _other_future(table: PriceTable, row: int, *, seed: int) -> PriceTable:
    """The table with other prices and volumes from `row` on."""
    generator = numpy_generator(seed, "leak test", row)

    def changed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        factors = np.exp(0.5 + generator.random(len(values) - row))
        return np.concatenate([values[:row], values[row:] * factors])

    return changed_columns(table, changed)


def _differs(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether a day's values differ in any bit."""
    bits, others = (np.ascontiguousarray(values).view(np.uint64).reshape(len(values), -1) for values in (one, other))
    return (bits != others).any(axis=1)

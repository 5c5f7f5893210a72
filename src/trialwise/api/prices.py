"""Backtest price forecasters."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.runs import Part, Stage, Watch, ends_well, finish, unwatched
from trialwise.base.errors import Interrupted
from trialwise.base.files import file_sha256, write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import fill
from trialwise.prices.backtest import run_backtest
from trialwise.prices.inspect import description
from trialwise.prices.leaks import leak_test as run_leak_test
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.saved import save_forecaster
from trialwise.prices.splits import train_part
from trialwise.training.loop import EpochResult


def backtest(
    csv: Path | str | None = None,
    *,
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Train an LSTM on the first days of a CSV of prices and walk over the last ones, the naive forecast beside it.

    Args:
        csv: A CSV with dates and closing prices, from any vendor; by default the AAPL history that comes along.
        settings: Fields of `prices.recipes.BacktestSettings`.
        seed: The one seed.
        out: The run folder to make.
        watch: Sees every `EpochResult`.

    Returns:
        The run folder; its `result` has "models" (the naive row first), "verdict", "n_train", "n_test" and more.

    Raises:
        UserError: The file or a setting cannot be used.
        WorkError: The loss is no longer a number.
        Interrupted: Ctrl-C.
    """
    start = time.perf_counter()
    check_out(out)
    given = settings if isinstance(settings, BacktestSettings) else fill(BacktestSettings, settings or {})
    path = embedded_prices("AAPL") if csv is None else Path(csv)
    table = read_prices(path)
    record = {
        "csv": str(path.absolute()) if csv is not None else "embedded AAPL",
        "sha256": file_sha256(path),
        "backtest": dataclasses.asdict(given),
    }
    train_part(table, given)  # too few days are refused before a run is made
    run = RunFolder.create("price-backtest", record, seed=seed, out=out)
    watch(Part(name=f"backtest {table.name}", total=given.epochs))
    train_seconds = 0.0

    def on_epoch(result: EpochResult) -> None:
        nonlocal train_seconds
        train_seconds += result.seconds
        run.add_metrics(dataclasses.asdict(result))
        watch(result)

    with ends_well(run):
        try:
            result = run_backtest(table, given, seed=seed, on_epoch=on_epoch)
        except KeyboardInterrupt:
            run.finish({}, status="interrupted")
            raise Interrupted(run, hint="only the epochs so far (metrics.jsonl); there is no forecast yet") from None
        save_forecaster(result.trained, run.path)
        dates = [str(date) for date in result.dates]
        days = {"dates": dates, "actual": result.actual, "forecasts": dict(result.forecasts)}
        write_json(run.path / "forecasts.json", days)
        document = result.to_document() | {
            "name": table.name,
            "n_rows": len(table.dates),
            "seconds": {"train": train_seconds, "total": time.perf_counter() - start},
        }
    return finish(run, document)


def inspect(csv: Path | str) -> dict[str, Any]:
    """What is in a CSV of prices, and what looks wrong in it.

    Args:
        csv: A CSV with dates and closing prices, from any vendor.

    Returns:
        "layout", "order", "n_rows", "first_date", "last_date", "close_column", "adjusted" (None where the layout does
        not tell), "columns", "smallest_close", "largest_close", "last_close", "n_weekdays_missing",
        "longest_gap_weekdays", "warnings".

    Raises:
        UserError: The file cannot be trusted; names the line where there is one.
    """
    return {"file": str(csv)} | description(read_prices(Path(csv)))


def leak_test(
    csv: Path | str | None = None,
    *,
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    plant: bool = False,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Change the future of a CSV of prices three times and look for a forecast made before it that knew of it.

    Args:
        csv: As in `backtest`.
        settings: Fields of `prices.recipes.BacktestSettings`.
        seed: The one seed.
        plant: Adds a model that leaks, which the test must find: for trying the test itself.
        watch: Sees a `Stage` before each of the four backtests.

    Returns:
        "passed", "changed_from" (three days), "checks": one row a feature and a model, with "n_compared", "n_leaks".

    Raises:
        UserError: The file or a setting cannot be used.
        WorkError: The loss is no longer a number.
    """
    given = settings if isinstance(settings, BacktestSettings) else fill(BacktestSettings, settings or {})
    table = read_prices(embedded_prices("AAPL") if csv is None else Path(csv))

    def on_backtest(number: int, total: int) -> None:
        watch(Stage(name=f"backtest {number} of {total}", done=number - 1, total=total))

    found = run_leak_test(table, given, seed=seed, plant=plant, on_backtest=on_backtest)
    return {"name": table.name, "seed": seed} | found.to_document()

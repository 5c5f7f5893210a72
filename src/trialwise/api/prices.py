"""Backtest price forecasters."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.runs import Part, Watch, finish, unwatched
from trialwise.base.files import file_sha256, write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import fill
from trialwise.prices.backtest import run_backtest
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.saved import save_forecaster


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
    """
    start = time.perf_counter()
    check_out(out)
    given = settings if isinstance(settings, BacktestSettings) else fill(BacktestSettings, settings or {})
    path = embedded_prices("AAPL") if csv is None else Path(csv)
    table = read_prices(path)
    watch(Part(name=f"backtest {table.name}", total=given.epochs))
    epochs: list[dict[str, Any]] = []

    def on_epoch(result: Any) -> None:
        epochs.append(dataclasses.asdict(result))
        watch(result)

    result = run_backtest(table, given, seed=seed, on_epoch=on_epoch)
    record = {
        "csv": str(path.absolute()) if csv is not None else "embedded AAPL",
        "sha256": file_sha256(path),
        "backtest": dataclasses.asdict(given),
    }
    run = RunFolder.create("price-backtest", record, seed=seed, out=out)
    for epoch in epochs:
        run.add_metrics(epoch)
    save_forecaster(result.trained, run.path)
    days = {"dates": [str(date) for date in result.dates], "actual": result.actual, "forecasts": dict(result.forecasts)}
    write_json(run.path / "forecasts.json", days)
    document = result.to_document() | {
        "name": table.name,
        "n_rows": len(table.dates),
        "seconds": {"train": sum(epoch["seconds"] for epoch in epochs), "total": time.perf_counter() - start},
    }
    return finish(run, document)

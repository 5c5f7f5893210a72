"""Backtest price forecasters."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trialwise.api.runs import Part, Stage, Watch, ends_well, finish, unwatched
from trialwise.base.errors import Interrupted, UserError
from trialwise.base.files import file_sha256, write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import check_range, fill
from trialwise.prices.ablation import ablate as run_ablation
from trialwise.prices.ablation import ablation_sentence, variants
from trialwise.prices.backtest import BacktestResult, run_backtest
from trialwise.prices.ensemble import N_SEEDS
from trialwise.prices.forecast import forecast_next
from trialwise.prices.inspect import description
from trialwise.prices.leaks import leak_test as run_leak_test
from trialwise.prices.reader import embedded_prices, file_and_ticker, read_prices
from trialwise.prices.recipes import BacktestSettings, FeatureGroup
from trialwise.prices.saved import (
    load_direction,
    load_forecaster,
    load_volatility,
    save_direction,
    save_forecaster,
    save_volatility,
)
from trialwise.prices.splits import train_part
from trialwise.prices.table import PriceTable, accompanied
from trialwise.prices.untuned import beside_untuned
from trialwise.prices.volatility_target import has_range
from trialwise.training.loop import EpochResult


def backtest(
    csv: Path | str | None = None,
    *,
    companions: Sequence[Path | str] = (),
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    untuned: BacktestSettings | None = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Train an LSTM on the first days of a CSV of prices and walk over the last ones, the naive forecast beside it.

    Args:
        csv: A CSV with dates and closing prices, from any vendor; by default the AAPL history that comes along.
            Where it holds several symbols, with one of them behind a colon: "stocks.csv:AAPL".
        companions: CSVs of other symbols, whose moves up to each day the LSTM is shown as well.
        settings: Fields of `prices.recipes.BacktestSettings`.
        untuned: The default that `settings` were tuned from (`untuned_default` reads it from the study): its LSTM is
            trained and measured on the same days, "untuned" in the result.
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
    table = read_table(csv, companions)
    record = data_record(csv, companions) | {"backtest": dataclasses.asdict(given)}
    train_part(table, given)  # too few days are refused before a run is made
    run = RunFolder.create("price-backtest", record, seed=seed, out=out)
    train_seconds, fit = 0.0, ""

    def on_epoch(network: int, result: EpochResult) -> None:
        nonlocal train_seconds
        train_seconds += result.seconds
        if result.epoch == 1:
            of_fit = f"{fit}network {network % N_SEEDS + 1} of {N_SEEDS}"
            watch(Part(name=f"backtest {table.name}, {of_fit}", total=given.epochs))
        run.add_metrics({"network": network} | dataclasses.asdict(result))
        watch(result)

    def on_fit(number: int, total: int) -> None:
        nonlocal fit
        fit = f"fit {number} of {total}, " if total > 1 else ""

    with ends_well(run):
        try:
            result = run_backtest(table, given, seed=seed, on_epoch=on_epoch, on_fit=on_fit)
            beside = _beside_untuned(result, untuned, seed, watch)
        except KeyboardInterrupt:
            run.finish({}, status="interrupted")
            raise Interrupted(run, hint="only the epochs so far (metrics.jsonl); there is no forecast yet") from None
        _save_models(result, run)
        write_json(run.path / "forecasts.json", result.days())
        document = result.to_document() | beside
        document |= {
            "name": table.name,
            "n_rows": len(table.dates),
            "seconds": {"train": train_seconds, "total": time.perf_counter() - start},
        }
    return finish(run, document)


def _save_models(result: BacktestResult, run: RunFolder) -> None:
    save_forecaster(result.trained, run.path)
    save_direction(result.fits[-1].direction, run.path)
    if result.volatility.trained is not None:
        save_volatility(result.volatility.trained, run.path)


def _beside_untuned(
    result: BacktestResult, untuned: BacktestSettings | None, seed: int, watch: Watch
) -> dict[str, Any]:
    """The comparison with the untuned default, and the verdict with a sentence on it."""
    if untuned is None:
        return {"untuned": None}
    watch(Stage(name="the untuned default on the same days"))
    found = beside_untuned(result, untuned, seed=seed)
    return {"untuned": found, "verdict": f"{result.verdict} {found['verdict']}"}


def ablate_prices(
    csv: Path | str | None = None,
    *,
    companions: Sequence[Path | str] = (),
    features: Sequence[FeatureGroup] = ("volume", "ranges", "weekday"),
    layers: Sequence[int] = (1, 2),
    hidden: Sequence[int] = (16, 32, 64),
    seeds: int = 5,
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """What features, companions, layers and hidden sizes are worth to the LSTM, beside the spread between seeds.

    Args:
        csv: As in `backtest`.
        companions: CSVs of other symbols, one of the changes.
        features: Groups of features to add to returns, one at a time.
        layers: Numbers of layers.
        hidden: Hidden sizes.
        seeds: Trainings of each.
        settings: Fields of `prices.recipes.BacktestSettings`, for all of them.
        seed: The first seed.
        out: The run folder to make.
        watch: Sees a `Stage` before each training.

    Returns:
        The run folder; its `result` has "verdict", and "rows", the base first: see `prices.ablation.ablate`. The test
        days stay closed.

    Raises:
        UserError: A file or a setting cannot be used.
        WorkError: The loss is no longer a number.
        Interrupted: Ctrl-C.
    """
    start = time.perf_counter()
    check_out(out)
    check_range("seeds", seeds, low=2)
    given = settings if isinstance(settings, BacktestSettings) else fill(BacktestSettings, settings or {})
    table = read_table(csv, companions)
    compared = variants(table, given, features=features, layers=layers, hidden=hidden)
    if len(compared) == 1:
        raise UserError("there is nothing to compare", hint="name --features, --layers, --hidden or --with")

    n_train = len(train_part(table, given))
    record = data_record(csv, companions) | {"backtest": dataclasses.asdict(given), "seeds": seeds}
    run = RunFolder.create("price-ablate", record, seed=seed, out=out)

    def on_training(number: int, total: int) -> None:
        watch(Stage(name=f"training {compared[(number - 1) // seeds].name}", done=number - 1, total=total))

    with ends_well(run):
        try:
            rows = run_ablation(table, compared, seeds=seeds, seed=seed, on_training=on_training)
        except KeyboardInterrupt:
            run.finish({}, status="interrupted")
            raise Interrupted(run, hint="nothing is measured yet: begin again") from None
    document = {
        "name": table.name,
        "seeds": seeds,
        "n_train": n_train,
        "rows": rows,
        "warnings": list(table.warnings),
        "verdict": ablation_sentence(rows),
        "seconds": time.perf_counter() - start,
    }
    return finish(run, document)


def forecast(run: RunFolder | Path | str, csv: Path | str, *, companions: Sequence[Path | str] = ()) -> dict[str, Any]:
    """A close after the last day of a CSV of prices, as far ahead as the model looks, with bands around it.

    Args:
        run: A run of `backtest`, whose model is used; its folder or its name in the runs folder.
        csv: All days so far of the same symbol, those after the training included.
        companions: CSVs of the other symbols that the model was trained with.

    Returns:
        "last_date", "last_close", "horizon", "next_date", "close", "up_probability", "sd" (of the move until then),
        "daily_sd", "annual_volatility" (None where too few days are known), "bands": one of "level", "low" and "high"
        each; "warnings" of the file and of the model.

    Raises:
        UserError: The run has no price model, or the file cannot be used with it.
    """
    run = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if run.kind != "price-backtest":
        raise UserError(f"{run.label} is a run of {run.kind}: expected one of price backtest")
    table = read_table(csv, companions)
    volatility = load_volatility(run.path)
    if not _trained_on_ranges(run):
        table = dataclasses.replace(table, open=None, high=None, low=None)  # as it was trained
    elif not has_range(table):
        volatility = None  # its scale is another one: what is left are the bands' own
    found = forecast_next(load_forecaster(run.path), volatility, table, load_direction(run.path))
    warnings = [*table.warnings, *_mismatches(run, table)]
    return {"run": run.label, "file": str(csv)} | found.to_document() | {"warnings": warnings}


def read_table(csv: Path | str | None, companions: Sequence[Path | str] = ()) -> PriceTable:
    """The table of a CSV, the embedded AAPL where there is none, with the closes of other files on its days.

    Raises:
        UserError: A file cannot be used, two have the same name, or one has no day in common with the table.
    """
    table = read_prices(_path(csv))
    others = [read_prices(Path(path)) for path in companions]
    names = [table.name, *(other.name for other in others)]
    for other in others:
        if names.count(other.name) > 1:
            raise UserError(f"--with: two files are named {other.name}", hint="give each symbol a name of its own")
        if not np.isin(other.dates, table.dates).any():
            raise UserError(
                f"--with: {other.name} ({other.dates[0]} to {other.dates[-1]}) has no day in common with "
                f"{table.name} ({table.dates[0]} to {table.dates[-1]})"
            )
    return accompanied(table, others)


def data_record(csv: Path | str | None, companions: Sequence[Path | str]) -> dict[str, Any]:
    """Which files a run was made from, to the byte: what `table_again` reads them by."""
    own = {"csv": str(Path(csv).absolute()) if csv is not None else None, "sha256": _sha256(_path(csv))}
    others = [{"csv": str(Path(one).absolute()), "sha256": _sha256(Path(one))} for one in companions]
    return own | {"companions": others}


def table_again(record: Mapping[str, Any]) -> PriceTable:
    """The table of the files in a `data_record`.

    Raises:
        UserError: A file is not what it was.
    """
    for one in (record, *record["companions"]):
        path = _path(one["csv"])
        if file_and_ticker(path)[0].exists() and _sha256(path) != one["sha256"]:
            raise UserError(f"{path} is not what it was when the run began", hint="put the old file back")
    return read_table(record["csv"], [one["csv"] for one in record["companions"]])


def _path(csv: Path | str | None) -> Path:
    return embedded_prices("AAPL") if csv is None else Path(csv)


def _sha256(path: Path) -> str:
    return file_sha256(file_and_ticker(path)[0])


def _trained_on_ranges(run: RunFolder) -> bool:
    """Whether the run's models of volatility saw open, high and low."""
    return "Garman-Klass" in run.result.get("volatility_target", "")


def _mismatches(run: RunFolder, table: PriceTable) -> list[str]:
    """Sentences on what sets the file apart from the one that the run's model was trained on."""
    found = []
    name, last = run.result.get("name"), run.result.get("last_test_date")
    if name != table.name:
        found.append(f"the model was trained on {name}, this file is {table.name}")
    if last is not None and str(table.dates[-1]) < last:
        found.append(f"the file ends on {table.dates[-1]}, before the last day of the backtest, {last}")
    if _trained_on_ranges(run) and not has_range(table):
        found.append(
            "volatility was trained on open, high and low, which cannot be used here: it is taken from the bands"
        )
    return found


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
    companions: Sequence[Path | str] = (),
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    plant: bool = False,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Change the future of a CSV of prices three times and look for a forecast made before it that knew of it.

    Args:
        csv: As in `backtest`.
        companions: As in `backtest`.
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
    table = read_table(csv, companions)

    def on_backtest(number: int, total: int) -> None:
        watch(Stage(name=f"backtest {number} of {total}", done=number - 1, total=total))

    found = run_leak_test(table, given, seed=seed, plant=plant, on_backtest=on_backtest)
    return {"name": table.name, "seed": seed} | found.to_document()

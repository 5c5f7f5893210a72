"""Tune price forecasters on the days before the test."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwise.api.prices import data_record, read_table, table_again
from trialwise.api.runs import Watch, unwatched
from trialwise.api.searches import Search, check_search, search_record
from trialwise.api.tunable import Tunable
from trialwise.api.tuning import run_tuning
from trialwise.base.files import read_json, write_text
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import fill, to_toml
from trialwise.prices.objective import (
    CHECKPOINT,
    NOTES,
    PriceObjective,
    config_of,
    first_rung_epochs,
    search_space,
    settings_of,
)
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import train_part
from trialwise.prices.table import PriceTable
from trialwise.training.checkpoints import Checkpoint
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import TrialRecord

TRIALS = 50  # where the caller names no number


def tune_prices(
    csv: Path | str | None = None,
    *,
    companions: Sequence[Path | str] = (),
    settings: BacktestSettings | Mapping[str, Any] | None = None,
    search: Search = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Search learning rate, hidden size, layers, dropout and features of the LSTM, with pruning, before the test.

    A trial's value is its lowest validation loss, divided by the naive forecast's: 1 is as good as naive. The test
    days stay closed: `backtest` with the `best.toml` of the run folder opens them, and its verdict counts the trials.

    Args:
        csv: As in `backtest`.
        companions: As in `backtest`.
        settings: Fields of `prices.recipes.BacktestSettings`: the default that is searched around, and what stays
            fixed; "epochs" is the length of a trial that is never pruned.
        search: Fields of `tuning.settings.SearchSettings`: trials, workers, sampler and more.
        seed: The one seed.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder; its `result` has "best", "default", "gain", "counts", "trials".

    Raises:
        UserError: The file or a setting cannot be used.
        WorkError: The first trials all failed alike.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    check_out(out)
    searched = search_record(search, trials=TRIALS)
    given = settings if isinstance(settings, BacktestSettings) else fill(BacktestSettings, settings or {})
    table = read_table(csv, companions)
    table_train = train_part(table, given)  # too few days are refused before a run is made
    space = search_space(given, table)
    known = space_from_document(space)
    default = {name: config_of(given)[name] for name in known}
    check_search(searched, known, max_epochs=given.epochs, direction="minimize", default=default, notes=NOTES)
    record = data_record(csv, companions) | {
        "backtest": dataclasses.asdict(given),
        "space": space,
        "search": searched,
        "first_rung": first_rung_epochs(table_train, given),
    }
    run = RunFolder.create("price-tune", record, seed=seed, out=out)
    return _continue_tune(run, table, watch)


def untuned_default(config: Path | None) -> BacktestSettings | None:
    """The default that a study's `best.toml` was tuned from; None for any other file."""
    if config is None or config.name != "best.toml" or not (config.parent / "run.json").exists():
        return None
    run = RunFolder.open(config.parent)
    return fill(BacktestSettings, run.settings["backtest"]) if run.kind == "price-tune" else None


def continue_tune_prices(run: RunFolder, watch: Watch) -> RunFolder:
    """Go on with the study of a run folder that `tune_prices` made.

    Raises:
        UserError: A file is not what it was.
    """
    return _continue_tune(run, table_again(run.settings), watch)


def _continue_tune(run: RunFolder, table: PriceTable, watch: Watch) -> RunFolder:
    settings = fill(BacktestSettings, run.settings["backtest"])
    table_train = train_part(table, settings)
    space = space_from_document(run.settings["space"])
    tuned = Tunable(
        name=f"tune on {table.name}",
        objective=PriceObjective(table_train=table_train, settings=settings),
        space=space,
        direction="minimize",
        max_epochs=settings.epochs,
        first_rung=run.settings["first_rung"],
        default={name: config_of(settings)[name] for name in space},
        facts={
            "name": table.name,
            "score": "validation loss / naive",
            "n_train": len(table_train),
            "last_train_date": str(table_train.dates[-1]),
            "warnings": list(table.warnings),
        },
        keep=lambda run, best, folder: _keep_winner(run, best, folder, settings),
    )
    return run_tuning(run, tuned, watch)


def _keep_winner(run: RunFolder, best: TrialRecord, folder: Path | None, settings: BacktestSettings) -> None:
    """Put the winner's curve and its settings into the run folder."""
    (run.path / "metrics.jsonl").unlink(missing_ok=True)
    for result in Checkpoint(folder / CHECKPOINT).results() if folder else []:
        run.add_metrics(result)
    # Tried by someone before, or in this study: whoever reads the verdict should know of all.
    tried = settings.configurations_tried - 1 + len(read_json(run.path / "trials.json"))
    winner = settings_of(settings, best.params | {"patience": settings.epochs, "configurations_tried": tried})
    origin = f"trial {best.number} of {run.path.name}; use it with: trialwise price backtest CSV --config best.toml"
    write_text(run.path / "best.toml", to_toml(winner, comment=origin))

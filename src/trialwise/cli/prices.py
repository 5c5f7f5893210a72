"""`trialwise price ...`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.cli.options import Config, Output, merged, option
from trialwise.cli.output import give, watching
from trialwise.prices.recipes import BacktestSettings


def backtest(
    csv: Annotated[Path | None, Parameter(help="CSV with dates and closes; left out, the AAPL history inside")] = None,
    /,
    *,
    test_fraction: Annotated[float | None, option(BacktestSettings, "test_fraction")] = None,
    window: Annotated[int | None, option(BacktestSettings, "window")] = None,
    hidden_size: Annotated[int | None, option(BacktestSettings, "hidden_size")] = None,
    n_layers: Annotated[int | None, option(BacktestSettings, "n_layers")] = None,
    dropout: Annotated[float | None, option(BacktestSettings, "dropout")] = None,
    epochs: Annotated[int | None, option(BacktestSettings, "epochs")] = None,
    learning_rate: Annotated[float | None, option(BacktestSettings, "learning_rate")] = None,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Train an LSTM on the first days, walk over the last ones, and set it beside tomorrow = today."""
    from trialwise import api

    given = {
        "test_fraction": test_fraction,
        "window": window,
        "hidden_size": hidden_size,
        "n_layers": n_layers,
        "dropout": dropout,
        "epochs": epochs,
        "learning_rate": learning_rate,
    }
    settings = merged(BacktestSettings, config, given)
    with watching() as watch:
        run = api.backtest(csv, settings=settings, seed=output.seed, out=output.out, watch=watch)
    give(run.result, _text(run.result), json=output.json)


def _text(result: dict) -> str:
    lines = [
        result["verdict"],
        f"{result['n_train']} training days, {result['n_test']} test days from {result['first_test_date']} "
        f"to {result['last_test_date']}, column {result['close_column']}",
        f"{'model':<20} {'RMSE':>10} {'RMSE/naive':>11} {'p against naive':>16}",
    ]
    for row in result["models"]:
        p = "" if row["dm_p"] is None else f"{row['dm_p']:.3g}"
        lines.append(f"{row['name']:<20} {row['rmse']:>10.4f} {row['rmse_over_naive']:>11.4f} {p:>16}")
    lines += [f"note: {warning}" for warning in result["warnings"]]
    return "\n".join([*lines, f"report: {result['run']}/report.html"])

"""`trialwise price tune` and `price ablate`: many trainings on the days before the test, which stays closed."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.base.errors import UserError
from trialwise.base.settings import fill
from trialwise.cli.options import Config, Output, Search, merged, option
from trialwise.cli.output import give, watching
from trialwise.cli.prices import Horizon, With
from trialwise.prices.recipes import BacktestSettings
from trialwise.tuning.settings import SearchSettings


def tune(
    csv: Annotated[Path | None, Parameter(help="CSV with dates and closes; left out, the AAPL history inside")] = None,
    /,
    *,
    companions: With = None,
    horizon: Horizon = None,
    test_fraction: Annotated[float | None, option(BacktestSettings, "test_fraction")] = None,
    epochs: Annotated[int | None, Parameter(help="Epochs of a trial that is never pruned [default: 40]")] = None,
    config: Config = None,
    search: Search = SearchSettings(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> None:
    """Search learning rate, hidden size, layers, dropout and features, with pruning, on the days before the test."""
    from trialwise import api

    settings = merged(BacktestSettings, config, {"horizon": horizon, "test_fraction": test_fraction, "epochs": epochs})
    with watching() as watch:
        run = api.tune_prices(
            csv,
            companions=companions or [],
            settings=settings,
            search=search,
            seed=output.seed,
            out=output.out,
            watch=watch,
        )
    give(run.result, _tune_text(run.result, csv), json=output.json)


def _tune_text(result: dict, csv: Path | None) -> str:
    lines = [result["verdict"], *(f"note: {warning}" for warning in result["warnings"])]
    lines += [f"run: {result['run']}", f"report: {result['run']}/report.html"]
    named = "" if csv is None else f" {csv}"
    return "\n".join([*lines, f"next: trialwise price backtest{named} --config {result['run']}/best.toml"])


def ablate(
    csv: Annotated[Path | None, Parameter(help="CSV with dates and closes; left out, the AAPL history inside")] = None,
    /,
    *,
    companions: With = None,
    features: Annotated[str, Parameter(help="Groups of features to add one at a time")] = "volume,ranges,weekday",
    layers: Annotated[str, Parameter(help="Numbers of LSTM layers")] = "1,2",
    hidden: Annotated[str, Parameter(help="Hidden sizes")] = "16,32,64",
    seeds: Annotated[int, Parameter(help="Trainings of each kind, with seeds of their own")] = 5,
    horizon: Horizon = None,
    epochs: Annotated[int | None, option(BacktestSettings, "epochs")] = None,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Train the LSTM with each change over seeds; say which differences are more than seed noise, before the test."""
    from trialwise import api

    settings = merged(BacktestSettings, config, {"horizon": horizon, "epochs": epochs})
    groups = fill(BacktestSettings, {"features": [name for name in features.split(",") if name]}, where="--features")
    with watching() as watch:
        run = api.ablate_prices(
            csv,
            companions=companions or [],
            features=groups.features,
            layers=_numbers("--layers", layers),
            hidden=_numbers("--hidden", hidden),
            seeds=seeds,
            settings=settings,
            seed=output.seed,
            out=output.out,
            watch=watch,
        )
    give(run.result, _ablation_text(run.result), json=output.json)


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",") if number.strip()]
    except ValueError:
        raise UserError(
            f"{option}: expected numbers with commas between them, got {text!r}", hint="e.g. 1,2,3"
        ) from None


def _ablation_text(found: dict) -> str:
    lines = [found["verdict"], f"{'':<22} {'MSE/naive':>10} {'effect':>8} {'seed sd':>8}"]
    for row in found["rows"]:
        mean = sum(row["mse_over_naive"]) / len(row["mse_over_naive"])
        effect = "" if row["effect"] is None else f"{100 * row['effect']:+.1f} %"
        sd = "" if row["seed_sd"] is None else f"{100 * row['seed_sd']:.1f} %"
        lines.append(f"{row['name']:<22} {mean:>10.4f} {effect:>8} {sd:>8}  {row['verdict']}")
    return "\n".join([*lines, f"report: {found['run']}/report.html"])

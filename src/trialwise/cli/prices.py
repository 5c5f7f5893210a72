"""`trialwise price ...`."""

import io
from csv import writer
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.base.errors import WorkError
from trialwise.cli.options import Config, Output, merged, option
from trialwise.cli.output import give, watching
from trialwise.prices.recipes import BacktestSettings

With = Annotated[
    list[Path] | None,
    Parameter(name="--with", negative="", help="CSV of another symbol that the LSTM sees as well; may be repeated"),
]
Horizon = Annotated[int | None, option(BacktestSettings, "horizon")]
RefitEvery = Annotated[int | None, option(BacktestSettings, "refit_every")]


def backtest(
    csv: Annotated[Path | None, Parameter(help="CSV with dates and closes; left out, the AAPL history inside")] = None,
    /,
    *,
    companions: With = None,
    horizon: Horizon = None,
    refit_every: RefitEvery = None,
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
        "horizon": horizon,
        "refit_every": refit_every,
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
        run = api.backtest(
            csv,
            companions=companions or [],
            settings=settings,
            untuned=api.untuned_default(config),
            seed=output.seed,
            out=output.out,
            watch=watch,
        )
    give(run.result, _text(run.result), json=output.json)


def forecast(
    run: Annotated[Path, Parameter(help="Run folder of price backtest, or its name in the runs folder")],
    csv: Annotated[Path, Parameter(help="CSV with all days so far of the same symbol")],
    /,
    *,
    companions: With = None,
    as_csv: Annotated[bool, Parameter(name="--csv", negative="", help="Print a header and one row of CSV")] = False,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Forecast a close after the file's last day, the model's horizon ahead, how much it may move, and its bands."""
    from trialwise import api

    found = api.forecast(run, csv, companions=companions or [])
    give(found, _forecast_csv(found) if as_csv else _forecast_text(found), json=output.json, out=output.out)


def _forecast_csv(found: dict) -> str:
    names = ("name", "last_date", "last_close", "next_date", "close", "daily_sd", "horizon", "up_probability", "sd")
    row = {name: found[name] for name in names}
    for band in found["bands"]:
        row |= {f"{end}_{100 * band['level']:.0f}": band[end] for end in ("low", "high")}
    written = io.StringIO()
    writer(written, lineterminator="\n").writerows([row.keys(), ["" if v is None else v for v in row.values()]])
    return written.getvalue().rstrip("\n")


def _forecast_text(found: dict) -> str:
    move = found["close"] / found["last_close"] - 1
    lines = [
        f"{found['name']} closed at {found['last_close']:.6g} on {found['last_date']}.",
        f"{found['next_date']}: {found['close']:.6g} "
        + (f"({100 * move:+.2f} %)" if move else "(the same: this model knows no better)"),
    ]
    if found["horizon"] > 1:
        lines[1] += f", {found['horizon']} trading days ahead"
    if found["up_probability"] is not None:
        lines.append(f"it rises with probability {100 * found['up_probability']:.0f} %")
    if found["sd"] is not None:
        lines.append(
            f"it may move by {100 * found['sd']:.2f} % (one standard deviation; "
            f"{100 * found['annual_volatility']:.0f} % a year)"
        )
    lines += [f"{100 * band['level']:.0f} %: {band['low']:.6g} to {band['high']:.6g}" for band in found["bands"]]
    return "\n".join([*lines, *(f"note: {warning}" for warning in found["warnings"])])


def inspect(
    csv: Annotated[
        Path, Parameter(help="CSV with dates and closes, from any vendor; of several symbols FILE.csv:TICKER")
    ],
    /,
    *,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Read a CSV of prices and say what is in it, which close would be used, and what looks wrong, line by line."""
    from trialwise import api

    found = api.inspect(csv)
    give(found, _inspect_text(found), json=output.json, out=output.out)


def _inspect_text(found: dict) -> str:
    adjusted = {
        True: "adjusted for splits and dividends",
        False: "not adjusted for both splits and dividends",
        None: "the file does not tell whether it is adjusted",
    }
    lines = [
        f"{found['file']}: layout {found['layout']}, {found['order']}",
        f"{found['n_rows']:,} days from {found['first_date']} to {found['last_date']}, "
        f"{found['n_weekdays_missing']:,} weekdays missing (holidays among them), "
        f"at most {found['longest_gap_weekdays']} in a row",
        f"close: column {found['close_column']}, {adjusted[found['adjusted']]}; "
        f"{found['smallest_close']:.6g} to {found['largest_close']:.6g}, the last one {found['last_close']:.6g}",
        f"used: {', '.join(found['columns'])}",
        *(f"warning: {warning}" for warning in found["warnings"]),
    ]
    return "\n".join(lines if found["warnings"] else [*lines, "nothing looks wrong"])


def leak_test(
    csv: Annotated[Path | None, Parameter(help="CSV with dates and closes; left out, the AAPL history inside")] = None,
    /,
    *,
    companions: With = None,
    horizon: Horizon = None,
    refit_every: RefitEvery = None,
    plant_leak: Annotated[
        bool, Parameter(negative="", help="Add inputs scaled by all days, a leak that the test must find")
    ] = False,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Change every price and volume from a day on, three times; no forecast for a day up to it may change in a bit."""
    from trialwise import api

    settings = merged(BacktestSettings, config, {"horizon": horizon, "refit_every": refit_every})
    with watching() as watch:
        found = api.leak_test(
            csv, companions=companions or [], settings=settings, seed=output.seed, plant=plant_leak, watch=watch
        )
    give(found, _leak_text(found), json=output.json, out=output.out)
    leaking = [check["name"] for check in found["checks"] if check["n_leaks"]]
    if leaking:
        raise WorkError(f"the future leaks into: {', '.join(leaking)}")


def _leak_text(found: dict) -> str:
    lines = [
        f"{found['name']}, with another future from {', '.join(found['changed_from'])} on:",
        f"{'':<9} {'':<24} {'days compared':>13} {'different':>10}",
    ]
    for check in found["checks"]:
        lines.append(f"{check['kind']:<9} {check['name']:<24} {check['n_compared']:>13,} {check['n_leaks']:>10,}")
    return "\n".join([*lines, "passed: nothing made before a day knows of it" if found["passed"] else "failed"])


def _text(result: dict) -> str:
    lines = [
        result["verdict"],
        f"{result['n_train']} training days, {result['n_test']} test days from {result['first_test_date']} "
        f"to {result['last_test_date']}, column {result['close_column']}"
        + (f", {result['horizon']} days ahead" if result["horizon"] > 1 else "")
        + (f", fitted {result['n_fits']} times" if result["n_fits"] > 1 else ""),
        f"{'model':<17} {'RMSE':>9} {'RMSE/naive':>11} {'p against naive':>16} {'MASE':>7} {'p direction':>12}"
        "  in best set",
    ]
    for row in result["models"]:
        in_set = "yes" if row["in_confidence_set"] else "no"
        lines.append(
            f"{row['name']:<17} {row['rmse']:>9.4f} {row['rmse_over_naive']:>11.4f} {_number(row['dm_p']):>16} "
            f"{_number(row['mase']):>7} {_number(row['direction_p']):>12}  {in_set}"
        )
    lines += _direction_lines(result["direction"]) + _volatility_lines(result["volatility"])
    lines += _band_lines(result["bands"])
    lines += result["remarks"]
    lines += [f"note: {warning}" for warning in result["warnings"]]
    return "\n".join([*lines, f"report: {result['run']}/report.html"])


def _direction_lines(rows: list[dict]) -> list[str]:
    """A table of the models of direction."""
    head = f"{'direction':<17} {'right':>9} {'better than the share of rises':>31} {'p against it':>13}"
    head += f" {'p direction':>12}"
    return [head] + [
        f"{row['name']:<17} {_number(row['accuracy'] and 100 * row['accuracy']):>7} % "
        f"{100 * row['brier_skill']:>29.2f} % {_number(row['dm_p']):>13} {_number(row['direction_p']):>12}"
        for row in rows
    ]


def _volatility_lines(rows: list[dict]) -> list[str]:
    """A table of the volatility models; [] where there is none."""
    if not rows:
        return []
    head = f"{'volatility':<17} {'QLIKE':>9} {'better than the 22-day mean':>28} {'p against it':>16}"
    return [head] + [
        f"{row['name']:<17} {row['qlike']:>9.4f} {100 * row['qlike_skill']:>26.1f} % {_number(row['dm_p']):>16}"
        for row in rows
    ]


def _band_lines(rows: list[dict]) -> list[str]:
    """What the bands for the next close held; [] where there are none."""
    if not rows:
        return []
    head = f"{'band':<17} {'held':>9} {'held from calm to stormy days':>33} {'better than constant':>21}"
    lines = [head]
    for row in rows:
        by_quartile = " ".join(f"{100 * share:.0f}" for share in row["coverage_by_quartile"])
        lines.append(
            f"{100 * row['level']:.0f} %{'':<13} {100 * row['coverage']:>7.1f} % {by_quartile:>31} % "
            f"{100 * row['winkler_gain']:>19.1f} %"
        )
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"

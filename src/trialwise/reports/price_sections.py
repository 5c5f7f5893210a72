"""What a page says of forecasts of prices beyond the closes themselves: direction, volatility, bands, ablation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.base.files import read_json
from trialwise.base.runs import RunFolder
from trialwise.prices.recipes import BacktestSettings
from trialwise.reports import figures, price_figures
from trialwise.reports.parts import Chapter, Section, Table
from trialwise.reports.price_time import errors_chapter, lag_chapter
from trialwise.reports.repeating import setting_text
from trialwise.reports.verdicts import number, percent, verdict
from trialwise.reports.winning import use_tables
from trialwise.tuning.study_comparison import flat_values

HEADLINE = "lstm_har_mean"  # the model that the verdict speaks of
TABLE_CAPTION = "Every model on the same test days; skill is 1 - RMSE / naive's RMSE"


def price_backtest(run: RunFolder) -> Section:
    """The section on a run of `price backtest`."""
    result = run.result
    days = read_json(run.path / "forecasts.json")
    horizon = result.get("horizon", 1)
    ahead = "One-day" if horizon == 1 else f"{horizon}-day"
    fits = result.get("n_fits", 1)
    return Section(
        title=f"{ahead} forecasts of {result['name']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(
            ("training days", f"{result['n_train']:,}"),
            ("test days", f"{result['n_test']:,}, {result['first_test_date']} to {result['last_test_date']}"),
            *((("fitted", f"{fits} times, each time on all days before"),) if fits > 1 else ()),
            (
                "close",
                f"column {result['close_column']!r} ({_adjusted(result['adjusted'])}), layout {result['layout']}",
            ),
            (
                "new territory",
                f"{result['train_range_exceeded_fraction']:.0%} of test closes lie outside the training range",
            ),
            ("time", f"{result['seconds']['total']:.1f} s, {result['seconds']['train']:.1f} of them training"),
            ("seed", str(run.seed)),
            ("belief in the LSTM", f"{result['shrinkage']:.0%} of its forecast was used, as fitted on validation days"),
        ),
        chapters=tuple(filter(None, _chapters(run, days))),
        notes=(*result.get("remarks", ()), *result["warnings"]),
    )


def _chapters(run: RunFolder, days: Mapping[str, Any]) -> tuple[Chapter | None, ...]:
    """The chapters of a backtest: the closes first, then what else can be forecast."""
    result = run.result
    horizon = result.get("horizon", 1)
    return (
        Chapter(
            heading="Forecasts beside what came, and beside naive",
            tables=(_models(result["models"]),),
            pictures=(figures.forecast(days["dates"], days["actual"], days["forecasts"], "lstm"),),
        ),
        errors_chapter(days, horizon),
        lag_chapter(days, horizon),
        _direction(result),
        _volatility(result, days),
        _bands(result, days),
        _configuration(run),
        Chapter(heading="Epoch by epoch", pictures=(price_figures.learning_curves(run.metrics()),)),
    )


def _configuration(run: RunFolder) -> Chapter:
    """What was set otherwise than by default, and the command that uses the model."""
    default = flat_values(dataclasses.asdict(BacktestSettings()))
    own = flat_values(run.settings["backtest"])
    changed = {name: (default[name], value) for name, value in own.items() if name in default}
    changed = {name: pair for name, pair in changed.items() if setting_text(pair[0]) != setting_text(pair[1])}
    rows = tuple((name, setting_text(old), setting_text(new)) for name, (old, new) in changed.items())
    table = Table(caption="What differs from the defaults", head=("setting", "default", "here"), rows=rows)
    return Chapter(
        heading="How it was set, and how to use it",
        sentences=() if rows else ("Every setting is its default.",),
        tables=(*((table,) if rows else ()), *use_tables(run)),
    )


def price_ablate(run: RunFolder) -> Section:
    """The section on a run of `price ablate`."""
    result = run.result
    rows = tuple(
        (
            row["name"],
            f"{sum(row['mse_over_naive']) / len(row['mse_over_naive']):.4f}",
            "" if row["effect"] is None else f"{100 * row['effect']:+.2f} %",
            "" if row["ci95"] is None else "{:+.2f} to {:+.2f} %".format(*(100 * end for end in row["ci95"])),
            "" if row["seed_sd"] is None else f"{100 * row['seed_sd']:.2f} %",
            "" if row["dm_p"] is None else f"{row['dm_p']:.3g}",
            row["verdict"],
        )
        for row in result["rows"]
    )
    head = ("change", "MSE / naive", "effect", "95 % interval over seeds", "seed spread", "p over days", "in words")
    return Section(
        title=f"What each change is worth on {result['name']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(
            ("trainings", f"{result['seeds']} of each kind"),
            ("time", f"{result['seconds']:.1f} s"),
            ("days", f"{result['n_train']:,} before the test; the test days are unread"),
        ),
        pictures=(price_figures.seed_effects(result["rows"]),),
        tables=(Table(caption="Squared errors of log-returns on the last days before the test", head=head, rows=rows),),
        notes=tuple(result["warnings"]),
    )


def _models(models: Sequence[Mapping[str, Any]]) -> Table:
    head = (
        *("model", "RMSE", "RMSE / naive", "95 % interval of the skill", "p against naive"),
        *("MASE", "direction right", "p of the direction", "in the confidence set"),
    )
    rows = tuple(
        (
            model["name"],
            number(model["rmse"]),
            f"{model['rmse_over_naive']:.4f}" + (" (naive itself)" if _is_naive(model) else ""),
            "" if _is_naive(model) else "{:+.2%} to {:+.2%}".format(*model["skill_ci95"]),
            "" if _is_naive(model) else f"{model['dm_p']:.3g}",
            number(model["mase"]) if model.get("mase") is not None else "",
            f"{model['direction_accuracy']:.1%}" if model.get("direction_accuracy") is not None else "",
            _p(model.get("direction_p")),
            {True: "yes", False: "no", None: ""}[model.get("in_confidence_set")],
        )
        for model in models
    )
    return Table(caption=TABLE_CAPTION, head=head, rows=rows)


def _direction(result: Mapping[str, Any]) -> Chapter | None:
    rows = result.get("direction")
    if not rows:
        return None
    head = ("model", "right", "Brier score", "gain over the share of rises", "95 % interval", "p", "p of the direction")
    cells = tuple(
        (
            row["name"],
            "" if row["accuracy"] is None else percent(row["accuracy"]),
            f"{row['brier']:.4f}",
            "" if row["dm_p"] is None else f"{100 * row['brier_skill']:+.2f} %",
            _interval(row["brier_skill_ci95"]),
            _p(row["dm_p"]),
            _p(row["direction_p"]),
        )
        for row in rows
    )
    return Chapter(
        heading="Will it rise?",
        sentences=(
            "Each model gives the probability of a rise; the measure is the share of rises so far. Always saying one "
            "half has a Brier score of 0.25, less is better. The last column tests whether ups are told from downs "
            "(Pesaran-Timmermann); a model that always points one way gets none.",
        ),
        tables=(Table(caption="Probabilities of a rise on the test days", head=head, rows=cells),),
    )


def _volatility(result: Mapping[str, Any], days: Mapping[str, Any]) -> Chapter | None:
    rows = result.get("volatility")
    if not rows or "variance_forecasts" not in days:
        return None
    head = ("model", "QLIKE", "gain over the 22-day mean", "95 % interval", "p", "gain over log-HAR", "p over log-HAR")
    cells = tuple(
        (
            row["name"],
            f"{row['qlike']:.4f}",
            "" if row["dm_p"] is None else f"{100 * row['qlike_skill']:+.1f} %",
            _interval(row["qlike_skill_ci95"]),
            _p(row["dm_p"]),
            "" if row["skill_over_har"] is None else f"{100 * row['skill_over_har']:+.1f} %",
            _p(row["dm_p_over_har"]),
        )
        for row in rows
    )
    left_out = tuple(f"{name}: {reason}." for name, reason in result["volatility_left_out"].items())
    return Chapter(
        heading="How much will it move?",
        sentences=(
            f"The variance of a day is its {result['volatility_target']}. The verdict speaks of {HEADLINE}, which was "
            "named beforehand.",
            *left_out,
        ),
        tables=(Table(caption="Volatility on the test days; less QLIKE is better", head=head, rows=cells),),
        pictures=(
            price_figures.volatility(
                days["dates"], days["variance"], days["variance_forecasts"], HEADLINE, result.get("horizon", 1)
            ),
            price_figures.skills(
                rows,
                name="volatility-skill",
                skill="qlike_skill",
                label="% less QLIKE than the 22-day mean",
                reference="the 22-day mean",
            ),
        ),
    )


def _bands(result: Mapping[str, Any], days: Mapping[str, Any]) -> Chapter | None:
    rows = result.get("bands")
    if not rows or not days.get("bands"):
        return None
    head = ("band", "held", *price_figures.QUARTERS, "Winkler gain")
    cells = tuple(
        (
            f"{row['level']:.0%}",
            percent(row["coverage"]),
            *(percent(share) for share in row["coverage_by_quartile"]),
            f"{100 * row['winkler_gain']:+.1f} %",
        )
        for row in rows
    )
    quarter = result["n_test"] // 4
    noise = 100 * (0.9 * 0.1 / max(1, quarter)) ** 0.5
    return Chapter(
        heading="Between which prices?",
        sentences=(
            "A band is worth what it holds, in calm and in storms. The Winkler gain says how much better it is than "
            f"one of constant width. A quarter has {quarter} test days: by chance alone, what a 90 % band holds there "
            f"moves by {noise:.1f} points (one standard error).",
        ),
        tables=(Table(caption="Share of the test days that the bands held", head=head, rows=cells),),
        pictures=(price_figures.bands(days["dates"], days["actual"], days["bands"]), price_figures.coverage(rows)),
    )


def _interval(ends: Sequence[float] | None) -> str:
    return "" if ends is None else "{:+.1f} to {:+.1f} %".format(*(100 * end for end in ends))


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _is_naive(model: Mapping[str, Any]) -> bool:
    """Whether a row is the naive forecast, by name or because the model fell back to it."""
    return model["dm_p"] is None or (model["rmse_over_naive"] == 1.0 and model["dm_p"] == 1.0)


def _adjusted(adjusted: bool | None) -> str:
    return {True: "adjusted for splits and dividends", False: "not adjusted", None: "adjustment unknown"}[adjusted]

"""Figures of a backtest of prices: numbers in, one picture out."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from trialwise.prices.table import rows_a_year
from trialwise.reports.drawing import BLUE, GREEN, GREY, ORANGE, RED, Picture, above, new_figure, to_svg

BAND_DAYS = 120  # more would be a blur
QUARTERS = ("calmest quarter", "second", "third", "stormiest")


def volatility(
    dates: Sequence[str], actual: Sequence[float], forecasts: Mapping[str, Sequence[float]], model: str, horizon: int
) -> Picture:
    """How much the prices moved on the test days, in percent a year, and how much was forecast.

    Args:
        dates: The test days.
        actual: Their variances, over the horizon.
        forecasts: Forecast variances by model; `model` and "rolling_mean" are drawn.
        model: The one to look at.
        horizon: Days that a variance is the sum of.
    """
    days = np.asarray(dates, dtype="datetime64[D]")

    def a_year(variances: Sequence[float]) -> np.ndarray:
        return 100 * np.sqrt(np.asarray(variances, dtype=float) * rows_a_year(days) / horizon)

    figure, axes = new_figure(6.8, 3.6)
    axes.plot(days, a_year(actual), color=GREY, linewidth=0.6, alpha=0.8, label="what came")
    axes.plot(days, a_year(forecasts["rolling_mean"]), color=ORANGE, linewidth=1.2, linestyle="--", label="22-day mean")
    axes.plot(days, a_year(forecasts[model]), color=BLUE, linewidth=1.4, label=model)
    axes.set(ylabel="volatility, % a year", ylim=(0, float(np.quantile(a_year(actual), 0.995)) * 1.1))
    axes.tick_params(axis="x", rotation=30)
    above(axes)
    return Picture(
        name="volatility",
        caption=f"How much the price moved, and how much {model} and the 22-day mean had forecast. A single day says "
        "little of its volatility, hence the grey noise.",
        alt=f"Volatility from {days[0]} to {days[-1]}: what came, {model} and the 22-day mean.",
        svg=to_svg(figure),
    )


def skills(rows: Sequence[Mapping[str, Any]], *, name: str, skill: str, label: str, reference: str) -> Picture:
    """Each model's gain over the reference with its 95 % interval, in the order of the rows from the top.

    Args:
        rows: With "name", the share `skill`, and `skill` + "_ci95", None for the reference itself.
        name: The picture's.
        skill: The field of the gain.
        label: What the axis says.
        reference: What they are compared with, in words.
    """
    drawn = [row for row in rows if row[f"{skill}_ci95"]][::-1]
    figure, axes = new_figure(6.4, 0.9 + 0.35 * len(drawn))
    for place, row in enumerate(drawn):
        axes.plot([100 * end for end in row[f"{skill}_ci95"]], [place, place], color=BLUE, linewidth=2)
        axes.plot(100 * row[skill], place, "o", color=BLUE)
    axes.axvline(0, color=ORANGE, linewidth=1.2, linestyle="--")
    axes.set_yticks(range(len(drawn)), [row["name"] for row in drawn])
    axes.set(xlabel=label, ylim=(-0.6, len(drawn) - 0.4))
    named = ", ".join(f"{row['name']} {100 * row[skill]:+.1f} %" for row in drawn[::-1])
    return Picture(
        name=name,
        caption=f"Each model's gain over {reference}, with its 95 % interval; right of the dashed line is better.",
        alt=f"Gains over {reference}: {named}.",
        svg=to_svg(figure),
    )


def bands(dates: Sequence[str], actual: Sequence[float], ends: Mapping[str, Any]) -> Picture:
    """The last test days: closes, and the bands of 50 and 90 % that had been forecast for them."""
    days = np.asarray(dates[-BAND_DAYS:], dtype="datetime64[D]")
    close = np.asarray(actual[-BAND_DAYS:], dtype=float)
    low, high = (np.asarray(ends[side], dtype=float)[-BAND_DAYS:] for side in ("low", "high"))
    shown = {level: number for number, level in enumerate(ends["levels"]) if level in (0.5, 0.9)}
    figure, axes = new_figure(6.8, 3.8)
    for (level, number), alpha in zip(sorted(shown.items(), reverse=True), (0.18, 0.35), strict=False):
        axes.fill_between(
            days, low[:, number], high[:, number], color=BLUE, alpha=alpha, linewidth=0, label=f"{level:.0%} band"
        )
    axes.plot(days, close, color="black", linewidth=1.2, label="close")
    widest = shown[max(shown)]
    outside = (close < low[:, widest]) | (close > high[:, widest])
    axes.plot(days[outside], close[outside], "o", color=RED, markersize=4, label=f"outside the {max(shown):.0%} band")
    axes.set(ylabel="close")
    axes.tick_params(axis="x", rotation=30)
    above(axes)
    return Picture(
        name="bands",
        caption=f"The last {len(days)} test days with the bands forecast for each: {int(outside.sum())} closes lie "
        f"outside the {max(shown):.0%} band, {(1 - max(shown)) * len(days):.0f} were to be expected.",
        alt=f"Closes from {days[0]} to {days[-1]} within their bands; {int(outside.sum())} lie outside.",
        svg=to_svg(figure),
    )


def coverage(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """The share of days that each band held, on calm and on stormy days, beside the share it promises."""
    figure, axes = new_figure(6.4, 3.4)
    places = np.arange(len(QUARTERS))
    for row, (color, mark) in zip(
        rows, itertools.cycle(zip((GREY, GREEN, BLUE, RED), "os^D", strict=True)), strict=False
    ):
        held = [100 * share for share in row["coverage_by_quartile"]]
        axes.plot(places, held, f"{mark}-", color=color, linewidth=1.2, markersize=5, label=f"{row['level']:.0%} band")
        axes.axhline(100 * row["level"], color=color, linewidth=0.9, linestyle="--")
    axes.set_xticks(places, QUARTERS)
    axes.set(ylabel="% of the days held", ylim=(None, 100.5))
    above(axes)
    named = "; ".join(
        f"{row['level']:.0%}: " + ", ".join(f"{share:.0%}" for share in row["coverage_by_quartile"]) for row in rows
    )
    return Picture(
        name="coverage",
        caption="What each band held (points) and what it promises (dashed), from calm to stormy days by the forecast "
        "volatility.",
        alt=f"Shares of days held from calm to stormy, by band: {named}.",
        svg=to_svg(figure),
    )


def seed_effects(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Each change's effect on the squared error: every seed, their mean and its 95 % interval."""
    base, *changes = rows
    drawn = changes[::-1]
    figure, axes = new_figure(6.4, 1.1 + 0.38 * len(drawn))
    for place, row in enumerate(drawn):
        ratios = np.asarray(row["mse_over_naive"]) / np.asarray(base["mse_over_naive"])
        axes.plot(100 * (ratios - 1), np.full(len(ratios), place - 0.22), "o", color=GREY, markersize=3)
        axes.plot([100 * end for end in row["ci95"]], [place, place], color=BLUE, linewidth=2)
        axes.plot(100 * row["effect"], place, "o", color=BLUE)
    axes.axvline(0, color=ORANGE, linewidth=1.2, linestyle="--")
    axes.set_yticks(range(len(drawn)), [row["name"] for row in drawn])
    axes.set(xlabel=f"% change of the squared error against {base['name']}", ylim=(-0.6, len(drawn) - 0.4))
    named = ", ".join(f"{row['name']} {100 * row['effect']:+.1f} %" for row in changes)
    return Picture(
        name="seed-effects",
        caption="What each change does to the squared error: every seed (grey), their mean and its 95 % interval. "
        "Left of the dashed line is better.",
        alt=f"Effects: {named}.",
        svg=to_svg(figure),
    )


def learning_curves(metrics: Sequence[Mapping[str, Any]]) -> Picture:
    """Training and validation loss by epoch, a pair of lines for each network."""
    networks = list(dict.fromkeys(record.get("network", 0) for record in metrics))
    figure, axes = new_figure()
    for place, network in enumerate(networks):
        of_network = [record for record in metrics if record.get("network", 0) == network]
        epochs = [record["epoch"] for record in of_network]
        for losses, color, style, label in (
            ([record["train_loss"] for record in of_network], GREY, "--", "training loss"),
            ([record["valid"]["loss"] for record in of_network], ORANGE, "-", "validation loss"),
        ):
            named = label if place == 0 else None
            axes.plot(epochs, losses, style, color=color, linewidth=1.1, marker=".", markersize=3, label=named)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    above(axes)
    return Picture(
        name="learning-curves",
        caption=f"How the training of {len(networks)} network{'s' if len(networks) > 1 else ''} went, epoch by epoch.",
        alt=f"Losses of {len(networks)} networks by epoch; the last validation loss is "
        f"{metrics[-1]['valid']['loss']:.4g}.",
        svg=to_svg(figure),
    )

"""Figures of a study's trials one by one: in order, and epoch by epoch; thousands of them too."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from trialwise.reports.drawing import (
    BLUE,
    GREEN,
    GREY,
    MANY_POINTS,
    ORANGE,
    RED,
    Picture,
    above,
    as_text,
    new_figure,
    to_svg,
)

MARKS = {"complete": ("o", BLUE), "pruned": ("v", GREY), "paused": ("s", GREEN)}
MOST_CURVES = 60  # of trials that are not marked; more would be a blur


def best_so_far(values: Sequence[float | None], direction: str) -> list[float | None]:
    """The best value up to each trial; None before the first value."""
    better = min if direction == "minimize" else max
    best: list[float | None] = []
    for value in values:
        before = best[-1] if best else None
        best.append(before if value is None else value if before is None else better(before, value))
    return best


def history(trials: Sequence[Mapping[str, Any]], direction: str, *, value_name: str) -> Picture:
    """Every trial's value by its number, and the best so far."""
    reached: list[dict[str, Any]] = [{**trial, "value": _last_score(trial)} for trial in trials]
    values = [trial["value"] for trial in reached]
    is_many = len(trials) > MANY_POINTS
    figure, axes = new_figure()
    style: dict[str, Any] = {"s": 5 if is_many else 20, "zorder": 3, "rasterized": is_many}
    for state, (marker, color) in MARKS.items():
        shown = [t for t in reached if t["state"] == state and t["value"] is not None]
        if shown:
            heights = np.array([t["value"] for t in shown], dtype=float)
            axes.scatter([int(t["number"]) for t in shown], heights, marker=marker, color=color, label=state, **style)
    failed = [trial["number"] for trial in trials if trial["state"] == "failed"]
    if failed:
        foot = axes.get_xaxis_transform()
        axes.scatter(failed, [0.02] * len(failed), marker="x", color=RED, label="failed", transform=foot, **style)
    best = best_so_far([t["value"] if t["state"] == "complete" else None for t in trials], direction)
    axes.step(
        [t["number"] for t in trials],
        [math.nan if value is None else value for value in best],
        where="post",
        color=ORANGE,
        label="best so far",
        zorder=4 if is_many else 2,
    )
    finite = [value for value in values if value is not None]
    if finite and min(finite) > 0 and max(finite) / min(finite) > 100:
        axes.set_yscale("log")
    axes.set(xlabel="trial", ylabel=as_text(value_name), xlim=(-0.5, max(1, len(trials)) - 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    above(axes)
    last = next((value for value in reversed(best) if value is not None), None)
    return Picture(
        name="history",
        caption="Every trial in order, and the best value so far."
        + (" Failed trials have no value; they are the crosses at the foot." if failed else "")
        + (" All trials are drawn, as pixels: they are too many to be lines." if is_many else ""),
        alt=f"{value_name} of {len(trials)} trials in order; the best is {last:.6g}."
        if last is not None
        else value_name,
        svg=to_svg(figure),
    )


def _last_score(trial: Mapping[str, Any]) -> float | None:
    """The trial's value, or where it has not ended its score so far."""
    if trial["value"] is not None or not trial["scores"]:
        return trial["value"]
    return trial["scores"][max(trial["scores"], key=int)]


def trial_curves(
    trials: Sequence[Mapping[str, Any]], best: int | None, default: int | None, direction: str, *, value_name: str
) -> Picture:
    """Each trial's score by epoch; winner, untuned default, median and worst told apart, the others in grey.

    Of many others, those drawn stand at even distances in the order of their last scores.
    """
    roles = _roles(trials, best, default, direction)
    others = sorted(
        (t for t in trials if t["number"] not in roles and t["scores"]), key=lambda t: _last_score(t) or 0.0
    )
    chosen = sorted({round(place) for place in np.linspace(0, len(others) - 1, min(len(others), MOST_CURVES))})
    figure, axes = new_figure()
    for trial in [others[place] for place in chosen]:
        axes.plot(*_curve(trial), marker=".", color=GREY, linewidth=0.8, alpha=0.7)
    styles: dict[str, dict[str, Any]] = {
        "winner": {"color": GREEN, "linewidth": 2.4, "marker": "o", "zorder": 5},
        "untuned default": {"color": ORANGE, "linewidth": 1.8, "linestyle": "--", "marker": "D", "zorder": 4},
        "median": {"color": BLUE, "linewidth": 1.6, "linestyle": "-.", "marker": "s", "zorder": 3},
        "worst": {"color": RED, "linewidth": 1.6, "linestyle": ":", "marker": "v", "zorder": 3},
    }
    by_number = {trial["number"]: trial for trial in trials}
    for number, names in roles.items():
        label = f"{', '.join(names)} (trial {number})"
        axes.plot(*_curve(by_number[number]), label=label, markersize=4, **styles[names[0]])
    last = max((int(epoch) for trial in trials for epoch in trial["scores"]), default=1)
    axes.set(xlabel="epoch", ylabel=as_text(value_name), xlim=(0.5, last + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    above(axes, n_columns=2)
    left_out = len(others) - len(chosen)
    return Picture(
        name="trial-curves",
        caption="Score by epoch; lines that end early were pruned, or have not gone on yet. Median and worst are those "
        "of the complete trials."
        + (f" In grey {len(chosen)} of the {len(others):,} others, evenly from best to worst." if left_out else ""),
        alt=f"Curves of {len(chosen) + len(roles)} of {len(trials)} trials by epoch; marked: "
        + "; ".join(f"trial {number} ({', '.join(names)})" for number, names in roles.items())
        + ".",
        svg=to_svg(figure),
    )


def _roles(
    trials: Sequence[Mapping[str, Any]], best: int | None, default: int | None, direction: str
) -> dict[int, list[str]]:
    """The trials that a reader looks for, and what each is: one may be several things."""
    sign = 1 if direction == "minimize" else -1
    complete = [t for t in trials if t["state"] == "complete" and t["value"] is not None]
    ranked = [t["number"] for t in sorted(complete, key=lambda t: sign * t["value"])]
    found = {"winner": best, "untuned default": default}
    if ranked:
        found |= {"median": ranked[(len(ranked) - 1) // 2], "worst": ranked[-1]}
    roles: dict[int, list[str]] = {}
    for name, number in found.items():
        if number is not None:
            roles.setdefault(number, []).append(name)
    return roles


def _curve(trial: Mapping[str, Any]) -> tuple[list[int], list[float]]:
    epochs = sorted(int(epoch) for epoch in trial["scores"])
    scores = [trial["scores"][str(epoch)] for epoch in epochs]
    return epochs, [math.nan if score is None else score for score in scores]

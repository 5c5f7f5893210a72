"""Chapters on a study beyond its score: what it began with, and the front of two goals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialwise.reports.drawing import BLUE, GREY, ORANGE, Picture, above, as_text, new_figure, to_svg
from trialwise.reports.figures import readable
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.study_sentences import front_sentences, transfer_sentences
from trialwise.reports.verdicts import number

WIDE = 30  # a note whose largest value is so many times its smallest is drawn on a logarithmic scale


def study_chapters(result: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> tuple[Chapter, ...]:
    """The chapters that a study's result has something for; none for most.

    Args:
        result: The study's.
        trials: All of its trials, as `trials.json` has them.
    """
    chapters = []
    if "also" in result:
        chapters.append(_front_chapter(result, trials))
    if "transfer" in result:
        chapters.append(
            Chapter(heading="What came of the earlier study", sentences=transfer_sentences(result["transfer"]))
        )
    return tuple(chapters)


def _front_chapter(result: Mapping[str, Any], trials: Sequence[Mapping[str, Any]]) -> Chapter:
    name, rows, score = result["also"]["name"], result["pareto"], result.get("score", "value")
    complete = [t for t in trials if t["state"] == "complete"]
    known = [t for t in complete if isinstance(t["notes"].get(name), int | float)]
    sentences = front_sentences(result["also"], rows)
    if len(known) < len(complete):
        sentences = (*sentences, f"Not shown, for want of a number: {len(complete) - len(known)} of {len(complete)}.")
    if not rows:
        return Chapter(heading=f"Two goals: {score} and {name}", sentences=sentences)
    by_number = {t["number"]: t for t in trials}
    names = list(dict.fromkeys(n for row in rows for n in by_number[row["number"]]["params"]))
    cells = tuple(
        (
            str(row["number"]),
            number(row["value"]),
            number(row[name]),
            *(number(by_number[row["number"]]["params"].get(n, "")) for n in names),
        )
        for row in rows
    )
    table = Table(caption=f"The front: {score} and {name}", head=("trial", score, name, *names), rows=cells)
    picture = front(known, rows, result["also"], default=result["default"] is not None, score=score)
    return Chapter(heading=f"Two goals: {score} and {name}", sentences=sentences, tables=(table,), pictures=(picture,))


def front(
    trials: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    goal: Mapping[str, Any],
    *,
    default: bool,
    score: str,
) -> Picture:
    """Complete trials by their note and their score, the front as numbered stairs, the untuned default marked."""
    name, on_front = goal["name"], {row["number"] for row in rows}
    others = [t for t in trials if t["number"] not in on_front and not (default and t["number"] == 0)]
    figure, axes = new_figure()
    if others:
        xs, ys = [t["notes"][name] for t in others], [t["value"] for t in others]
        axes.scatter(xs, ys, marker="x", color=GREY, s=22, label="beaten by one of these", zorder=2)
    xs, ys = [row[name] for row in rows], [row["value"] for row in rows]
    axes.step(xs, ys, where="post" if goal["direction"] == "minimize" else "pre", color=BLUE, linewidth=1.2)
    axes.plot(xs, ys, "o", color=BLUE, markersize=6, label="on the front", zorder=4)
    heights = [t["value"] for t in trials]
    points = np.column_stack([xs, ys])
    for i in readable(points, float(np.ptp([t["notes"][name] for t in trials])), float(np.ptp(heights)), apart=0.04):
        axes.annotate(str(rows[i]["number"]), points[i], xytext=(5, 5), textcoords="offset points", fontsize=8)
    untuned = next((t for t in trials if default and t["number"] == 0), None)
    if untuned is not None:
        place = untuned["notes"][name], untuned["value"]
        axes.plot(
            *place,
            "D",
            markerfacecolor="none",
            markeredgecolor=ORANGE,
            markeredgewidth=1.6,
            markersize=11,
            linestyle="none",
            label="untuned default",
            zorder=5,
        )
    notes = [t["notes"][name] for t in trials]
    if min(notes) > 0 and max(notes) / min(notes) > WIDE:
        axes.set_xscale("log")
    better = "less is better" if goal["direction"] == "minimize" else "more is better"
    axes.set(xlabel=f"{as_text(name)} ({better})", ylabel=as_text(score))
    above(axes)
    told = "; ".join(f"trial {row['number']}: {number(row['value'])} with {number(row[name])}" for row in rows[:8])
    return Picture(
        name="front",
        caption=f"Complete trials by {name} and {score}. On the stairs: those that no other beats in both, with their "
        "numbers where there is room.",
        alt=f"{len(trials)} complete trials, {len(rows)} of them on the front of {score} and {name}: {told}"
        + ("; and more." if len(rows) > 8 else "."),
        svg=to_svg(figure),
    )

"""Where in the space the good trials lie: one parameter at a time, and two at a time."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from trialwise.reports.drawing import (
    BLUE,
    GREEN,
    GREY,
    MANY_POINTS,
    ON_FIELD,
    Picture,
    as_text,
    new_figure,
    new_row,
    to_svg,
)
from trialwise.reports.rungs import Compared

CELLS = 20  # along each axis; of the trials in one cell the contour knows the best
FEW_FOR_A_CONTOUR = 12  # cells with a trial
MOST_CHOICES_NAMED = 12
CUTS = 4.0  # scores farther from the best than so many times the better half's distance are drawn at the edge


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """One parameter as an axis.

    Attributes:
        name: The parameter's.
        is_log: Whether it was searched on a logarithmic scale.
        choices: Its values in the order of the axis, as text, where it is a choice; () for numbers.
    """

    name: str
    is_log: bool = False
    choices: tuple[str, ...] = ()

    def place(self, value: Any) -> float:
        """Where a value lies on the axis, in the axis' own units."""
        return float(self.choices.index(str(value))) if self.choices else float(value)

    def places(self, trials: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Where the trials lie."""
        return np.array([self.place(trial["params"][self.name]) for trial in trials])


def axis_of(name: str, trials: Sequence[Mapping[str, Any]], space: Mapping[str, Any]) -> Axis:
    """The axis of a parameter: as it was searched where the space is known, else as its values look."""
    values = [trial["params"][name] for trial in trials if name in trial["params"]]
    known = space.get(name, {})
    if "choices" in known or any(isinstance(value, bool | str) for value in values):
        choices = [str(value) for value in known.get("choices", sorted(set(values), key=str))]
        return Axis(name=name, choices=(*choices, *sorted({str(value) for value in values} - set(choices))))
    return Axis(name=name, is_log=bool(known.get("log")))


def slices(found: Compared, axes: Sequence[Axis], *, best_number: int | None, value_name: str) -> Picture:
    """The score of every compared trial by each of the parameters, the best on top of those that it overlaps."""
    figure, grid = new_row(len(axes))
    is_log = _spans_decades(found)
    low, high = (found.trials[0]["score"], found.trials[-1]["score"]) if is_log else _window(found)
    low, high = min(low, high), max(low, high)
    for drawn, axis in zip(grid, axes, strict=True):
        trials = [trial for trial in found.trials if axis.name in trial["params"]]
        scores = np.clip([trial["score"] for trial in trials], low, high)
        states = np.array([trial["state"] == "complete" for trial in trials])
        places = axis.places(trials)
        for is_complete, marker, color in ((False, "v", GREY), (True, "o", BLUE)):
            chosen = states == is_complete
            if not chosen.any():
                continue
            label = "complete" if is_complete else "pruned or waiting"
            drawn.scatter(
                places[chosen],
                scores[chosen],
                s=18,
                marker=marker,
                color=color,
                label=label,
                rasterized=len(trials) > MANY_POINTS,
            )
        _mark_best(drawn, trials, axis, scores, best_number)
        _dress(drawn, axis, along="x")
    grid[0].set_ylabel(as_text(value_name))
    if is_log:
        grid[0].set_yscale("log")
    handles, labels = grid[0].get_legend_handles_labels()
    n_columns = 3 if len(axes) > 1 else 2  # one panel is too narrow for three
    figure.legend(handles, labels, loc="outside upper left", ncols=n_columns, frameon=False)
    edge = " Scores far worse than the others are drawn at the edge." if _is_cut(found, low, high) else ""
    return Picture(
        name="slices",
        caption=f"The scores of {found.of()} by the parameters that mattered most, pruned ones included; where points "
        f"overlap, the best lies on top; the star is the winner.{edge}{found.left_out()}",
        alt=f"Scores of {found.of()} by {', '.join(axis.name for axis in axes)}.",
        svg=to_svg(figure),
    )


def pairs(
    found: Compared, x: Axis, y: Axis, *, best_number: int | None, value_name: str, name: str = "space"
) -> Picture:
    """The compared trials over two parameters, coloured by their scores, with lines of equal score between them."""
    trials = [trial for trial in found.trials if x.name in trial["params"] and y.name in trial["params"]]
    low, high = _window(found)
    scores = np.clip([trial["score"] for trial in trials], low, high)
    xs, ys = x.places(trials), y.places(trials)
    figure, axes = new_figure(6.4, 4.4)
    axes.grid(visible=False)
    is_better_low = found.direction == "minimize"
    colors = "viridis_r" if is_better_low else "viridis"
    has_lines = _interpolated(axes, x, y, (xs, ys), scores, colors)
    points = axes.scatter(
        xs,
        ys,
        c=scores,
        cmap=colors,
        vmin=float(scores.min()),
        vmax=float(scores.max()),
        s=26,
        edgecolors=ON_FIELD,
        linewidths=0.5,
        zorder=3,
        rasterized=len(trials) > MANY_POINTS,
    )
    best = next((i for i, trial in enumerate(trials) if trial["number"] == best_number), None)
    if best is not None:
        axes.plot(xs[best], ys[best], "*", color=GREEN, markeredgecolor=ON_FIELD, markersize=13, zorder=5)
    _dress(axes, x, along="x")
    _dress(axes, y, along="y")
    figure.colorbar(points, ax=axes, label=as_text(value_name) + (" (less is better)" if is_better_low else ""))
    between = (
        "; the colours between them are interpolated, and where no trial is near there are none" if has_lines else ""
    )
    return Picture(
        name=name,
        caption=f"{found.of().capitalize()} over {x.name} and {y.name}, coloured by their scores{between}. Of trials "
        f"that overlap the best is seen; the star is the winner.{found.left_out()}",
        alt=f"{len(trials)} trials over {x.name} and {y.name}, coloured by score.",
        svg=to_svg(figure),
    )


def _interpolated(
    axes: Axes, x: Axis, y: Axis, places: tuple[np.ndarray, np.ndarray], scores: np.ndarray, colors: str
) -> bool:
    """Fill the space between the trials with lines of equal score; False where that would be guessing."""
    if x.choices or y.choices:
        return False
    units = [_unit(values, axis.is_log) for values, axis in zip(places, (x, y), strict=True)]
    cells = np.minimum((np.column_stack(units) * CELLS).astype(int), CELLS - 1)
    best = {tuple(cell): i for i, cell in enumerate(cells.tolist())}  # the best come last
    kept = list(best.values())
    if len(kept) < FEW_FOR_A_CONTOUR or np.ptp(scores[kept]) == 0:
        return False
    from matplotlib.tri import Triangulation

    try:
        triangles = Triangulation(units[0][kept], units[1][kept]).triangles
    except (ValueError, RuntimeError):  # all on one line
        return False
    mesh = Triangulation(places[0][kept], places[1][kept], triangles)
    levels = np.unique(np.quantile(scores, np.linspace(0, 1, 9)))
    if len(levels) < 3:
        return False
    axes.tricontourf(mesh, scores[kept], levels=levels, cmap=colors, alpha=0.45).set_rasterized(True)
    return True


def _unit(values: np.ndarray, is_log: bool) -> np.ndarray:
    scaled = np.log(values) if is_log else values
    return (scaled - scaled.min()) / max(float(np.ptp(scaled)), 1e-300)


def _window(found: Compared) -> tuple[float, float]:
    """The scores that are worth room in a picture: from the best to well below the middle."""
    scores = np.array([trial["score"] for trial in found.trials])
    best, middle = scores[-1], float(np.median(scores))
    far = best + CUTS * (middle - best) if middle != best else scores[0]
    ends = sorted((best, far))
    return max(ends[0], scores.min()), min(ends[1], scores.max())


def _spans_decades(found: Compared) -> bool:
    """Whether the scores need a logarithmic scale."""
    scores = [trial["score"] for trial in found.trials]
    return min(scores) > 0 and max(scores) / min(scores) > 100


def _is_cut(found: Compared, low: float, high: float) -> bool:
    return any(not low <= trial["score"] <= high for trial in found.trials)


def _mark_best(
    axes: Axes, trials: Sequence[Mapping[str, Any]], axis: Axis, scores: np.ndarray, best_number: int | None
) -> None:
    for trial, score in zip(trials, scores, strict=True):
        if trial["number"] == best_number:
            place = axis.place(trial["params"][axis.name])
            axes.plot(place, score, "*", color=GREEN, markeredgecolor=ON_FIELD, markersize=12, zorder=5, label="winner")


def _dress(axes: Axes, axis: Axis, *, along: str) -> None:
    """Name and scale of the axis."""
    side = axes.xaxis if along == "x" else axes.yaxis
    side.set_label_text(as_text(axis.name))
    if axis.choices:
        step = -(-len(axis.choices) // MOST_CHOICES_NAMED)
        names = [as_text(_short(name)) for name in itertools.islice(axis.choices, 0, None, step)]
        side.set_ticks(range(0, len(axis.choices), step), names, rotation=30 if max(map(len, names)) > 4 else 0)
        side.set_view_interval(-0.5, len(axis.choices) - 0.5, ignore=True)
    elif axis.is_log:
        (axes.set_xscale if along == "x" else axes.set_yscale)("log")
    else:
        side.set_major_locator(MaxNLocator(5))


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:13] + "…"

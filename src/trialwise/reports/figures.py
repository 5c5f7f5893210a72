"""Numbers in, one picture out; whoever wants other pictures takes the numbers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.ticker import MaxNLocator

from trialwise.reports.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MANY_POINTS,
    ON_FIELD,
    ORANGE,
    RED,
    Picture,
    above,
    as_text,
    new_figure,
    to_svg,
)

FAR_FROM_NAIVE = 1.15  # a model whose error ends so far above naive's would flatten the picture of the others
FEW_TRIALS = 20
MOST_DAYS = 300  # of a line that changes slowly
MOST_NUMBERS = 150  # more beside their points would be a blur


def contour(grid: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], best_number: int | None) -> Picture:
    """The true function as filled contours, the trials on it in the order they were tried, the best one marked."""
    x_name, y_name = grid["names"]
    values = np.asarray(grid["values"])
    tried = [trial for trial in trials if trial["value"] is not None]
    xs = [trial["params"][x_name] for trial in tried]
    ys = [trial["params"][y_name] for trial in tried]
    figure, axes = new_figure(7.2, 5.2)
    axes.grid(visible=False)
    # Levels close together near the minimum: each is the same factor farther above it than the one before.
    low, height = float(values.min()), float(np.ptp(values))
    levels = low + height * np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 19)])
    norm = BoundaryNorm(levels, ncolors=256)
    on_grid = (grid["x"], grid["y"], values)
    filled = axes.contourf(*on_grid, levels=levels, cmap="Blues_r", norm=norm)
    lines = axes.contour(*on_grid, levels=levels, colors="white", linewidths=0.4, alpha=0.7)
    for drawn in (filled, lines):
        drawn.set_rasterized(True)  # as lines they would be the heaviest of the page
    axes.plot(xs, ys, color=ON_FIELD, linewidth=0.4, alpha=0.35)
    order = range(len(xs))
    style = {"s": 22, "edgecolors": ON_FIELD, "linewidths": 0.5, "zorder": 3, "rasterized": len(xs) > MANY_POINTS}
    points = axes.scatter(xs, ys, c=order, cmap="autumn", **style)
    for i in readable(np.column_stack([xs, ys]).reshape(-1, 2), np.ptp(grid["x"]), np.ptp(grid["y"])):
        number = str(tried[i]["number"])
        axes.annotate(number, (xs[i], ys[i]), xytext=(3, 3), textcoords="offset points", fontsize=6, color=ON_FIELD)
    for x, y in grid["minimizers"]:
        axes.plot(x, y, marker="+", color=ON_FIELD, markersize=13, markeredgewidth=1.5, linestyle="none", zorder=4)
    best = next((trial for trial in tried if trial["number"] == best_number), None)
    if best is not None:
        x, y = best["params"][x_name], best["params"][y_name]
        axes.plot(x, y, marker="*", color=GREEN, markeredgecolor=ON_FIELD, markersize=11, linestyle="none", zorder=5)
    axes.set(xlabel=x_name, ylabel=y_name)
    figure.colorbar(filled, ax=axes, label="value of the function", format="%.3g", spacing="uniform", ticks=levels[::3])
    if len(tried) > 1:
        bar = figure.colorbar(points, ax=axes, label="trial, in the order tried")
        bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    where = f" at {x_name} = {best['params'][x_name]:.4g}, {y_name} = {best['params'][y_name]:.4g}" if best else ""
    return Picture(
        name="contour",
        caption="The true function and every trial in the order it was tried (yellow is late); "
        "the star is the best trial, the cross the true minimum. Where trials lie close, the first has its number.",
        alt=f"Contour plot over {x_name} and {y_name} with {len(tried)} numbered trials; best{where}.",
        svg=to_svg(figure),
    )


def readable(points: np.ndarray, width: float, height: float, *, apart: float = 0.025) -> list[int]:
    """Which points can have their number beside them: those not close to one that has it already, earlier first."""
    shown: list[int] = []
    for i, (x, y) in enumerate(points):
        if len(shown) == MOST_NUMBERS:
            break
        if all(max(abs(x - points[j][0]) / width, abs(y - points[j][1]) / height) > apart for j in shown):
            shown.append(i)
    return shown


def importances(shares: Mapping[str, float], *, n_trials: int, epochs: int | None) -> Picture:
    """How much each parameter mattered, largest on top; `epochs` where trials have epochs."""
    names = list(shares)[::-1]
    figure, axes = new_figure(6.4, 0.9 + 0.35 * len(names))
    axes.barh(range(len(names)), [shares[name] for name in names], color=BLUE)
    axes.set_yticks(range(len(names)), [as_text(name) for name in names])
    for place, name in enumerate(names):
        axes.annotate(
            f"{shares[name]:.0%}", (shares[name], place), xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.set(xlabel="share of the importance", xlim=(0, max(shares.values()) * 1.15))
    compared = f"{n_trials} trials"
    if epochs is not None:
        compared += f" after {epochs} epoch{'s' if epochs > 1 else ''} each"
    few = " With so few trials it is a hint at best." if n_trials < FEW_TRIALS else ""
    return Picture(
        name="importances",
        caption=f"Which parameters mattered (PED-ANOVA over {compared}).{few}",
        alt="Importances: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) + ".",
        svg=to_svg(figure),
    )


def effects(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """What each ingredient adds in points of accuracy, with its interval, largest on top."""
    drawn = [row for row in rows if row["effect"] is not None][::-1]
    figure, axes = new_figure(6.4, 0.9 + 0.35 * len(drawn))
    for place, row in enumerate(drawn):
        if row["ci95"]:
            axes.plot([100 * end for end in row["ci95"]], [place, place], color=BLUE, linewidth=2)
        axes.plot(100 * row["effect"], place, "o", color=BLUE)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(len(drawn)), [row["name"] for row in drawn])
    axes.set(xlabel="points of validation accuracy that it adds", ylim=(-0.6, len(drawn) - 0.4))
    return Picture(
        name="effects",
        caption="What each ingredient adds, taken away or brought in alone (lines: 95 % interval over seeds).",
        alt="Effects: " + ", ".join(f"{row['name']} {100 * row['effect']:+.1f} points" for row in drawn[::-1]) + ".",
        svg=to_svg(figure),
    )


def learning_curves(metrics: Sequence[Mapping[str, Any]], *, score_name: str | None, score_label: str) -> Picture:
    """Training and validation loss by epoch, and the validation score where there is one beside the loss."""
    epochs = [record["epoch"] for record in metrics]
    figure, left = new_figure()
    left.plot(
        epochs,
        [record["train_loss"] for record in metrics],
        color=GREY,
        marker=".",
        linestyle="--",
        label="training loss",
    )
    left.plot(
        epochs, [record["valid"]["loss"] for record in metrics], color=ORANGE, marker=".", label="validation loss"
    )
    losses = [record["train_loss"] for record in metrics] + [record["valid"]["loss"] for record in metrics]
    left.set(xlabel="epoch", ylabel="loss", xlim=(0.5, max(epochs) + 0.5))
    if min(losses) > 0 and max(losses) > 30 * float(np.median(losses)):
        left.set_yscale("log")  # a loss that once exploded would flatten everything else
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    lines = left.get_lines()
    if score_name:
        right = left.twinx()
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        scores = [record["valid"][score_name] for record in metrics]
        lines = [*lines, *right.plot(epochs, scores, color=BLUE, marker="o", markersize=3, label=score_label)]
        right.set(ylabel=score_label)
    above(left, lines)
    return Picture(
        name="learning-curves",
        caption="How the training went, epoch by epoch.",
        alt=f"Losses over {len(epochs)} epochs; the validation loss ends at {metrics[-1]['valid']['loss']:.4g}.",
        svg=to_svg(figure),
    )


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Picture:
    """Test images by true and predicted class, as shares of the true class."""
    counts = np.asarray(matrix)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    n = len(classes)
    side = min(9.0, 3.0 + 0.33 * n)
    figure, axes = new_figure(side + 1, side)
    axes.grid(visible=False)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if n <= 25:
        for row, column in itertools.product(range(n), range(n)):
            if counts[row, column]:
                color = "white" if shares[row, column] > 0.5 else ON_FIELD
                text = str(counts[row, column])
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    if n <= 40:
        shown = [as_text(name) for name in classes]
        axes.set_xticks(range(n), shown, rotation=60, ha="right")
        axes.set_yticks(range(n), shown)
    axes.set(xlabel="predicted", ylabel="true")
    figure.colorbar(image, ax=axes, label="share of the true class")
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    row, column = divmod(int(wrong.argmax()), n)
    worst = (
        f"; most often {classes[row]} is taken for {classes[column]} ({wrong[row, column]} times)"
        if wrong.any()
        else ""
    )
    return Picture(
        name="confusion",
        caption="Test images by true and predicted class.",
        alt=f"Confusion matrix of {counts.sum()} test images in {n} classes{worst}.",
        svg=to_svg(figure),
    )


def forecast(
    dates: Sequence[str], actual: Sequence[float], forecasts: Mapping[str, Sequence[float]], model: str
) -> Picture:
    """The last 60 test days: actual closes, the model's forecasts, and the naive ones beside them."""
    days = np.asarray(dates[-60:], dtype="datetime64[D]")
    figure, axes = new_figure(6.8, 3.8)
    axes.plot(days, actual[-60:], color=BLACK, linewidth=1.6, label="actual close")
    axes.plot(days, forecasts[model][-60:], color=BLUE, linewidth=1.4, marker=".", markersize=4, label=model)
    axes.plot(
        days, forecasts["naive"][-60:], color=ORANGE, linewidth=1.2, linestyle="--", label="naive (tomorrow = today)"
    )
    axes.set(ylabel="close")
    axes.tick_params(axis="x", rotation=30)
    above(axes)
    same = np.array_equal(np.asarray(forecasts[model]), np.asarray(forecasts["naive"]))
    alike = f" {model} fell back to the naive forecast, so the two lines are one." if same else ""
    return Picture(
        name="forecast",
        caption=f"The last {len(days)} test days, forecast one day ahead.{alike}",
        alt=f"Actual closes from {days[0]} to {days[-1]} with the forecasts of {model} and of naive.",
        svg=to_svg(figure),
    )


def forecast_errors(dates: Sequence[str], actual: Sequence[float], forecasts: Mapping[str, Sequence[float]]) -> Picture:
    """Each model's root mean squared error so far, relative to naive: below 1 is better than naive."""
    days = np.asarray(dates, dtype="datetime64[D]")
    truth = np.asarray(actual, dtype=float)

    def error_so_far(name: str) -> np.ndarray:
        squared = (np.asarray(forecasts[name], dtype=float) - truth) ** 2
        return np.sqrt(np.cumsum(squared) / np.arange(1, len(squared) + 1))

    naive = np.maximum(error_so_far("naive"), 1e-12)
    ratios = {name: error_so_far(name) / naive for name in forecasts if name != "naive"}
    every = max(1, len(days) // MOST_DAYS)
    near = {name: ratio for name, ratio in ratios.items() if ratio[-1] < FAR_FROM_NAIVE}
    figure, axes = new_figure(6.8, 3.2)
    days, near = days[::every], {name: ratio[::every] for name, ratio in near.items()}
    styles = itertools.cycle([(GREY, "-"), (BLUE, "-"), (GREEN, "-."), (RED, ":"), (BLACK, "-")])
    for (name, ratio), (color, dashes) in zip(near.items(), styles, strict=False):
        axes.plot(days, ratio, color=color, linestyle=dashes, linewidth=1.6 if dashes != "-" else 1.2, label=name)
    axes.axhline(1.0, color=ORANGE, linewidth=1.2, linestyle="--", label="naive")
    settled = [ratio[len(ratio) // 5 :] for ratio in near.values()]
    reach = max([0.01, *(float(np.abs(ratio - 1).max()) for ratio in settled)])
    axes.set(ylabel="RMSE so far / naive", ylim=(1 - 1.3 * reach, 1 + 1.3 * reach))
    axes.tick_params(axis="x", rotation=30)
    above(axes)
    far = [f"{name} ({ratios[name][-1]:.2f})" for name in ratios if name not in near]
    outside = f" Far above the picture: {', '.join(far)}." if far else ""
    return Picture(
        name="errors",
        caption=f"The error of each model against naive, over the test days so far; below 1 is better.{outside}",
        alt="Relative errors at the end: "
        + ", ".join(f"{name} {ratio[-1]:.3f}" for name, ratio in ratios.items())
        + ".",
        svg=to_svg(figure),
    )

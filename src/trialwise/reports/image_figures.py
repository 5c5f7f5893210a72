"""Pictures of how far a classifier can be believed: numbers and images in, drawings out.

Shapes: M images, H height, W width, C channels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from trialwise.reports.drawing import BLUE, GREY, Picture, above, as_text, new_figure, new_grid, to_svg
from trialwise.statistics.intervals import wilson_interval

SMALLEST_MARK, LARGEST_MARK = 6.0, 100.0  # square points, by the number of images in a bin
TITLE_SIZE = 6.5  # points
DRAWN_SIDE = 64  # pixels; a small image is drawn about as large
N_LETTERS = 14  # of a class name that fit above a small image


def reliability(calibration: Mapping[str, Any]) -> Picture:
    """Accuracy by confidence, before and after the temperature; on the diagonal confidence means what it says."""
    figure, axes = new_figure(5.4, 4.4)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--", label="as sure as right")
    for name, color in (("before", GREY), ("after", BLUE)):
        for found in calibration[name]["reliability"]:
            if found["n"]:
                ends = wilson_interval(round(found["accuracy"] * found["n"]), found["n"])
                axes.plot([found["confidence"]] * 2, ends, color=color, linewidth=1, alpha=0.5)
        bins = [found for found in calibration[name]["reliability"] if found["n"]]
        counts = np.array([found["n"] for found in bins])
        axes.scatter(
            [found["confidence"] for found in bins],
            [found["accuracy"] for found in bins],
            s=SMALLEST_MARK + LARGEST_MARK * counts / counts.max(),
            color=color,
            alpha=0.7,
            label=name,
        )
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    above(axes)
    before, after = (calibration[name]["ece"] for name in ("before", "after"))
    return Picture(
        name="reliability",
        caption="How often it is right, by how sure it is, before and after the temperature, with 95 % intervals; the "
        "larger a point, the more images. Below the dashed line it is surer than it is right.",
        alt=f"Reliability diagram in {len(calibration['after']['reliability'])} bins: confidence and accuracy are "
        f"{100 * before:.1f} points apart on average before the temperature, {100 * after:.1f} after.",
        svg=to_svg(figure),
    )


def label_errors(images_MHWC: NDArray[np.uint8], rows: Sequence[Mapping[str, Any]], *, split: str) -> Picture:
    """The likeliest label errors with their given and their suggested class; `split` is where the images come from."""
    figure, grid = new_grid(len(images_MHWC), columns=8)
    for axes, pixels_HWC, row in zip(grid, images_MHWC, rows, strict=False):
        _show(axes, pixels_HWC)
        _title(axes, f"{_short(row['given'])}\nor {_short(row['suggested'])}?")
    first = rows[0]
    return Picture(
        name=f"label-errors-{split}",
        caption=f"The likeliest label errors among the {split} images: the given class and the suggested one.",
        alt=f"{len(images_MHWC)} {split} images whose class is in doubt; the first is given as {first['given']} and "
        f"may be {first['suggested']}.",
        svg=to_svg(figure),
    )


def near_duplicates(
    test_MHWC: NDArray[np.uint8], train_MHWC: NDArray[np.uint8], pairs: Sequence[Mapping[str, Any]]
) -> Picture:
    """Pairs of a test image (left) and the training image that is like it (right), the surest first."""
    figure, grid = new_grid(2 * len(pairs), columns=8)
    for i, pair in enumerate(pairs):
        for axes, pixels_HWC in zip(grid[2 * i : 2 * i + 2], (test_MHWC[i], train_MHWC[i]), strict=True):
            _show(axes, pixels_HWC)
        likeness = "same pixels" if pair["exact"] else f"{pair['similarity']:.2f}"
        _title(grid[2 * i], f"test {pair['test_row']}\n{_short(pair['test_class'])}")
        mirrored = "\nmirrored" if pair["mirrored"] else ""
        _title(grid[2 * i + 1], f"{likeness}{mirrored}\n{_short(pair['train_class'])}")
    least = min(pair["similarity"] for pair in pairs)
    return Picture(
        name="near-duplicates",
        caption="Test images, each with the training image beside it that is (nearly) the same, from the surest to the "
        "least sure of those that counted.",
        alt=f"{len(pairs)} pairs of a test image and a training image; their similarity goes down to {least:.2f}.",
        svg=to_svg(figure),
    )


def _show(axes: Axes, pixels_HWC: NDArray[np.uint8]) -> None:
    is_grey = pixels_HWC.shape[-1] == 1
    pixels = pixels_HWC[..., 0] if is_grey else pixels_HWC
    # "none" leaves the pixels to the page as they are, "nearest" draws them at the figure's size: whichever is smaller.
    drawn = "none" if max(pixels.shape) <= DRAWN_SIDE else "nearest"
    axes.imshow(pixels, cmap="gray" if is_grey else None, vmin=0, vmax=255, interpolation=drawn)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(as_text(text), pad=2, fontsize=TITLE_SIZE)


def _short(name: str) -> str:
    return name if len(name) <= N_LETTERS else name[: N_LETTERS - 1] + "…"

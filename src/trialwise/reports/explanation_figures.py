"""What a classifier looks at, drawn: images, filters and maps in, one picture out, readable without colour.

Shapes: N images, T tiles, H height, W width, C channels.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from trialwise.reports.drawing import Picture, new_figure, to_png

WIDTH_INCHES = 7.0
_NARROWEST_INCHES = 4.0  # so that a title fits
MOST_TILES = 64  # filters or maps in one picture
LONGEST_NAME = 16  # letters of a class name below an image
_GAP = 0.06  # between tiles, in tiles
_SPACE = 0.2  # between groups of tiles, in tiles
_LINE = 0.155  # height of a line of text below an image, in inches
_BRIGHTEST = 0.99  # the share of a layer's values that is not shown as white: single peaks would leave the rest black
_DARK = 0.35  # how bright a picture stays where no evidence is


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """An image with what is to be said of it.

    Attributes:
        image_HWC: uint8 in 0..255, one or three channels.
        lines: Below it.
        heat_HW: 0..1, where to look; None where there is nothing to show.
    """

    image_HWC: NDArray[np.uint8]
    lines: tuple[str, ...]
    heat_HW: NDArray[np.float32] | None = None


def filters(tiles_THWC: NDArray[np.float32], *, layer: str, is_fixed: bool) -> Picture:
    """The first layer's filters as small pictures, all on one scale; tiles are 0..1 with zero at 0.5."""
    n, height, width, channels = tiles_THWC.shape
    kind = "colours" if channels == 3 else "greys"
    figure = _sheet(tiles_THWC[:MOST_TILES], title=f"First layer ({layer}): {n} filters of {width} x {height} pixels")
    origin = (
        "They are fixed: the main directions in which small patches of the training images differ, and their negatives "
        "(patch whitening)."
        if is_fixed
        else "They were learnt."
    )
    more = f" The first {MOST_TILES} of {n} are shown." if n > MOST_TILES else ""
    return Picture(
        name="filters",
        caption=f"What the first layer looks for, in {kind}: mid-grey is a weight of zero, and all filters share one "
        f"scale. {origin}{more}",
        alt=f"{min(n, MOST_TILES)} filters of {width} x {height} pixels of the layer {layer}, as tiles.",
        png=to_png(figure),
    )


def feature_maps(
    image_HWC: NDArray[np.uint8], maps_THW: NDArray[np.float32], *, name: str, layer: str, of: str
) -> Picture:
    """One image and what a layer makes of it, map by map, all on one scale."""
    n, height, width = maps_THW.shape
    lowest, highest = float(maps_THW.min()), float(np.quantile(np.abs(maps_THW), _BRIGHTEST))
    if lowest < 0:  # zero in the middle of the scale
        scaled_THW = 0.5 + maps_THW / (2 * (highest or 1.0))
        scale = "mid-grey is zero, white positive, black negative"
    else:
        scaled_THW = maps_THW / (highest or 1.0)
        scale = "black is zero, white the strongest answer"
    chosen = np.argsort(-maps_THW.reshape(n, -1).std(axis=1), kind="stable")[:MOST_TILES]
    chosen = np.sort(chosen)
    n_flat = int((np.ptp(maps_THW.reshape(n, -1), axis=1) == 0).sum())
    figure = _sheet(
        np.clip(scaled_THW[chosen][..., None], 0, 1),
        title=f"Layer {layer}: {n} maps of {width} x {height} pixels",
        beside=image_HWC,
    )
    more = f" The {MOST_TILES} of {n} maps that vary most are shown." if n > MOST_TILES else ""
    silent = f" {n_flat} map{'s are' if n_flat > 1 else ' is'} the same everywhere on this image." if n_flat else ""
    return Picture(
        name=name,
        caption=f"What layer {layer} makes of {of}: {scale}; all maps share one scale.{more}{silent}",
        alt=f"{of}, and beside it {len(chosen)} maps of {width} x {height} pixels of the layer {layer}.",
        png=to_png(figure),
    )


def grad_cam(rows: Sequence[Sequence[Shown]], *, layer: str, side: tuple[int, int]) -> Picture:
    """Images, and beside each where the evidence for a class lies; `side` is width and height of the layer's maps."""
    tiles = [shown for row in rows for shown in row]
    n_columns = len(rows[0]) * (2 if len(rows) > 1 else 1)
    figure = _grid(
        tiles,
        n_columns=n_columns,
        group=len(rows[0]),
        title=f"Grad-CAM at layer {layer} (maps of {side[0]} x {side[1]})",
    )
    return Picture(
        name="grad-cam",
        caption="Where the evidence for a class lies (Grad-CAM): what is left in the light speaks for the class named "
        "below the picture, and the line surrounds what reaches half of the strongest. It shows where the network "
        "looked, not what it saw.",
        alt=f"{len(rows)} images, each beside the parts of it that speak for the classes below: "
        + "; ".join(", ".join(" ".join(shown.lines) for shown in row[1:]) for row in rows)
        + ".",
        png=to_png(figure),
    )


def mistakes(images: Sequence[Shown]) -> Picture:
    """The most confident wrong predictions, the worst first."""
    figure = _grid(images, n_columns=min(5, max(3, len(images))), title="Most confident mistakes, the worst first")
    return Picture(
        name="worst-mistakes",
        caption="The mistakes that the model was most certain of. Look for wrong labels here before blaming the model.",
        alt="Images that were classified wrongly: " + "; ".join(", ".join(shown.lines) for shown in images) + ".",
        png=to_png(figure),
    )


def pairs(rows: Mapping[str, Sequence[Shown]]) -> Picture:
    """Images of the classes that are most often taken for others, one pair a row under its name."""
    n_columns = max(3, *map(len, rows.values()))
    tiles = [shown for row in rows.values() for shown in [*row, *[None] * (n_columns - len(row))]]
    figure = _grid(tiles, n_columns=n_columns, title="Most frequent confusions", heads=list(rows))
    return Picture(
        name="confusing-pairs",
        caption="The pairs of classes that the model mixes up most often, with its probability below each image; "
        "the most certain mistakes first.",
        alt="Rows of images: " + "; ".join(rows) + ".",
        png=to_png(figure),
    )


def short(name: str) -> str:
    """A class name that fits below an image."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _sheet(tiles_THWC: NDArray[np.float32], *, title: str, beside: NDArray[np.uint8] | None = None) -> Figure:
    """Tiles in rows, each with a thin frame; an image to the left of them where there is one."""
    n = len(tiles_THWC)
    n_columns = min(n, 16 if n > 32 or beside is None else 12)
    n_columns = math.ceil(n / math.ceil(n / n_columns))
    n_rows = math.ceil(n / n_columns)
    offset = 0.0 if beside is None else min(5.0, max(2.0, n_rows * (1 + _GAP) - _GAP))
    across, down = offset + n_columns + (0.5 if offset else 0), max(n_rows, offset)
    tile_inches = min(0.9, WIDTH_INCHES / (across * (1 + _GAP)))
    wide = max(_NARROWEST_INCHES / tile_inches, across * (1 + _GAP))
    figure, axes = new_figure(wide * tile_inches + 0.2, down * (1 + _GAP) * tile_inches + 0.45)
    _bare(axes, title)
    left = 0.0
    if beside is not None:
        _place(axes, _colours(beside), 0, 0, offset)
        left = offset + 0.5
    for i, tile_HWC in enumerate(tiles_THWC):
        row, column = divmod(i, n_columns)
        _place(axes, _colours(tile_HWC), left + column * (1 + _GAP), row * (1 + _GAP), 1.0)
    axes.set(xlim=(-0.05, wide), ylim=(max(n_rows * (1 + _GAP), offset) + 0.05, -0.05))
    return figure


def _grid(
    tiles: Sequence[Shown | None],
    *,
    n_columns: int,
    title: str,
    group: int | None = None,
    heads: Sequence[str] = (),
) -> Figure:
    """Images in rows with their lines of text below them.

    Args:
        tiles: Row by row; None leaves a place free.
        n_columns: Images in a row.
        title: Above all.
        group: Columns that belong together; between two groups there is some space.
        heads: What stands above each row.
    """
    n_spaces = (n_columns - 1) // group if group else 0
    across = n_columns * (1 + _GAP) + n_spaces * _SPACE
    n_rows = math.ceil(len(tiles) / n_columns)
    n_lines = max(len(tile.lines) for tile in tiles if tile is not None)
    tile_inches = min(1.3, WIDTH_INCHES / across)
    above = 1.5 * _LINE / tile_inches if heads else 0.0
    pitch = 1 + above + (n_lines * _LINE + 0.12) / tile_inches
    figure, axes = new_figure(across * tile_inches + 0.2, n_rows * pitch * tile_inches + 0.45)
    _bare(axes, title)
    for row, head in enumerate(heads):
        axes.text(0, row * pitch + 0.7 * above, head, va="center", fontsize=8.5, fontweight="bold", parse_math=False)
    for i, tile in enumerate(tiles):
        if tile is None:
            continue
        row, column = divmod(i, n_columns)
        x, y = column * (1 + _GAP) + (column // group if group else 0) * _SPACE, row * pitch + above
        _place(axes, _lit(tile), x, y, 1.0)
        if tile.heat_HW is not None and tile.heat_HW.max() > 0:
            height, width = tile.heat_HW.shape
            centres_x = x + (np.arange(width) + 0.5) / width
            centres_y = y + (np.arange(height) + 0.5) / height
            line = axes.contour(centres_x, centres_y, tile.heat_HW, levels=[0.5], colors="white", linewidths=1.0)
            line.set(path_effects=[withStroke(linewidth=2.2, foreground="black")])
        for number, text in enumerate(tile.lines):
            axes.text(
                x + 0.5,
                y + 1 + (0.04 + number * _LINE) / tile_inches,
                text,
                ha="center",
                va="top",
                fontsize=7.5,
                parse_math=False,
            )
    axes.set(xlim=(-0.05, across), ylim=(n_rows * pitch, -0.05))
    return figure


def _bare(axes: Axes, title: str) -> None:
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)


def _place(axes: Axes, image_HWC: NDArray[np.float32], x: float, y: float, side: float) -> None:
    few = image_HWC.shape[0] <= 64
    axes.imshow(
        image_HWC, extent=(x, x + side, y + side, y), interpolation="nearest" if few else "antialiased", vmin=0, vmax=1
    )
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="#777777", linewidth=0.4))


def _lit(tile: Shown) -> NDArray[np.float32]:
    """The image, darker where there is no heat."""
    image_HWC = _colours(tile.image_HWC)
    if tile.heat_HW is None:
        return image_HWC
    return (image_HWC * (_DARK + (1 - _DARK) * tile.heat_HW[..., None])).astype(np.float32)


def _colours(image_HWC: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Three channels in 0..1."""
    scaled = image_HWC.astype(np.float32) / np.float32(255 if image_HWC.dtype == np.uint8 else 1)
    return np.repeat(scaled, 3, axis=-1) if scaled.shape[-1] == 1 else scaled

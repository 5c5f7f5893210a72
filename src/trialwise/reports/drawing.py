"""How every figure looks, and how it becomes text that a page can hold."""

import base64
import dataclasses
import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

BLUE, ORANGE, GREEN, GREY, RED = "#0072b2", "#e69f00", "#009e73", "#8c8c8c", "#d55e00"  # Okabe & Ito 2008

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trialwise",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure for the page.

    Attributes:
        name: A file name without its ending.
        caption: What to look at, in a sentence.
        alt: What is to be seen, for those who cannot see it.
        svg: The drawing.
    """

    name: str
    caption: str
    alt: str
    svg: str

    @property
    def source(self) -> str:
        """The drawing as a data URI, so that a page needs no second file."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def new_figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure of the house's style with one set of axes; sizes in inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def new_grid(n: int, columns: int, *, side: float = 1.1) -> tuple[Figure, list[Axes]]:
    """A figure with axes for `n` small images, row by row; `side` in inches."""
    columns = min(n, columns)
    rows = -(-n // columns)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(columns * side, rows * (side + 0.35)), layout="constrained")
        axes = [figure.add_subplot(rows, columns, number) for number in range(1, n + 1)]
    for each in axes:
        each.set_axis_off()
    return figure, axes


def above(axes: Axes, lines: Sequence[Line2D] | None = None) -> None:
    """A legend above the axes, where it hides nothing; of `lines`, or of everything with a label."""
    handles, labels = axes.get_legend_handles_labels()
    if lines is not None:
        handles, labels = list(lines), [str(line.get_label()) for line in lines]
    if handles:
        axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)


def to_svg(figure: Figure) -> str:
    """The figure as SVG text, the same text for the same figure."""
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()

"""How every figure looks, and how it becomes text that a page can hold."""

import base64
import dataclasses
import io
import re
import warnings
from collections.abc import Sequence
from urllib.parse import quote

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

BLUE, ORANGE, GREEN, GREY, RED = "#0072b2", "#e69f00", "#009e73", "#8c8c8c", "#d55e00"  # Okabe & Ito 2008

# A dark page turns black and other colours into those below; what is black on a coloured field is ON_FIELD, and stays.
BLACK, GRID, PAPER, ON_FIELD = "#000000", "#e6e6e6", "#fefefe", "#010101"
_DARK = {BLACK: "#ececec", GRID: "#3d3d3d", PAPER: "#1e1e1e", BLUE: "#56b4e9"}
MANY_POINTS = 1000  # more are pixels within the drawing: each would be a hundred bytes

PNG_LIMIT_BYTES = 60_000  # eight of them, as text, leave room for the rest of a page below 1 MB
_DOTS_PER_INCH = 110
_POINTS = re.compile(r' (?:d|x|y)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trialwise",
    "savefig.dpi": 150,  # of what is pixels within a drawing
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # the only one that is measured: every text in a drawing would name ten more
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
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
        svg: The drawing; empty where it is made of pixels.
        png: The drawing where it is made of pixels.
    """

    name: str
    caption: str
    alt: str
    svg: str = ""
    png: bytes = b""

    @property
    def source(self) -> str:
        """The drawing as a data URI, so that a page needs no second file; in a dark browser it is dark as well."""
        if self.png:
            return "data:image/png;base64," + base64.b64encode(self.png).decode()
        start = self.svg.index("<svg")  # without the document type, which nobody reads
        end = self.svg.index(">", start) + 1
        svg = self.svg[start:end] + _DARK_STYLE + _shorter(self.svg[end:])
        # A quarter shorter than base64. The name of SVG's name space looks like an address; no page holds one.
        return "data:image/svg+xml," + quote(svg, safe=" =:/;,.()+-").replace("://", ":%2F%2F")


def _shorter(svg: str) -> str:
    """The same drawing without line breaks, and with its points to a hundredth of a point: half as long."""
    without_breaks = re.sub(r"\s*\n\s*", " ", svg)
    return _POINTS.sub(lambda found: _DIGITS.sub(r"\1", found[0]), without_breaks)


def _dark_style() -> str:
    """Colours as matplotlib writes them, replaced where the reader's browser is dark and does not print."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    text = f'text:not([style*="fill:"]){{fill:{_DARK[BLACK]}}}'  # matplotlib leaves black out there
    return f"<style>@media screen and (prefers-color-scheme:dark){{{rules}{text}}}</style>"


_DARK_STYLE = _dark_style()


def new_figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """A figure of the house's style with one set of axes; sizes in inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.add_subplot()


def new_row(n: int, *, width: float = 2.3, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """A figure with `n` axes side by side that share their heights; sizes of each in inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(max(width * n + 0.6, 3.6), height), layout="constrained")
        grid = figure.subplots(1, n, sharey=True, squeeze=False)
    return figure, list(grid[0])


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


def as_text(name: str) -> str:
    """A name of the user's for a figure, where two dollar signs would make a formula of it."""
    return name.replace("$", r"\$")


def above(axes: Axes, lines: Sequence[Line2D] | None = None, *, n_columns: int = 4) -> None:
    """A legend above the axes, where it hides nothing; of `lines`, or of everything with a label."""
    handles, labels = axes.get_legend_handles_labels()
    if lines is not None:
        handles, labels = list(lines), [str(line.get_label()) for line in lines]
    if handles:
        axes.legend(
            handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns, borderaxespad=0.2, frameon=False
        )


def to_svg(figure: Figure) -> str:
    """The figure as SVG text, the same text for the same figure."""
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG of at most `PNG_LIMIT_BYTES`: of fewer colours, and then of fewer pixels, where it must be.

    Letters that the font has not are drawn as boxes, as the caption beside the figure has them anyway.
    """
    png = b""
    for dots_per_inch in (_DOTS_PER_INCH, _DOTS_PER_INCH * 3 // 4, _DOTS_PER_INCH // 2):
        buffer = io.BytesIO()
        with mpl.rc_context(_STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font", category=UserWarning)
            figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
        for n_colours in (None, 256, 64, 32):
            image = Image.open(buffer).convert("RGB")
            image = image.quantize(n_colours) if n_colours else image
            written = io.BytesIO()
            image.save(written, "PNG", optimize=True)
            png = written.getvalue()
            if len(png) <= PNG_LIMIT_BYTES:
                return png
    return png

"""One HTML file from run folders: no network, no second file, everything from users escaped."""

from collections.abc import Sequence
from pathlib import Path

import jinja2

from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder
from trialwise.reports.sections import section

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("trialwise.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def write_report(runs: Sequence[RunFolder], path: Path, *, title: str | None = None) -> None:
    """Write the page on these runs to `path`, whole or not at all; each run's pictures also go to its `figures/`.

    Raises:
        UserError: A run is of a kind that has no report.
    """
    sections = [section(run) for run in runs]
    page = _TEMPLATES.get_template("report.html").render(
        title=title or sections[0].title,
        sections=sections,
        started=runs[0].record["started"][:16].replace("T", " ") + " UTC",
    )
    for run, about in zip(runs, sections, strict=True):
        for picture in about.all_pictures():
            if not picture.svg:  # it lies as a PNG where the section found it
                continue
            write_text(run.path / "figures" / f"{picture.name}.svg", picture.svg)
    write_text(path, page)

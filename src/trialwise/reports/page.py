"""One HTML file from run folders: no network, no second file, everything from users escaped."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder
from trialwise.reports.comparing import comparisons, named
from trialwise.reports.sections import section
from trialwise.tuning.trial_table import write_table

STATIC_ROWS = 200  # of a table with more, the page's script shows the rest from JSON

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("trialwise.reports"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False, "ensure_ascii": False}


def write_report(runs: Sequence[RunFolder], path: Path, *, title: str | None = None) -> None:
    """Write the page on these runs to `path`, whole or not at all.

    Each run's pictures also go to its `figures/`, and a study's trials to its `trials.csv`.

    Raises:
        UserError: A run is of a kind that has no report.
    """
    sections = named([section(run, runs) for run in runs], runs)
    compared = comparisons(runs)
    style, script = _part("report.css"), _part("report.js")
    page = _TEMPLATES.get_template("report.html").render(
        title=title or (compared or sections)[0].title,
        sections=[*compared, *sections],
        started=runs[0].record["started"][:16].replace("T", " ") + " UTC",
        n_static=STATIC_ROWS,
        style=Markup(style),
        style_hash=_csp_hash(style),
        script=Markup(script),
        script_hash=_csp_hash(script),
    )
    for run, about in zip(runs, sections, strict=True):
        for picture in about.all_pictures():
            if not picture.svg:  # it lies as a PNG where the section found it
                continue
            write_text(run.path / "figures" / f"{picture.name}.svg", picture.svg)
        for records in about.records:
            write_table(records.columns, run.path / records.file_name)
    write_text(path, page)


def _part(name: str) -> str:
    return resources.files("trialwise.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """What lets a browser run this inline text and no other (Content Security Policy, level 2)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

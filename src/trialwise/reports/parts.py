"""What a page is made of: sections, one a run, with chapters, tables and pictures."""

import dataclasses
import math
from typing import Any

from trialwise.reports.drawing import Picture

_EXACT_IN_A_BROWSER = 2**53 - 1  # JavaScript's Number.MAX_SAFE_INTEGER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A small table: a caption, column heads and rows of text."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Records:
    """A table that may have thousands of rows, for a reader to sort, filter and take away as CSV.

    Attributes:
        caption: What it holds.
        columns: The values by the column's name, as `trial_table.trial_columns` makes them; None where one is missing.
        filter_by: The column whose few values the reader can choose from.
        file_name: The CSV, in the run folder too.
    """

    caption: str
    columns: dict[str, list[Any]]
    filter_by: str
    file_name: str

    @property
    def n_rows(self) -> int:
        return len(self.columns[self.filter_by])

    @property
    def heads(self) -> tuple[str, ...]:
        """The columns' names for people: "trial" for its number, no "param." and no "note."."""
        names = ["trial" if name == "number" else name for name in self.columns]
        return tuple(name.removeprefix("param.").removeprefix("note.") for name in names)

    @property
    def is_numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers alone."""
        return tuple(all(v is None or _is_number(v) for v in values) for values in self.columns.values())

    def shown(self, n_rows: int) -> list[tuple[str, ...]]:
        """The first rows as people read them."""
        return [tuple(map(_shown, row)) for row in zip(*(v[:n_rows] for v in self.columns.values()), strict=True)]

    def document(self) -> dict[str, Any]:
        """The whole of it for the page's script: numbers with every digit, everything else as text."""
        return {
            "file": self.file_name,
            "filter": list(self.columns).index(self.filter_by),
            "names": list(self.columns),
            "heads": self.heads,
            "columns": [[_plain(value) for value in values] for values in self.columns.values()],
        }


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _EXACT_IN_A_BROWSER


def _plain(value: Any) -> int | float | str | None:
    if value is None or _is_number(value):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: Any) -> str:
    """As report.js shows it."""
    plain = _plain(value)
    if plain is None:
        return ""
    if not isinstance(plain, float):
        return str(plain)
    is_whole = plain == round(plain) and abs(plain) <= _EXACT_IN_A_BROWSER
    return str(round(plain)) if is_whole else f"{plain:.5g}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chapter:
    """A part of a section with its own heading.

    Attributes:
        heading: What it is about.
        sentences: What was found, in words; a paragraph each.
        tables: The numbers.
        pictures: The figures.
    """

    heading: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One run on the page.

    Attributes:
        title: What was done.
        verdict: What was found, in a sentence.
        facts: Names and values worth a glance.
        pictures: The figures.
        tables: The numbers.
        chapters: More, each part with its own heading; below the figures and tables.
        notes: What a reader should know, a sentence each.
        repeat: What it takes to do it again, names and values.
        records: All that was tried, at the end of the page.
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    notes: tuple[str, ...] = ()
    repeat: tuple[tuple[str, str], ...] = ()
    records: tuple[Records, ...] = ()

    def all_pictures(self) -> tuple[Picture, ...]:
        """Those of the section and of its chapters."""
        return self.pictures + tuple(picture for chapter in self.chapters for picture in chapter.pictures)

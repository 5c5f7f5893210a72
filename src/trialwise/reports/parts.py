"""What a page is made of: sections, one a run, with chapters, tables and pictures."""

import dataclasses

from trialwise.reports.drawing import Picture


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A small table: a caption, column heads and rows of text."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
    """

    title: str
    verdict: str
    facts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    notes: tuple[str, ...] = ()
    repeat: tuple[tuple[str, str], ...] = ()

    def all_pictures(self) -> tuple[Picture, ...]:
        """Those of the section and of its chapters."""
        return self.pictures + tuple(picture for chapter in self.chapters for picture in chapter.pictures)

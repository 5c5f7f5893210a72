"""Data to stdout, people to stderr: progress, sentences, the one JSON document."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trialwise.base.files import to_json, write_json
from trialwise.base.runs import check_out


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def give(document: Mapping[str, Any], text: str, *, json: bool, out: Path | None = None) -> None:
    """The command's result on stdout: the document where `json`, else its text for people.

    Args:
        document: What was found, as plain JSON values.
        text: The same in words.
        json: Which of them to print.
        out: For commands that make no run folder: a new folder for `result.json` with the document.
    """
    if out is not None:
        check_out(out)
        write_json(out / "result.json", document)
    print(to_json(document) if json else text)


@contextmanager
def watching() -> Iterator["Watcher"]:
    """A watcher for the length of a verb: a progress bar on a terminal, plain lines elsewhere."""
    watcher = Watcher()
    try:
        yield watcher
    finally:
        watcher.close()


class Watcher:
    """Shows what a verb is doing, on stderr."""

    def __init__(self) -> None:
        self._name = ""
        self._total: int | None = None
        self._stage = ""
        self._seen: set[int] = set()
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("", total=None, note="")
            self._bar.start()

    def __call__(self, event: Any) -> None:
        """Show one event: a Part, a Stage, a Note, an EpochResult or a TrialEvent."""
        # By name, so that watching does not import torch and Optuna for commands that need neither.
        name = type(event).__name__
        if name == "Part":
            self._name, self._total, self._seen = event.name, event.total, set()
            self._show(0, "", line=event.name)
        elif name == "Stage":
            self._show_stage(event)
        elif name == "Note":
            self._note(event.text)
        elif name == "EpochResult":
            scores = ", ".join(f"{key} {value:.4g}" for key, value in event.valid.items())
            of = f"/{self._total}" if self._total else ""
            note = f"validation {scores} ({event.seconds:.1f} s)"
            self._show(event.epoch, note, line=f"  epoch {event.epoch}{of}: {note}")
        elif name == "TrialEvent":
            self._show_trial(event)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()

    def _show_stage(self, stage: Any) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=stage.name, completed=stage.done, total=stage.total, note="")
        elif stage.name != self._stage:
            say(stage.name)
        self._stage = stage.name

    def _note(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            say(text)

    def _show_trial(self, event: Any) -> None:
        if event.kind == "score":
            self._show(len(self._seen), f"trial {event.number}, epoch {event.epoch}: {event.score:.6g}", line=None)
            return
        self._seen.add(event.number)
        found = event.reason if event.kind == "failed" else f"{event.score:.6g}"
        epochs = (
            f" after {event.epoch} epoch{'s' if event.epoch > 1 else ''}" if event.kind in ("paused", "pruned") else ""
        )
        note = f"trial {event.number} {event.kind}{epochs}: {found}"
        self._show(len(self._seen), note, line=f"  {note}")

    def _show(self, done: int, note: str, *, line: str | None) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=self._name, completed=done, total=self._total, note=note)
        elif line is not None:
            say(line)

"""What all verbs share: watching, stopping, ending a run, its report."""

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trialwise.base.errors import Interrupted, WorkError
from trialwise.base.runs import RunFolder
from trialwise.reports.verdicts import verdict

# Called with what happens while a verb works: a tuning.driver.TrialEvent, a training.loop.EpochResult,
# a Stage, a Note or a Part.
# It is how a progress bar watches; it cannot change anything.
Watch = Callable[[Any], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the work has come to `done` of `total` steps (None where that is not known)."""

    name: str
    done: int = 0
    total: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Note:
    """Something to know before the work goes on."""

    text: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A new part of the work begins; `total` trials or epochs, where that is known."""

    name: str
    total: int | None = None


def unwatched(event: Any) -> None:
    """The watcher of those who do not watch."""


@contextmanager
def ends_well(run: RunFolder) -> Iterator[None]:
    """Mark the run as failed where the block raises; Ctrl-C passes through for the block's owner to handle."""
    try:
        yield
    except (Exception, SystemExit) as error:
        run.finish(run.result | {"error": str(error)}, status="failed")  # what an earlier session found stays
        raise


def finish(run: RunFolder, document: Mapping[str, Any], *, interrupted: bool = False, hint: str = "") -> RunFolder:
    """Put the result on record and write the report; Ctrl-C waits until that is done.

    Raises:
        WorkError: The report could not be drawn; the result is on record all the same.
        Interrupted: Where the work was interrupted; after everything is saved.
    """
    head = {"schema": f"trialwise.{run.kind}/1", "run": run.label, "seed": run.seed}
    result = head | dict(document)
    result |= {"verdict": verdict(run.kind, result, run.record.get("evaluation"))}
    with _deaf_to_interrupts():
        run.finish(result, status="interrupted" if interrupted else "complete")
        try:
            write_page([run])
        except Exception as error:
            raise WorkError(
                f"the result is saved in {run.label}, but its report could not be made: {error}",
                hint=f"trialwise report {run.label} tries again",
            ) from error
    if interrupted:
        raise Interrupted(run, hint=hint)
    return run


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C for the length of a short block that must not be cut in two."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def write_page(runs: Sequence[RunFolder], *, out: Path | None = None, title: str | None = None) -> Path:
    """Write the page on these runs, by default as `report.html` in the first run folder; the file is returned."""
    from trialwise.reports.page import write_report  # here: drawing takes a second to load

    path = out or runs[0].path / "report.html"
    write_report(runs, path, title=title)
    return path

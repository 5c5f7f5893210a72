"""What all verbs share: watching, stopping, ending a run, its report."""

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from trialwise.base.errors import Interrupted, UserError, WorkError
from trialwise.base.files import write_json
from trialwise.base.runs import RunFolder
from trialwise.reports.verdicts import verdict
from trialwise.tuning.driver import StudyPlan, run_study
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import Study, TrialRecord, exclusive
from trialwise.tuning.tasks import Pool
from trialwise.tuning.trials import Config
from trialwise.tuning.winner import best_record, counts, gain_over_default, importances

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


def check_trials(trials: int, workers: int | None = None) -> None:
    """Refuse a number of trials, or of workers where one is given, below 1.

    Raises:
        UserError: Naming the option.
    """
    if trials < 1:
        raise UserError(f"--trials: expected at least 1, got {trials}")
    if workers is not None and workers < 1:
        raise UserError(f"--workers: expected at least 1, got {workers}")


@contextmanager
def ends_well(run: RunFolder) -> Iterator[None]:
    """Mark the run as failed where the block raises; Ctrl-C passes through for the block's owner to handle."""
    try:
        yield
    except (Exception, SystemExit) as error:
        run.finish({"error": str(error)}, status="failed")
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
            report([run])
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


def report(runs: list[RunFolder | Path | str], *, out: Path | None = None, title: str | None = None) -> Path:
    """Write one self-contained HTML page on one or more runs, from their folders alone.

    Args:
        runs: Run folders.
        out: The file to write; by default `report.html` in the first run folder.
        title: The page's heading.

    Returns:
        The file that was written.

    Raises:
        UserError: One of them is not a run folder.
    """
    from trialwise.reports.page import write_report  # here: drawing takes a second to load

    opened = [run if isinstance(run, RunFolder) else RunFolder.open(run) for run in runs]
    path = out or opened[0].path / "report.html"
    write_report(opened, path, title=title)
    return path


def drive(
    run: RunFolder,
    name: str,
    space: Space,
    plan: StudyPlan,
    make_pool: Callable[[], Pool],
    facts: Mapping[str, Any],
    watch: Watch,
    *,
    default: Config | None = None,
    after: Callable[[RunFolder, TrialRecord], None] | None = None,
) -> RunFolder:
    """Run or go on with the study of a run folder, and put its result on record.

    Args:
        run: Where the study lies.
        name: What is being done, for people.
        space: What is tuned.
        plan: How.
        make_pool: Starts what runs the trials.
        facts: What the result should say beside the trials.
        watch: Sees every `TrialEvent`.
        default: The untuned configuration, tried first.
        after: Called with the winner once the study is through.

    Raises:
        UserError: Another driver runs this study now.
        WorkError: The first trials all failed alike, or none gave a value.
        Interrupted: Ctrl-C, after what exists was saved.
    """
    start = time.perf_counter()
    interrupted = False
    with exclusive(run.path), ends_well(run):
        study = Study(run.path, plan.direction)
        run.reopen()
        try:
            watch(Part(name=name, total=plan.n_trials))
            with (
                closing(make_pool()) as pool,
                closing(run_study(study, space, plan, pool, default=default)) as events,
            ):
                for event in events:
                    watch(event)
        except KeyboardInterrupt:
            interrupted = True
        records = study.records()
        best = best_record(records, plan.direction)
        if best is not None and after is not None:
            after(run, best)
        seconds = run.result.get("seconds", 0.0) + time.perf_counter() - start
        document = study_document(records, space, plan) | dict(facts) | {"seconds": seconds}
        write_json(run.path / "trials.json", [record.to_document() for record in records])
    finish(run, document, interrupted=interrupted, hint=f"trialwise study resume {run.label}")
    if best is None:
        reasons = sorted({str(record.notes.get("reason")) for record in records})
        raise WorkError(
            f"none of {len(records)} trials gave a value: {reasons[0]}" + (" (and others)" if len(reasons) > 1 else ""),
            hint=f"every trial and its reason: {run.label}/report.html",
        )
    return run


def study_document(records: list[TrialRecord], space: Space, plan: StudyPlan) -> dict[str, Any]:
    """What a study found, as plain JSON values."""
    best = best_record(records, plan.direction)
    shares = importances(records, space, plan.direction)
    return {
        "direction": plan.direction,
        "n_trials": len(records),
        "counts": counts(records),
        "best_value": best.value if best else None,
        "best_params": best.params if best else None,
        "best_trial": best.number if best else None,
        "best": _trial_row(best) if best else None,
        "default": _trial_row(records[0]) if plan.max_epochs > 1 and records else None,
        "gain": gain_over_default(records, plan.direction) if plan.max_epochs > 1 else None,
        "importances": shares.to_document() if shares else None,
        "trials": [_trial_row(record) for record in records],
    }


def _trial_row(record: TrialRecord) -> dict[str, Any]:
    row = {"number": record.number, "state": record.state, "params": record.params, "value": record.value}
    return row | ({"reason": record.notes["reason"]} if "reason" in record.notes else {})

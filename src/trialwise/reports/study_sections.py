"""What a page says of a study, whatever was tuned, in the order in which people ask; and of one that has not ended."""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import read_json
from trialwise.base.runs import RunFolder
from trialwise.reports import figures
from trialwise.reports.drawing import Picture
from trialwise.reports.failures import failure_chapters
from trialwise.reports.parts import Chapter, Records, Section
from trialwise.reports.search_chapters import curve_chapter, history_chapter, importance_chapter, space_chapter
from trialwise.reports.study_chapters import study_chapters
from trialwise.reports.study_worth import worth
from trialwise.reports.verdicts import counted, number, verdict
from trialwise.reports.winning import winning_chapter
from trialwise.tuning.studies import JOURNAL, Study, TrialRecord
from trialwise.tuning.trial_table import trial_columns
from trialwise.tuning.winner import counts

DIRECTIONS = {"optimize": "minimize", "image-tune": "maximize", "price-tune": "minimize"}
SNAPSHOT = "trials.json"


def optimize_section(run: RunFolder) -> Section:
    """The section on a run of `optimize`."""
    result, trials = run.result, read_json(run.path / SNAPSHOT)
    landscape = run.path / "landscape.json"
    true_function = figures.contour(read_json(landscape), trials, result["best_trial"]) if landscape.exists() else None
    return Section(
        title=f"Minimum of {result['function']}",
        verdict=verdict(run.kind, result, run.record.get("evaluation")),
        facts=(*_study_facts(run), ("sampler", f"{result['sampler']}: {result['sampler_reason']}")),
        chapters=_chapters(run, trials, value_name="value", true_function=true_function),
        records=all_trials(trials),
    )


def tuning_section(
    run: RunFolder,
    name: str,
    *,
    facts: tuple[tuple[str, str], ...] = (),
    learning: tuple[Picture, ...] = (),
    test: tuple[Chapter, ...] = (),
    notes: tuple[str, ...] = (),
) -> Section:
    """What every study of models shows.

    Args:
        run: The study's.
        name: What it was tuned on.
        facts: More names and values worth a glance.
        learning: The winner's own curves.
        test: What the test rows said, and where the model looks.
        notes: What a reader should know.
    """
    result, trials = run.result, read_json(run.path / SNAPSHOT)
    return Section(
        title=f"Tuning on {name}",
        verdict=verdict(run.kind, result, run.record.get("evaluation")),
        facts=(
            *_study_facts(run),
            ("sampler", f"{result['sampler']}: {result['sampler_reason']}"),
            ("a full trial", f"{result['max_epochs']} epochs"),
            *facts,
        ),
        chapters=(*_chapters(run, trials, value_name=result["score"], learning=learning), *test),
        records=all_trials(trials),
        notes=notes,
    )


def _chapters(
    run: RunFolder,
    trials: Sequence[Mapping[str, Any]],
    *,
    value_name: str,
    true_function: Picture | None = None,
    learning: tuple[Picture, ...] = (),
) -> tuple[Chapter, ...]:
    result, space = run.result, run.settings.get("space") or {}
    return (
        *worth(result),
        *winning_chapter(run),
        *study_chapters(result, trials),
        *history_chapter(trials, result["direction"], value_name=value_name),
        *importance_chapter(result),
        *space_chapter(result, trials, space, value_name=value_name, true_function=true_function),
        *curve_chapter(result, trials, learning, value_name=value_name),
        *failure_chapters(trials, space),
    )


def unfinished_section(run: RunFolder) -> Section:
    """A run that failed, was killed or still works: what there is of it."""
    status = run.record["status"]
    trials, note = _trials_so_far(run)
    if status == "failed":
        words = f"It failed: {run.result.get('error', 'no reason is on record')}"
    else:
        words = "It has not ended, so there is no result."
    direction = DIRECTIONS.get(run.kind) or run.settings.get("direction", "minimize")
    space = run.settings.get("space") or {}
    facts = []
    if trials:
        so_far = counts([TrialRecord(**trial) for trial in trials])
        facts = [("trials so far", counted(so_far)), ("seed", str(run.seed))]
        words = f"{words} {_best_so_far(trials, direction)}"
    return Section(
        title=f"{run.kind} ({status})",
        verdict=words,
        facts=tuple(facts),
        chapters=(
            *history_chapter(trials, direction, value_name="score"),
            *failure_chapters(trials, space),
        ),
        records=all_trials(trials),
        notes=note,
    )


def _trials_so_far(run: RunFolder) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The trials in the journal, or of a study in a database those that were copied into the folder; and a note."""
    if (run.path / JOURNAL).exists():
        try:
            return _plain([record.to_document() for record in Study(run.path).records()]), ()
        except UserError as error:
            return [], (f"Its trials cannot be read: {error.message}",)
    snapshot = run.path / SNAPSHOT
    if snapshot.exists():
        return read_json(snapshot), (f"Its trials lie in a database; these are as they stood there {_when(snapshot)}.",)
    if run.settings.get("search", {}).get("storage"):
        return [], ("Its trials lie in a database, which could not be read.",)
    return [], ()


def _plain(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Epochs as text, as they are in JSON."""
    return [{**trial, "scores": {str(epoch): score for epoch, score in trial["scores"].items()}} for trial in trials]


def _when(path: Path) -> str:
    moment = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return moment.strftime("on %Y-%m-%d at %H:%M UTC")


def _best_so_far(trials: Sequence[Mapping[str, Any]], direction: str) -> str:
    complete = [t for t in trials if t["state"] == "complete" and t["value"] is not None]
    if not complete:
        return f"None of {len(trials)} trials is complete."
    best = (min if direction == "minimize" else max)(complete, key=lambda trial: trial["value"])
    return f"The best of {len(complete)} complete trials so far is trial {best['number']} with {number(best['value'])}."


def _study_facts(run: RunFolder) -> tuple[tuple[str, str], ...]:
    result = run.result
    processor = run.record.get("machine", {}).get("processor")
    device = result.get("device", "cpu")
    device = f"{device} ({processor})" if device == "cpu" and processor else device
    workers = f", {result['workers']} at a time" if result.get("workers", 1) > 1 else ""
    return (
        ("trials", counted(result["counts"]) + workers),
        ("time", f"{result['seconds']:.1f} s"),
        ("device", device),
        ("seed", str(result["seed"])),
    )


def all_trials(trials: Sequence[Mapping[str, Any]]) -> tuple[Records, ...]:
    """All that was tried, as the table at the end of the page."""
    if not trials:
        return ()
    columns = trial_columns([TrialRecord(**trial) for trial in trials])
    kept = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return (Records(caption="All trials", columns=kept, filter_by="state", file_name="trials.csv"),)

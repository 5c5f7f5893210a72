"""Look at the studies in the runs folder, and go on with one."""

import importlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trialwise.api.clusters import move_cluster
from trialwise.api.runs import Watch, unwatched
from trialwise.api.study_places import is_running, move_storage, seen_study, storage_of
from trialwise.base.errors import TrialwiseError, UserError
from trialwise.base.files import runs_folder
from trialwise.base.runs import RunFolder
from trialwise.base.settings import fill
from trialwise.reports.verdicts import verdict
from trialwise.tuning.rungs import Direction
from trialwise.tuning.settings import SearchSettings
from trialwise.tuning.studies import JOURNAL, TrialRecord
from trialwise.tuning.winner import best_record, counts

# The kinds of run that hold a study, and what goes on with one.
KINDS = {
    "optimize": ("functions", "continue_optimize"),
    "tune": ("objectives", "continue_tune"),
    "image-tune": ("images.tuning", "continue_tune_images"),
    "price-tune": ("price_tuning", "continue_tune_prices"),
}


def resume(
    run: RunFolder | Path | str,
    *,
    trials: int | None = None,
    epochs_total: int | None = None,
    minutes: float | None = None,
    until_plateau: int | None = None,
    target: float | None = None,
    storage: str | None = None,
    ray: str | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Go on with a study where it stopped, or with another limit than it was made for.

    Each limit counts what earlier sessions used; what is not given stays as it was. Where a limit is below what was
    used, no new trial begins, and the study comes to its end.

    Args:
        run: Its run folder, or the folder's name in the runs folder.
        trials: Trials in all.
        epochs_total: Epochs of all trials together.
        minutes: Minutes of all sessions together.
        until_plateau: The study ends once so many trials after the best one were no better.
        target: The study ends once a trial's value is as good as this.
        storage: Where its database is now, if it has moved; or its URL with the password that run folders do not keep.
        ray: The address of the Ray cluster, if it is another one now; "none" to go on in this machine's processes.
        watch: See `api.Watch`.

    Returns:
        The run folder, with the new result.

    Raises:
        UserError: It is no study, it runs now, or a limit cannot be one.
        Interrupted: Ctrl-C, after what exists was saved.
    """
    opened = open_study(run)
    move_storage(opened, storage)
    move_cluster(opened, ray)
    given = {"trials": trials, "epochs_total": epochs_total, "minutes": minutes}
    given |= {"until_plateau": until_plateau, "target": target}
    limits = {name: limit for name, limit in given.items() if limit is not None}
    search = opened.settings["search"] | limits
    fill(SearchSettings, search)  # refuses what cannot be
    opened.record["settings"] = opened.settings | {"search": search}
    # Imported now, so that looking at studies does not wait for torch.
    module, continues = KINDS[opened.kind]
    return getattr(importlib.import_module(f"trialwise.api.{module}"), continues)(opened, watch)


def list_studies() -> list[dict[str, Any]]:
    """The studies in the runs folder, oldest first: "run", "kind", "status", "started", "n_trials", "best_value"."""
    rows = []
    for folder in _study_folders():
        try:
            shown = show_study(folder)
        except TrialwiseError as error:  # one damaged folder, or a database that is away, must not hide the others
            rows.append({"run": str(folder), "status": "unreadable", "reason": error.message, "started": ""})
            continue
        row = {name: shown[name] for name in ("run", "kind", "status", "started", "n_trials", "counts", "storage")}
        rows.append(row | {"best_value": shown["best"]["value"] if shown["best"] else None})
    return sorted(rows, key=lambda row: str(row["started"]))


def _study_folders() -> set[Path]:
    """The run folders with a journal, and those that name a database."""
    folders = {path.parent for path in runs_folder().rglob(JOURNAL)}
    for path in runs_folder().rglob("run.json"):
        if path.parent not in folders:
            with suppress(UserError):  # what is no run folder is no study either
                if storage_of(RunFolder.open(path.parent)) is not None:
                    folders.add(path.parent)
    return folders


def show_study(run: RunFolder | Path | str) -> dict[str, Any]:
    """A study as it stands, running or not.

    Returns:
        Its result, and "status" ("stopped" where its driver is gone), "counts" (complete, pruned, paused, failed),
        "trials", "best" (the named winner; before there is one the trial with the best value), "default", "gain" over
        it (where the best were run again, on the same fresh seeds; else as seen in validation), "optimism" (how much
        of the best value is luck with the validation rows), "test" (what `evaluate` found, with "ci95"; None before)
        and "verdict". None stands for what is not known.

    Raises:
        UserError: It is no study.
    """
    opened = open_study(run)
    with seen_study(opened) as study:
        records = study.records()
    evaluation = opened.record.get("evaluation")
    result = result_of(opened, records)
    return (
        dict.fromkeys(("default", "gain", "optimism"))
        | result
        | {
            "schema": "trialwise.study/1",
            "run": opened.label,
            "kind": opened.kind,
            "started": opened.record["started"],
            "status": _status(opened),
            "storage": storage_of(opened),
            "n_trials": len(records),
            "counts": counts(records),
            "best": _best(result, records, study.direction),
            "trials": [record.to_document() for record in records],
            "test": _test(evaluation) if result else None,
            "verdict": verdict(opened.kind, result, evaluation) if result else None,
        }
    )


def result_of(run: RunFolder, records: Sequence[TrialRecord]) -> dict[str, Any]:
    """The study's result, where it is of these trials; nothing where it is of those before the study went on."""
    now = counts(records)
    return run.result if run.has_result and run.result.get("counts", now) == now else {}


def _best(result: Mapping[str, Any], records: Sequence[TrialRecord], direction: Direction) -> dict[str, Any] | None:
    """The trial that the result names; the one with the best value where there is no result of these trials."""
    named = result.get("best_trial")
    best = next((r for r in records if r.number == named), None) if result else best_record(records, direction)
    return best.to_document() if best else None


def _test(evaluation: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What `evaluate` found, in short, with the untuned default on the same rows."""
    if not evaluation:
        return None
    return evaluation["test"] | {"default": evaluation.get("default"), "times_opened": evaluation["times_opened"]}


def _status(run: RunFolder) -> str:
    """The run's status, or "stopped" where the driver was killed before it could put an end on record."""
    status = run.record["status"]
    return "stopped" if status == "running" and not is_running(run) else status


def open_study(run: RunFolder | Path | str) -> RunFolder:
    """The run folder, where it is one of a study.

    Raises:
        UserError: It is no run folder, or one of other work.
    """
    opened = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if opened.kind not in KINDS:
        raise UserError(
            f"{opened.label} is a run of {opened.kind} and holds no study",
            hint="trialwise study list shows the studies",
        )
    return opened

"""Where a study lives: in the journal of its run folder, or in a database that its run folder names."""

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trialwise.api.runs import Note, Watch
from trialwise.base.errors import TrialwiseError, UserError
from trialwise.base.files import write_json
from trialwise.base.runs import RunFolder
from trialwise.tuning import studies
from trialwise.tuning.rungs import Direction
from trialwise.tuning.studies import Study

ABOUT = "trialwise"  # the attribute of a study in a database that says where its run folder is
SECONDS_BETWEEN_COPIES = 20.0


def storage_on_record(given: str | None) -> str | None:
    """The URL of a storage as run folders keep it, without its password; None for the journal.

    Raises:
        UserError: It is no URL of a database that can hold a study.
    """
    if given is None:
        return None
    from trialwise.integrations.storage_urls import storage_url  # here: SQLAlchemy is for studies in databases

    return storage_url(given)


def checked_storage(given: str | None) -> str | None:
    """`storage_on_record`, once the database was opened and found fit to hold a study.

    Raises:
        UserError: It cannot be used.
        WorkError: It cannot be reached.
    """
    url = storage_on_record(given)
    if url is not None:
        from trialwise.integrations.storages import prepare

        prepare(url)
    return url


def storage_of(run: RunFolder) -> str | None:
    """The URL of the database that holds the run's study; None for the journal."""
    return run.settings.get("search", {}).get("storage")


def move_storage(run: RunFolder, given: str | None) -> None:
    """Look for the run's study at another URL from now on: the database has moved, or this URL has the password.

    Raises:
        UserError: The run's study is in its journal, or the URL cannot be used.
    """
    if given is None:
        return
    url = storage_on_record(given)
    if storage_of(run) is None:
        raise UserError(
            f"--storage: the study of {run.label} is in its run folder", hint="leave --storage out to go on with it"
        )
    run.record["settings"] = run.settings | {"search": run.settings["search"] | {"storage": url}}


@contextlib.contextmanager
def driven_study(run: RunFolder, direction: Direction, watch: Watch) -> Iterator[Study]:
    """The run's study for the one driver that may write to it, made where there is none.

    Raises:
        UserError: Another driver runs it now, or the database cannot be used.
        WorkError: The database cannot be reached.
    """
    with studies.exclusive(run.path):
        url = storage_of(run)
        if url is None:
            yield Study(run.path, direction)
            return
        from trialwise.integrations.storage_urls import has_password
        from trialwise.integrations.storages import driving

        if has_password(url):
            watch(
                Note(
                    text="the password is not kept, and in a URL other users can see it: better PGPASSWORD or ~/.pgpass"
                )
            )
        name = _study_name(run)
        with driving(url, name, say=lambda text: watch(Note(text=text))) as storage:
            yield _made_or_found(run, direction, storage, name)


def _made_or_found(run: RunFolder, direction: Direction, storage: Any, name: str) -> Study:
    """The study in its database; made there once, so that one that is gone is not begun anew unnoticed."""
    if run.record.get("study_made"):
        return Study(run.path, storage=storage, name=name)
    study = Study(run.path, direction, storage=storage, name=name)
    about = {"run": str(run.path), "host": socket.gethostname(), "kind": run.kind}
    study.optuna.set_user_attr(ABOUT, about)
    run.record["study_made"] = True
    run.save()
    return study


def _study_name(run: RunFolder) -> str:
    """The study's name in its database: the run folder's, and what makes it unique among all who share it."""
    if "study_name" not in run.record:
        run.record["study_name"] = f"{run.path.name}-{secrets.token_hex(4)}"
        run.save()
    return run.record["study_name"]


@contextlib.contextmanager
def seen_study(run: RunFolder) -> Iterator[Study]:
    """The run's study for reading, whether or not a driver runs it.

    Raises:
        UserError: There is none yet, or the database cannot be used.
        WorkError: The database cannot be reached.
    """
    url = storage_of(run)
    if url is None:
        yield Study(run.path)
        return
    if "study_name" not in run.record:
        raise UserError(f"{run.label} holds no study yet")
    from trialwise.integrations.storages import reading

    with reading(url) as storage:
        yield Study(run.path, storage=storage, name=run.record["study_name"])


def copy_trials(run: RunFolder) -> None:
    """Copy the trials of a study that has not ended from its database into the run folder, where it can be reached.

    A report on the folder shows them then, elsewhere and later too. Where the database cannot be read, the trials that
    were copied before stay.
    """
    if storage_of(run) is None or "study_name" not in run.record or run.has_result:
        return
    with contextlib.suppress(TrialwiseError), seen_study(run) as study:
        write_trials(run, study)


def write_trials(run: RunFolder, study: Study) -> None:
    """Put the trials as they stand into the run folder."""
    write_json(run.path / "trials.json", [record.to_document() for record in study.records()])


def copying_trials(run: RunFolder, study: Study, watch: Watch) -> Watch:
    """The same watcher, and now and then the trials of a study in a database are copied into the run folder.

    A study that is killed, and whose database is away when its report is made, still shows what it did.
    """
    if storage_of(run) is None:
        return watch
    next_copy = time.monotonic()

    def see(event: Any) -> None:
        nonlocal next_copy
        if time.monotonic() >= next_copy:
            start = time.monotonic()
            write_trials(run, study)
            took = time.monotonic() - start
            next_copy = time.monotonic() + max(SECONDS_BETWEEN_COPIES, 50 * took)
        watch(event)

    return see


def is_running(run: RunFolder) -> bool:
    """Whether a driver runs the run's study now, on this machine or, in PostgreSQL, on any."""
    if studies.is_running(run.path):
        return True
    url = storage_of(run)
    if url is None or "study_name" not in run.record:
        return False
    from trialwise.integrations.storages import driver_of

    return driver_of(url, run.record["study_name"]) is not None


def studies_at(given: str) -> list[dict[str, Any]]:
    """The studies in a database, oldest first: "study", "run" and "host" where they are on record, "n_trials", ...

    Raises:
        UserError: The URL or the database cannot be used.
        WorkError: The database cannot be reached.
    """
    url = storage_on_record(given)
    assert url is not None
    from trialwise.integrations.storages import driver_of, reading, study_names

    rows = []
    with reading(url) as storage:
        for name in study_names(storage):
            try:
                study = Study(Path(), storage=storage, name=name)
            except UserError as error:  # somebody else's, of several goals, must not hide the others
                rows.append({"study": name, "run": None, "status": "unreadable", "reason": error.message})
                continue
            rows.append({"study": name} | _row(study, driver_of(url, name)))
    return rows


def _row(study: Study, driver: str | None) -> dict[str, Any]:
    from trialwise.tuning.winner import best_record, counts

    records = study.records()
    best = best_record(records, study.direction)
    about = study.optuna.user_attrs.get(ABOUT, {})
    states = counts(records)
    unfinished = states["paused"] > 0
    return {
        "run": about.get("run"),
        "host": about.get("host"),
        "kind": about.get("kind"),
        "status": "running" if driver else "stopped" if unfinished else "not running",
        "driver": driver,
        "n_trials": len(records),
        "counts": states,
        "best_value": best.value if best else None,
    }

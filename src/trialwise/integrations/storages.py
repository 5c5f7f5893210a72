"""Studies in databases: opened for reading, or by the one driver that may write."""

import contextlib
import importlib.util
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import event

from trialwise.base.errors import TrialwiseError, UserError, WorkError
from trialwise.integrations.steady_storage import ConnectionLost, SteadyStorage
from trialwise.integrations.storage_urls import (
    connect_arguments,
    driver_name,
    for_optuna,
    has_password,
    is_postgres,
    lock_key,
    place_of,
    sqlite_file,
)

PATIENCE_SECONDS = 300.0  # a database that restarts is back in seconds, one that fails over in a minute or two
HANDOVER_SECONDS = 10.0  # for the server to end a session of ours that it has not yet noticed to be dead
# Sent to the server: how soon it notices that a driver's machine is gone, and gives its lock free (about 40 s).
_SERVER_ALIVE = ("tcp_keepalives_idle = 20", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 4")


@contextlib.contextmanager
def reading(url: str) -> Iterator[BaseStorage]:
    """The studies at a URL of `storage_url`, for reading, whoever writes at the same time.

    Raises:
        UserError: There are none, the password is missing or wrong, or another Optuna wrote them.
        WorkError: The database cannot be reached.
    """
    if not is_postgres(url) and not sqlite_file(url).exists():
        raise UserError(f"{place_of(url)}: no such file, and so no studies")
    storage = _opened(url, {"connect_args": connect_arguments(url, who="trialwise reader")}, make_tables=False)
    try:
        yield _steady(storage, url, patience_seconds=0, say=_to_nobody, hint="is the database running?")
    finally:
        _close(storage)


@contextlib.contextmanager
def driving(
    url: str, study_name: str, *, say: Callable[[str], None], patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[BaseStorage]:
    """The studies at a URL of `storage_url`, for the one driver of `study_name`.

    In PostgreSQL all its calls go over one connection, and every connection it makes first takes the study's advisory
    lock: a driver that lost its connection can write again only where no other driver took over. The server gives the
    lock free when the driver's process or machine is gone. In SQLite the lock of the run folder has to do.

    Args:
        url: Where.
        study_name: Whose lock is taken.
        say: Told when the database is lost and when it is back.
        patience_seconds: How long a call waits for a database that is away.

    Raises:
        UserError: Another driver runs this study now; and as `reading`.
        WorkError: The database cannot be reached.
    """
    token = secrets.token_hex(4)
    arguments: dict[str, Any] = {"connect_args": connect_arguments(url, who=driver_name(token))}
    prepare(url)
    if is_postgres(url):
        arguments |= {"pool_size": 1, "max_overflow": 0}
    storage = _opened(
        url, arguments, make_tables=False, on_connect=lambda connection: _take_lock(connection, study_name, token)
    )
    try:
        hint = "nothing is lost; once the database is back: trialwise study resume"
        yield _steady(storage, url, patience_seconds=patience_seconds, say=say, hint=hint)
    finally:
        _close(storage)


def prepare(url: str) -> None:
    """Make the tables where there are none, and see that they can be used.

    Raises:
        UserError: The database cannot be used.
        WorkError: It cannot be reached.
    """
    until = time.monotonic() + HANDOVER_SECONDS
    while True:
        try:
            _close(_opened(url, {"connect_args": connect_arguments(url, who="trialwise")}, make_tables=True))
        except _MadeMeanwhileError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


class _MadeMeanwhileError(UserError):
    """Somebody else made the tables while we did: they are there when we look again."""


def driver_of(url: str, study_name: str) -> str | None:
    """Who runs the study now, in a few words; None where nobody does, or the database does not know (SQLite)."""
    if not is_postgres(url):
        return None
    with reading(url) as storage, _engine(storage).connect() as connection:
        return _holder(connection.connection.dbapi_connection, study_name)


def study_names(storage: BaseStorage) -> list[str]:
    """The names of all studies, oldest first."""
    return [study.study_name for study in storage.get_all_studies()]


def _to_nobody(text: str) -> None:
    """Where nobody listens."""


def _steady(storage: RDBStorage, url: str, **how: Any) -> SteadyStorage:
    return SteadyStorage(optuna.storages.get_storage(storage), place=place_of(url), **how)


def _engine(storage: BaseStorage) -> sqlalchemy.Engine:
    return storage._inner._backend.engine  # type: ignore[missing-attribute]


def _close(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _opened(
    url: str, engine_arguments: dict[str, Any], *, make_tables: bool, on_connect: Callable[[Any], None] | None = None
) -> RDBStorage:
    """Optuna's storage with this project's errors in place of the libraries'."""
    if is_postgres(url) and importlib.util.find_spec("psycopg") is None:
        raise UserError(
            "--storage postgresql://... needs psycopg, which is not installed",
            hint="pip install 'trialwise[postgres]'",
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made: list[Any] = []

    def connected(connection: Any, record: Any) -> None:
        made.append(connection)
        if on_connect is not None and is_postgres(url):
            on_connect(connection)

    with _explained(url):
        try:
            storage = RDBStorage(
                for_optuna(url),
                engine_kwargs=engine_arguments | {"pool_events": [(connected, "connect")]},
                skip_table_creation=not make_tables,
                skip_compatibility_check=on_connect is not None,
            )
        except BaseException:
            for connection in made:
                connection.close()
            raise
    event.listen(storage.engine, "handle_error", _lost, retval=True)
    return storage


def _lost(context: Any) -> Exception | None:
    """What is raised in place of a database's error: `ConnectionLost` where waiting may help."""
    error = context.original_exception
    if not isinstance(error, Exception):  # Ctrl-C in the middle of a call, which SQLAlchemy takes for a lost connection
        return None
    if isinstance(error, sqlite3.OperationalError):
        return ConnectionLost(str(error)) if "locked" in str(error) else None
    if context.is_disconnect or context.connection is None:
        return ConnectionLost(" ".join(str(error).split()))
    return None


def _take_lock(connection: Any, study_name: str, token: str) -> None:
    """Take the study's lock for a new connection; a dead session of this very driver is ended first."""
    until = time.monotonic() + HANDOVER_SECONDS
    with connection.cursor() as cursor:
        for setting in _SERVER_ALIVE:
            cursor.execute(f"SET {setting}")
        while not cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(study_name),)).fetchone()[0]:
            holder = _holder(connection, study_name)
            if holder is not None and (token not in holder or time.monotonic() > until):
                connection.close()
                raise UserError(
                    f"the study {study_name} is running now: {holder}",
                    hint="wait for it, or stop it with Ctrl-C",
                )
            if holder is not None:
                _end_session(cursor, token)
            time.sleep(0.2)
    connection.commit()


def _holder(connection: Any, study_name: str) -> str | None:
    """Who holds the study's lock, in a few words; None for nobody."""
    key = lock_key(study_name)
    with connection.cursor() as cursor:
        row = cursor.execute(
            "SELECT l.pid, a.application_name, a.client_addr FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND l.classid::bigint = %s AND l.objid::bigint = %s",
            (key >> 32, key & 0xFFFFFFFF),
        ).fetchone()
    connection.rollback()
    if row is None:
        return None
    pid, name, address = row
    return f"{name or 'somebody else'}, from {address or 'this machine'}, session {pid}"


def _end_session(cursor: Any, token: str) -> None:
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE position(%s in application_name) > 0 AND pid <> pg_backend_pid()",
        (token,),
    )


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn what a database or Optuna says while it is opened into one clear error."""
    place = place_of(url)
    try:
        yield
    except TrialwiseError:
        raise
    except RuntimeError as error:
        if "storage upgrade" not in str(error) and "updating optuna" not in str(error):
            raise
        raise UserError(
            f"{place}: its studies were written by another version of Optuna than {optuna.__version__}",
            hint=f"after a backup: optuna storage upgrade --storage {url}"
            if "storage upgrade" in str(error)
            else "pip install --upgrade optuna",
        ) from None
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        raise _unusable(url, error) from None


def _unusable(url: str, error: BaseException) -> TrialwiseError:
    cause: Any = error
    while cause.__cause__ is not None and not hasattr(cause, "orig"):
        cause = cause.__cause__
    said = getattr(cause, "orig", cause)
    if isinstance(cause, sqlalchemy.exc.OperationalError) and hasattr(said, "pgconn"):
        return _no_connection(url, said)
    if "no such table" in str(said) or type(said).__name__ == "UndefinedTable":
        return UserError(f"{place_of(url)} holds no studies of Optuna")
    what = str(said).strip().splitlines()[0]
    at_once = any(words in what for words in ("already exists", "duplicate key", "UNIQUE constraint failed"))
    return (_MadeMeanwhileError if at_once else UserError)(f"{place_of(url)} cannot be used: {what}")


def _no_connection(url: str, error: Any) -> TrialwiseError:
    place = place_of(url)
    if error.pgconn is not None and error.pgconn.needs_password:
        return UserError(
            f"{place}: it asks for a password, and none was found",
            hint="export PGPASSWORD, or a line in ~/.pgpass; run folders keep no passwords",
        )
    said = " ".join(str(error).split())
    if error.pgconn is not None and error.pgconn.used_password:
        source = "the URL" if has_password(url) else "PGPASSWORD or ~/.pgpass"
        return UserError(f"{place}: {said}", hint=f"user and database come from --storage, the password from {source}")
    return WorkError(f"{place} cannot be reached: {said}", hint="is the server running, and the address right?")

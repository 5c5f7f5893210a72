"""Where a database of studies is: URLs checked and written without their passwords, and what they connect with."""

import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import sqlalchemy

from trialwise.base.errors import UserError
from trialwise.base.passwords import without_passwords

EXPECTED = "expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
# What the client side of a connection does so that a server that is gone is noticed within a minute.
_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 45_000,
}
SQLITE_WAIT_SECONDS = 30  # for another writer's transaction to end

_passwords: dict[str, str] = {}  # by URL without password; they live as long as this process and no longer


def storage_url(given: str) -> str:
    """The URL in the form that is written down: absolute, without its password.

    The password is remembered for the length of this process, for whoever opens that URL.

    Raises:
        UserError: It is no URL of SQLite or PostgreSQL; never with the password in the message.
    """
    if not given.startswith("sqlite") and any(character.isspace() for character in given):
        # Not shown: where a password with a space ends, nobody can tell.
        raise UserError("--storage: there is a space in the URL", hint="in a user name or password write it as %20")
    shown = without_passwords(given)
    try:
        parsed = sqlalchemy.make_url(given)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise UserError(f"--storage {shown}: {EXPECTED}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _sqlite_url(parsed, shown)
    if parsed.drivername not in _POSTGRES:
        raise UserError(f"--storage {shown}: {EXPECTED}", hint="the journal in the run folder needs no --storage")
    if "@" in (parsed.host or ""):
        raise UserError(
            f"--storage {shown}: there is more than one @",
            hint="in a user name or password write @ as %40, : as %3A, / as %2F, % as %25",
        )
    if not parsed.database:
        raise UserError(f"--storage {shown}: which database? {EXPECTED}")
    query = dict(parsed.query)
    in_query = query.pop("password", None)
    if any("password" in name.lower() for name in query):
        raise UserError(f"--storage {shown}: a key's password has no place in a URL", hint="libpq's ~/.pg_service.conf")
    password = parsed.password if isinstance(parsed.password, str) else in_query
    kept = sqlalchemy.URL.create(
        "postgresql",
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query=query,
    ).render_as_string()
    if isinstance(password, str) and password:
        _passwords[kept] = password
    return kept


def _sqlite_url(parsed: sqlalchemy.URL, shown: str) -> str:
    if not parsed.database or parsed.database == ":memory:":
        raise UserError(f"--storage {shown}: a study in memory would be lost", hint="sqlite:///FILE keeps it")
    if parsed.query or parsed.database.startswith("file:"):
        raise UserError(f"--storage {shown}: expected the path of a file and nothing after it: sqlite:///FILE")
    path = Path(parsed.database).absolute()
    if path.is_dir():
        raise UserError(f"--storage {shown}: {path} is a folder", hint=f"sqlite:///{parsed.database}/studies.db")
    if not path.parent.is_dir():
        raise UserError(f"--storage {shown}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"--storage {shown}: {path} cannot be written to")
    return sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()


def has_password(url: str) -> bool:
    """Whether this process was given a password for the URL."""
    return url in _passwords


def is_postgres(url: str) -> bool:
    """Whether a URL of `storage_url` is one of PostgreSQL."""
    return url.startswith("postgresql:")


def sqlite_file(url: str) -> Path:
    """The file of a SQLite URL of `storage_url`."""
    return Path(sqlalchemy.make_url(url).database or "")


def place_of(url: str) -> str:
    """What people call the place, for messages."""
    if not is_postgres(url):
        return str(sqlite_file(url))
    parsed = sqlalchemy.make_url(url)
    host = parsed.host or dict(parsed.query).get("host") or "the local socket"
    port = f":{parsed.port}" if parsed.port else ""
    return f"PostgreSQL at {host}{port}, database {parsed.database}"


def connect_arguments(url: str, *, who: str) -> dict[str, Any]:
    """What the database's client connects with beside the URL: the password (libpq asks the rest), keepalives, a name.

    Args:
        url: Of `storage_url`.
        who: The name of the connection, shown by the server in `pg_stat_activity`.
    """
    if not is_postgres(url):
        return {"timeout": SQLITE_WAIT_SECONDS}
    arguments = {**_ALIVE, "application_name": who}
    if url in _passwords:
        arguments["password"] = _passwords[url]
    given = sqlalchemy.make_url(url).query
    return {name: value for name, value in arguments.items() if name not in given}


def for_optuna(url: str) -> str:
    """The URL with its driver named, and with braces that Optuna will not take for a template."""
    driver = "postgresql+psycopg" if is_postgres(url) else "sqlite"
    text = sqlalchemy.make_url(url).set(drivername=driver).render_as_string(hide_password=False)
    return text.replace("{", "{{").replace("}", "}}")


def driver_name(token: str) -> str:
    """The name of a driver's connection: who it is, as `pg_stat_activity` shows it."""
    return f"trialwise {socket.gethostname()[:30]} {os.getpid()} {token}"


def lock_key(study_name: str) -> int:
    """The number of a study's lock, in [0, 2**63)."""
    digest = hashlib.blake2b(study_name.encode(), digest_size=8, person=b"trialwise").digest()
    return int.from_bytes(digest, "big") >> 1

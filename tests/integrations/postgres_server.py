"""A real PostgreSQL server for tests and benchmarks: in a temporary folder, with passwords, killed at will.

Debian's package `postgresql` has the programs. The server refuses to run as root, so root starts it as `postgres` or
`nobody`.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

ADMIN = "administrator"
USER = "trialwise"
PASSWORD = "top/s3cret@p{ss}:w%rd"  # every character that has a meaning in a URL or a template
START_SECONDS = 60


def programs_folder() -> Path | None:
    """The folder of initdb and postgres, of the newest version installed; None where there is none."""
    folders = [Path("/usr/lib/postgresql") / name / "bin" for name in _versions()]
    if shutil.which("pg_config"):
        done = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(done.stdout.strip() or "/nowhere"))
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _versions() -> list[str]:
    folder = Path("/usr/lib/postgresql")
    found = [path.name for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return sorted(found, key=int, reverse=True)


class PostgresServer:
    """A server of its own on 127.0.0.1, with a role `USER` that may make databases and must give `PASSWORD`.

    Attributes:
        port: Where it listens; the same after a restart.
        folder: Its temporary folder; `server.log` lies there.
    """

    def __init__(self, programs: Path, *, durable: bool = False) -> None:
        """Make the server and start it; `durable` where what is written must outlive a power cut (slower)."""
        self._programs = programs
        self._process: subprocess.Popen | None = None
        self._durable = durable
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="trialwise-postgres-"))
        self._user = _unprivileged_user()
        if self._user:
            shutil.chown(self.folder, self._user, pwd.getpwnam(self._user).pw_gid)
        secret = self.folder / "password"
        secret.write_text(f"{PASSWORD}\n")
        if self._user:
            shutil.chown(secret, self._user)
        self._run(
            "initdb",
            *("--pgdata", str(self.folder / "data"), "--username", ADMIN, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        self.start()
        self.sql(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        fast = [] if self._durable else ["-c", "fsync=off"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
                    *("-c", "shared_buffers=16MB", "-c", "max_connections=60", *fast),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, not for the server
                cwd=self.folder,
                **self._as_user(),
            )
        until = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes connections now."""
        ready = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """Stop it as an administrator would: connections are cut, nothing is lost."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # the server's "fast shutdown"
            self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """Kill the server and all its processes at once, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for path in self.folder.glob(".s.PGSQL.*"):  # else a new server asks whether the old one's lock is alive
            path.unlink(missing_ok=True)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop it as an administrator would, and start it again."""
        self.stop()
        self.start()

    def delete(self) -> None:
        """Stop it and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, password: str | None = PASSWORD) -> str:
        """Where `database` is, for SQLAlchemy and Optuna; without a password where that is None."""
        secret = f":{quote(password, safe='')}" if password is not None else ""
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """A new, empty database that `USER` owns; its URL with the password."""
        self.sql(f"CREATE DATABASE {name} OWNER {USER}")
        return self.url(name)

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """What the server's administrator is answered, unaligned and without headings."""
        done = subprocess.run(
            [
                *(str(self._programs / "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
                *("-h", "127.0.0.1", "-p", str(self.port), "-U", ADMIN, "-d", database, "-v", "ON_ERROR_STOP=1"),
                *("-c", statement),
            ],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **self._as_user())
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")

    def _as_user(self) -> dict:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}


def _unprivileged_user() -> str | None:
    """Whom root starts the server as; None where we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError("root must start PostgreSQL as another user, and there is neither postgres nor nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

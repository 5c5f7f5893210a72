"""Optuna's journal file, forced to disk ten times a second at most."""

import json
import os
import time
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

SECONDS_BETWEEN_SYNCS = 0.1


class Journal(JournalFileBackend):
    """A journal file whose lines are with the system at once and on the disk a tenth of a second later at most.

    Optuna waits for the disk after every line, several times a trial. What the system has, no killed process can
    lose; a power cut can lose the lines of the last tenth of a second. Where epochs take longer than that, every
    score reaches the disk before the next epoch begins.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_writer = JournalFileOpenLock(str(path))
        self._synced = 0.0
        super().__init__(str(path), lock_obj=self._one_writer)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write the lines at the file's end."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._one_writer.acquire()
        try:
            with self._path.open("ab") as file:
                file.write(lines.encode())
                file.flush()
                if time.monotonic() - self._synced >= SECONDS_BETWEEN_SYNCS:
                    os.fsync(file.fileno())
                    self._synced = time.monotonic()
        finally:
            self._one_writer.release()

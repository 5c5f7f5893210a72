"""What a trial costs in storage: in the journal, SQLite and PostgreSQL, beside plain Optuna on the same.

.venv/bin/python benchmarks/storage_overhead.py [TRIALS]
One trial is a proposal of two numbers at random, no report or ten, and its end; nothing is computed. Peers in the same
run: plain Optuna's ask, report and tell on the same kind of storage. PostgreSQL is Debian's, on this machine. All three
write through to the disk, four times a trial and once a report, so a disk that is busy with other work shows in all.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import RandomSampler
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from measured import write
from trialwise.base.seeds import child_seed
from trialwise.integrations.storage_urls import storage_url
from trialwise.integrations.storages import driving
from trialwise.tuning.spaces import Float
from trialwise.tuning.studies import Study

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integrations"))
from postgres_server import PostgresServer, programs_folder

NAMES = ("x", "y")
SPACE = {name: Float(low=0, high=1) for name in NAMES}


@contextmanager
def our_study(url: str | None, folder: Path) -> Iterator[Study]:
    folder.mkdir()
    if url is None:
        yield Study(folder, "minimize")
        return
    with driving(url, folder.name, say=print) as storage:
        yield Study(folder, "minimize", storage=storage, name=folder.name)


def ours(url: str | None, folder: Path, trials: int, reports: int) -> float:
    with our_study(url, folder) as study:
        start = time.perf_counter()
        for number in range(trials):
            study.ask(number, RandomSampler(seed=child_seed(0, number) % 2**32), SPACE)
            for epoch in range(1, reports + 1):
                study.report(number, epoch, 1 / epoch, {})
            study.tell(number, TrialState.COMPLETE, value=0.5)
        return time.perf_counter() - start


def plain(url: str | None, folder: Path, trials: int, reports: int) -> float:
    folder.mkdir()
    if url is None:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal")))
    else:
        storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(storage=storage, study_name=folder.name, sampler=RandomSampler(seed=0))
    start = time.perf_counter()
    for _ in range(trials):
        trial = study.ask({name: FloatDistribution(0, 1) for name in NAMES})
        for epoch in range(1, reports + 1):
            trial.report(1 / epoch, epoch)
        study.tell(trial, 0.5)
    seconds = time.perf_counter() - start
    if url is not None:
        storage.remove_session()
        storage.engine.dispose()
    return seconds


class Deleted:
    """A server that `closing` deletes."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    def close(self) -> None:
        self.server.delete()


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    programs = programs_folder()
    assert programs is not None, "PostgreSQL is not installed"
    figures: dict = {"trials": trials, "milliseconds_per_trial": {}}
    with tempfile.TemporaryDirectory() as name, closing(Deleted(PostgresServer(programs, durable=True))) as server:
        folder = Path(name)
        postgres = server.server.create_database("overhead")
        for reports in (0, 10):
            urls = {"journal": None, "postgresql": postgres, "sqlite": f"sqlite:///{folder}/{reports}.db"}
            for kind, url in urls.items():
                own = ours(storage_url(url) if url else None, folder / f"own-{kind}-{reports}", trials, reports)
                other = plain(url, folder / f"plain-{kind}-{reports}", trials, reports)
                row = {"trialwise": 1000 * own / trials, "plain optuna": 1000 * other / trials}
                figures["milliseconds_per_trial"][f"{kind}, {reports} reports"] = row
                print(kind, reports, row, file=sys.stderr)
    write("storage_overhead" + (f"_{trials}" if trials != 1000 else ""), figures)


if __name__ == "__main__":
    main()

"""Workers and drivers are killed at random; nothing is lost but the epochs in flight."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.spaces import Float
from trialwise.tuning.studies import JOURNAL, Study, exclusive
from trialwise.tuning.winner import counts
from trialwise.tuning.workers import InlinePool, ProcessPool

SPACE = {"x": Float(low=-1, high=1), "y": Float(low=-1, high=1)}
DEFAULT = {"x": 0.9, "y": 0.5}
PLAN = StudyPlan(budget=Budget(trials=18), max_epochs=9, direction="minimize", sampler="tpe", seed=5)
DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path({test!r}).parent))
if __name__ == "__main__":
    import test_survival
    test_survival.drive(Path({folder!r}), lockstep={lockstep})
"""


@dataclasses.dataclass(frozen=True)
class Slow:
    """Falls to x^2 + y^2; each epoch leaves a line in `epochs`, written before the checkpoint, and takes a moment."""

    seconds: float = 0.01

    def __call__(self, config, trial) -> Iterator[float]:
        trial.folder.mkdir(parents=True, exist_ok=True)
        (trial.folder / "checkpoint").touch()
        pids = trial.folder.parent.parent / "pids"
        pids.mkdir(exist_ok=True)
        (pids / str(os.getpid())).touch()
        for epoch in trial.remaining_epochs():
            time.sleep(self.seconds)
            with (trial.folder.parent.parent / "epochs").open("a") as log:
                log.write(f"{trial.number} {epoch}\n")
            yield config["x"] ** 2 + config["y"] ** 2 + 1 / epoch


def drive(folder: Path, *, lockstep: bool, pool=None) -> StudyOver:
    folder.mkdir(parents=True, exist_ok=True)
    plan, over = dataclasses.replace(PLAN, lockstep=lockstep), None
    with exclusive(folder), closing(pool or ProcessPool(Slow(), 2)) as pool:
        for event in run_study(Study(folder, "minimize"), SPACE, plan, pool, default=DEFAULT):
            over = event if isinstance(event, StudyOver) else over
    (folder / "over").touch()
    return over


def table(folder):
    return [(r.number, r.state, r.params, r.value, r.scores) for r in Study(folder).records()]


def kill_at_random(folder: Path, n_kills: int, *, lockstep: bool, seed: int) -> int:
    """Run the study to its end in a driver of its own, killing a worker or the driver now and then; the kills."""
    chance, killed, driver = random.Random(seed), 0, None
    folder.mkdir()
    script = folder / "driver.py"
    script.write_text(DRIVER.format(test=__file__, folder=str(folder), lockstep=lockstep))
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    while True:
        if driver is None or driver.poll() is not None:
            if driver is not None and driver.returncode == 0:
                return killed
            driver = subprocess.Popen([sys.executable, str(script)], env=environment)
        time.sleep(chance.uniform(0.05, 0.3))
        if killed >= n_kills or not (folder / JOURNAL).exists() or not (folder / "pids").exists():
            continue
        workers = [int(path.name) for path in (folder / "pids").iterdir() if _is_child(int(path.name), driver.pid)]
        victim = driver.pid if chance.random() < 0.15 or not workers else chance.choice(workers)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
        killed += 1
        if victim == driver.pid:
            driver.wait()


def _is_child(pid: int, parent: int) -> bool:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
    except (OSError, IndexError):
        return False


def check_survival(folder: Path, n_kills: int, *, lockstep: bool) -> None:
    killed = kill_at_random(folder / "killed", n_kills, lockstep=lockstep, seed=1)
    drive(folder / "whole", lockstep=lockstep, pool=InlinePool(Slow(0.0)))
    records = Study(folder / "killed").records()
    assert len(records) == 18
    assert counts(records)["failed"] == counts(records)["paused"] == 0
    for record in records:
        assert list(record.scores) == list(range(1, len(record.scores) + 1))
    done = (folder / "killed" / "epochs").read_text().split("\n")[:-1]
    n_epochs = sum(len(record.scores) for record in records)
    # The driver's death takes the epochs in flight of both its workers, that of a worker its own.
    assert n_epochs <= len(done) <= n_epochs + 2 * killed
    if lockstep:
        assert table(folder / "killed") == table(folder / "whole")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find workers")
@pytest.mark.parametrize("lockstep", [True, False])
def test_a_few_random_kills_lose_nothing_but_the_epochs_in_flight(tmp_path, lockstep):
    check_survival(tmp_path, 4, lockstep=lockstep)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find workers")
@pytest.mark.parametrize("lockstep", [True, False])
def test_a_hundred_random_kills_lose_nothing_but_the_epochs_in_flight(tmp_path, lockstep):
    check_survival(tmp_path, 100, lockstep=lockstep)


def test_a_worker_that_loses_its_driver_ends(tmp_path):
    """Two processes must never write one checkpoint."""
    folder = tmp_path / "study"
    folder.mkdir()
    script = folder / "driver.py"
    script.write_text(DRIVER.format(test=__file__, folder=str(folder), lockstep=True))
    driver = subprocess.Popen([sys.executable, str(script)])
    while not (folder / "pids").exists() or not list((folder / "pids").iterdir()):
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    workers = [int(path.name) for path in (folder / "pids").iterdir()]
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)

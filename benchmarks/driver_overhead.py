"""Claim: the driver costs at most 2.5 ms a trial, 12 ms with ten reports, and no more than twice that at 10,000 trials.

.venv/bin/python benchmarks/driver_overhead.py [TRIALS ...]
Wall time of a study whose objective costs nothing, on a journal file, in one process; the peer is Optuna's own
`study.optimize` on a journal in the same run, without and with ten reports and `should_prune` of its MedianPruner
(those at 1,000 trials alone).
Both propose at random: what a sampler costs is Optuna's, and the same for both; TPE is timed at 1,000 trials alone.
Memory is what the process grew by, at its largest, each study in a process of its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from measured import write
from trialwise.training.device import free_cores, usable_cores
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyPlan, run_study
from trialwise.tuning.spaces import Float
from trialwise.tuning.studies import Study
from trialwise.tuning.trials import Config, Trial
from trialwise.tuning.workers import InlinePool

SPACE = {"x": Float(low=-10, high=10), "y": Float(low=-10, high=10)}
N_REPORTS = 10
MOST_REPORTS_OF_OPTUNA = 10_000  # ten times that took longer than ten minutes


def free(config: Config, trial: Trial) -> Iterator[float]:
    """Scores that cost nothing."""
    for epoch in trial.remaining_epochs():
        yield config["x"] ** 2 + config["y"] ** 2 + 1 / epoch


def trialwise(folder: Path, n_trials: int, n_reports: int, sampler: str) -> None:
    plan = StudyPlan(
        budget=Budget(trials=n_trials),
        max_epochs=n_reports or 1,
        first_rung=n_reports or 1,  # all trials give all reports
        direction="minimize",
        sampler=sampler,
        seed=0,
    )
    with closing(InlinePool(free)) as pool:
        for _ in run_study(Study(folder, "minimize"), SPACE, plan, pool):
            pass


def plain_optuna(folder: Path, n_trials: int, n_reports: int, sampler: str) -> None:
    def objective(trial: optuna.Trial) -> float:
        config = {name: trial.suggest_float(name, p.low, p.high) for name, p in SPACE.items()}
        for epoch, score in enumerate(free(config, Trial(number=trial.number, seed=0, max_epochs=n_reports)), start=1):
            trial.report(score, epoch)
            trial.should_prune()
        return config["x"] ** 2 + config["y"] ** 2

    path = str(folder / "study.journal")
    made = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}[sampler](seed=0)
    storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    optuna.create_study(storage=storage, sampler=made).optimize(objective, n_trials=n_trials)


def measure(who: str, n_trials: int, n_reports: int, sampler: str) -> None:
    """In a process of its own: print milliseconds a trial and the mebibytes that it grew by."""
    run = {"trialwise": trialwise, "optuna": plain_optuna}[who]
    with tempfile.TemporaryDirectory() as warm:
        run(Path(warm), 20, n_reports, sampler)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        start, cpu = time.perf_counter(), time.process_time()
        run(Path(folder), n_trials, n_reports, sampler)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    figures = {"ms_per_trial": 1000 * seconds / n_trials, "cpu_ms_per_trial": 1000 * cpu_seconds / n_trials}
    print(json.dumps(figures | {"grown_mib": grown}))


def figures(who: str, n_trials: int, n_reports: int, sampler: str) -> dict[str, float]:
    arguments = [who, str(n_trials), str(n_reports), sampler]
    done = subprocess.run([sys.executable, __file__, "measure", *arguments], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(*arguments, {name: round(value, 2) for name, value in found.items()}, file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
        sys.exit()
    sizes = [int(size) for size in sys.argv[1:]] or [1_000, 10_000]
    is_idle = free_cores(2.0) == usable_cores()
    cases = [(n, reports, "random") for n in sizes for reports in (0, N_REPORTS)] + [(1_000, 0, "tpe")]
    write(
        "driver_overhead",
        {
            f"{n} trials, {reports} reports, {sampler}": {
                who: figures(who, n, reports, sampler)
                for who in ("trialwise", "optuna")
                if who == "trialwise" or n * reports <= MOST_REPORTS_OF_OPTUNA
            }
            for n, reports, sampler in cases
        }
        | {"machine_idle": is_idle},
    )

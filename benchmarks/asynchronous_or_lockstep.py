"""Claim: with two workers asynchronous halving spends the same epochs in less time than lockstep, which waits at rungs.

.venv/bin/python benchmarks/asynchronous_or_lockstep.py [EPOCHS_TOTAL] [SEEDS]
Both orders tune the same classifier of the built-in digits over the same space from the same seed, and end when they
have used as many epochs. Batch size and width are tuned, so trials differ in what an epoch costs, as they usually do.
The two take turns at going first.
"""

import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from measured import write
from trialwise.api.images.data import data_and_settings
from trialwise.base.settings import flat
from trialwise.images.objective import ImageObjective
from trialwise.images.settings import search_space
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import Study
from trialwise.tuning.workers import ProcessPool

WORKERS, EPOCHS = 2, 27


def spent(epochs_total: int, seed: int, *, lockstep: bool) -> dict:
    """Seconds, the best validation accuracy of a complete trial and how many trials were begun."""
    prepared, chosen = data_and_settings("digits", "auto", {"epochs": EPOCHS}, None, lambda event: None, tuning=True)
    space = space_from_document(search_space(chosen.settings, prepared.description.n_train))
    objective = ImageObjective(prepared=prepared, settings=chosen.settings, split_seed=seed, dtype="float32")
    plan = StudyPlan(
        budget=Budget(epochs=epochs_total),
        max_epochs=EPOCHS,
        first_rung=1,
        direction="maximize",
        sampler="tpe",
        seed=seed,
        lockstep=lockstep,
    )
    default = {name: flat(chosen.settings)[name] for name in space}
    with tempfile.TemporaryDirectory() as folder, closing(ProcessPool(objective, WORKERS)) as pool:
        study = Study(Path(folder), "maximize")
        start = time.perf_counter()
        over = next(
            event for event in run_study(study, space, plan, pool, default=default) if isinstance(event, StudyOver)
        )
        seconds = time.perf_counter() - start
        records = study.records()
    complete = [record.value for record in records if record.state == "complete"]
    return {"seconds": seconds, "epochs": over.epochs, "trials": len(records), "best": max(complete)}


if __name__ == "__main__":
    epochs_total, n_seeds = (int(given) for given in (*sys.argv[1:], *("405", "5")[len(sys.argv) - 1 :]))
    rows = []
    for seed in range(n_seeds):
        orders = (False, True) if seed % 2 else (True, False)
        row = {
            "lockstep" if lockstep else "asynchronous": spent(epochs_total, seed, lockstep=lockstep)
            for lockstep in orders
        }
        print(row, file=sys.stderr, flush=True)
        rows.append(row)
    per_epoch = {name: [row[name]["seconds"] / row[name]["epochs"] for row in rows] for name in rows[0]}
    write(
        "asynchronous_or_lockstep",
        {
            "seeds": rows,
            "seconds_an_epoch": {name: statistics.median(values) for name, values in per_epoch.items()},
            "lockstep_over_asynchronous": statistics.median(
                slow / fast for slow, fast in zip(per_epoch["lockstep"], per_epoch["asynchronous"], strict=True)
            ),
            "median_best": {name: statistics.median(row[name]["best"] for row in rows) for name in rows[0]},
            "epochs_total": epochs_total,
            "workers": WORKERS,
        },
    )

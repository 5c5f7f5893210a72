"""Claim: the report on a study of 5,000 trials is below 3 MB and opens in chromium in less than 2 seconds.

.venv/bin/python benchmarks/report_size.py [TRIALS ...]
A study of a synthetic objective (27 epochs, two failures in a hundred, six parameters, a reason for each failure) runs
through `trialwise.tune` as any other, proposed at random. Measured: the bytes of its page, the seconds that writing it
takes, and those until chromium has it drawn, from navigation to the frame after the load event. The peer, opened
alternately in the same browser, is an empty page. Sorting the table of all trials by value is timed as well.
"""

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reports"))

from browser import Page, browser, program

from measured import spread, write
from trialwise import Choice, Float, Int, api, tune
from trialwise.base.runs import RunFolder
from trialwise.tuning.trials import Config, Trial

REPEATS = 7
SPACE = {
    "learning_rate": Float(low=1e-5, high=1e-1, log=True, default=1e-3),
    "weight_decay": Float(low=1e-6, high=1e-2, log=True, default=1e-4),
    "dropout": Float(low=0.0, high=0.6, default=0.0),
    "width": Int(low=8, high=512, log=True, default=64),
    "batch_size": Choice(choices=(16, 32, 64, 128), default=64),
    "optimizer": Choice(choices=("adam", "sgd"), default="adam"),
}
SORT = "[...document.querySelectorAll('th button')].find((head) => head.textContent === 'value').click()"


def objective(config: Config, trial: Trial) -> Iterator[float]:
    """Losses like those of a training, without one."""
    miss = (math.log10(config["learning_rate"]) + 2.7) ** 2 / 4 + config["dropout"] / 3 + 8 / config["width"]
    trial.notes["n_params"] = 400 * config["width"]
    for epoch in trial.remaining_epochs():
        if trial.number % 50 == 49:
            raise FloatingPointError(f"the loss is not a number with learning_rate {config['learning_rate']:.3g}")
        yield 0.2 + miss + 2 / epoch + (trial.seed % 997) / 5000


def study(folder: Path, n_trials: int) -> RunFolder:
    search = {"trials": n_trials, "sampler": "random", "workers": 1, "confirm": 0}
    return tune(objective, SPACE, epochs=27, search=search, out=folder)


def seconds_to_open(page: Page, path: Path) -> float:
    start = time.perf_counter()
    page.open(path)
    return time.perf_counter() - start


def seconds_to_sort(page: Page) -> float:
    start = time.perf_counter()
    page.run(f"{SORT}; new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return time.perf_counter() - start


def measure(folder: Path, n_trials: int) -> dict[str, Any]:
    """Bytes and seconds of the report on a study of so many trials."""
    run, empty = study(folder / f"{n_trials}", n_trials), folder / "empty.html"
    empty.write_text("<!doctype html><title>empty</title>")
    writing, opening, sorting, opening_empty = [], [], [], []
    with browser() as page:
        for _ in range(REPEATS):
            start = time.perf_counter()
            report = api.report([run])
            writing.append(time.perf_counter() - start)
            opening_empty.append(seconds_to_open(page, empty))
            opening.append(seconds_to_open(page, report))
            sorting.append(seconds_to_sort(page))
            assert not page.problems(), page.problems()
    return {
        "counts": run.result["counts"],
        "bytes": report.stat().st_size,
        "csv_bytes": (run.path / "trials.csv").stat().st_size,
        "seconds_to_write": spread(writing),
        "seconds_to_open": spread(opening),
        "seconds_to_sort": spread(sorting),
        "seconds_to_open_an_empty_page": spread(opening_empty),
    }


if __name__ == "__main__":
    if not program():
        sys.exit("no chromium: apt-get install chromium")
    sizes = [int(size) for size in sys.argv[1:]] or [50, 5000]
    with tempfile.TemporaryDirectory() as made:
        write("report_size", {f"{n} trials": measure(Path(made), n) for n in sizes} | {"machine_idle": False})

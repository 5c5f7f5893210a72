"""Claim: help in half a second, the demo in well under 90 s, the shifted quadratic below 1e-2 in 50 trials.

Run on an idle machine: .venv/bin/python benchmarks/first_light.py
Peers in the same run: a bare Python start, and Optuna's own default sampler on the same quadratic and seeds.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna

from measured import spread, write

SEEDS = range(10)
TRIALS = 50


def seconds_of(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def trialwise(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "trialwise", *arguments)


def optuna_best(seed: int) -> float:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(
        lambda trial: (trial.suggest_float("x", -10, 10) - 3.7) ** 2 + (trial.suggest_float("y", -10, 10) + 2.1) ** 2,
        n_trials=TRIALS,
    )
    return study.best_value


def trialwise_best(seed: int, folder: Path) -> tuple[float, float]:
    arguments = ("optimize", "quadratic", "--trials", str(TRIALS), "--seed", str(seed), "--json")
    out = subprocess.run(
        trialwise(*arguments, "--out", str(folder / str(seed))), capture_output=True, check=True, text=True
    )
    found = json.loads(out.stdout)
    return found["best_value"], found["seconds"]


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        starts = {"python": [], "trialwise --help": [], "trialwise image train --help": []}
        for _ in range(7):
            starts["python"].append(seconds_of(sys.executable, "-c", "pass"))
            starts["trialwise --help"].append(seconds_of(*trialwise("--help")))
            starts["trialwise image train --help"].append(seconds_of(*trialwise("image", "train", "--help")))
        demos = [seconds_of(*trialwise("demo", "--out", str(folder / f"demo{i}"))) for i in range(3)]
        found = [trialwise_best(seed, folder) for seed in SEEDS]
        peers = [optuna_best(seed) for seed in SEEDS]
    write(
        "first_light",
        {
            "start_seconds": {command: spread(seconds) for command, seconds in starts.items()},
            "demo_seconds": spread(demos),
            "quadratic_50_trials_best_value": {
                "trialwise": spread([value for value, _ in found]),
                "optuna default": spread(peers),
            },
            "quadratic_50_trials_seconds": spread([seconds for _, seconds in found]),
            "seeds": list(SEEDS),
        },
    )


if __name__ == "__main__":
    main()

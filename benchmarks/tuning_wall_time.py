"""Claim: a study reaches the same validation accuracy at least three times sooner than the plain Optuna script.

And at least two times sooner than Ray Tune with ASHA and OptunaSearch (`ray_tune_peer.py`; needs `ray[tune]`).

.venv/bin/python benchmarks/tuning_wall_time.py FOLDER [TRIALS] [EPOCHS] [SEEDS] [IMAGES_PER_CLASS]
FOLDER holds the training images as class folders, e.g. CIFAR-10's `train`; of each class the first 1,000 are taken.
Everybody trains the same objective (the house's network and training) over the same space with two workers. The plain
script is `study.optimize(n_jobs=2)` with Optuna's defaults (TPE, MedianPruner). It runs TRIALS trials; the accuracy
compared is the best that any of its trials had after any epoch, and the figure is the wall time until somebody first
had as much, its workers' start included. trialwise and Ray Tune stop there, or when they have used as much time as the
plain script took; against Ray Tune the accuracy compared is the best that both came to. trialwise begins with the
recipe's own configuration, as it comes; `reached_by_trial` 0 says that this one alone was enough.
"""

import dataclasses
import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import optuna
import torch

from measured import results_file, write
from ray_tune_peer import ray_tune
from trialwise.api.images.data import data_and_settings
from trialwise.base.seeds import child_seed
from trialwise.base.settings import flat
from trialwise.images.objective import ImageObjective
from trialwise.images.settings import first_rung_epochs, search_space
from trialwise.training.device import number_format, pick_device
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyPlan, run_study
from trialwise.tuning.samplers import choose_sampler
from trialwise.tuning.spaces import Choice, Float, Int, Parameter, Space, space_from_document
from trialwise.tuning.studies import Study
from trialwise.tuning.trials import Trial
from trialwise.tuning.workers import ProcessPool

WORKERS = 2
Curve = list[tuple[float, float]]  # seconds since the start, the best validation accuracy so far


def part_of(folder: Path, into: Path, n_per_class: int) -> None:
    """Links to the first images of each class."""
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        (into / kind.name).mkdir(parents=True)
        for image in sorted(kind.iterdir())[:n_per_class]:
            (into / kind.name / image.name).symlink_to(image.resolve())


@dataclasses.dataclass
class Best:
    """The best accuracy over time."""

    start: float = dataclasses.field(default_factory=time.perf_counter)
    curve: Curve = dataclasses.field(default_factory=list)

    def offer(self, score: float) -> None:
        if not self.curve or score > self.curve[-1][1]:
            self.curve.append((time.perf_counter() - self.start, score))


def suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> object:
    """The parameter's value, as a script would ask for it."""
    match parameter:
        case Float(low=low, high=high, log=log):
            return trial.suggest_float(name, low, high, log=log)
        case Int(low=low, high=high, log=log):
            return trial.suggest_int(name, low, high, log=log)
        case Choice(choices=choices):
            return trial.suggest_categorical(name, choices)


def plain_script(
    objective: ImageObjective, space: Space, folder: Path, *, trials: int, epochs: int, seed: int
) -> Curve:
    """The curve of Optuna as it comes."""
    best, lock = Best(), threading.Lock()

    def value_of(trial: optuna.Trial) -> float:
        config = {name: suggest(trial, name, parameter) for name, parameter in space.items()}
        run = Trial(
            number=trial.number,
            seed=child_seed(seed, "trial", trial.number),
            max_epochs=epochs,
            folder=folder / str(trial.number),
        )
        run.folder.mkdir()
        score = 0.0
        with closing(objective(config, run)) as scores:
            for epoch, score in enumerate(scores, start=1):
                with lock:
                    best.offer(score)
                trial.report(score, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
        return score

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(value_of, n_trials=trials, n_jobs=WORKERS)
    return best.curve


def trialwise(
    objective: ImageObjective,
    space: Space,
    folder: Path,
    *,
    minutes: float,
    target: float,
    epochs: int,
    first_rung: int,
    seed: int,
) -> tuple[Curve, int | None]:
    """The curve of a study with its default, asynchronous halving and as much time; the trial that had the target."""
    best = Best()
    plan = StudyPlan(
        budget=Budget(minutes=minutes),
        max_epochs=epochs,
        first_rung=first_rung,
        direction="maximize",
        sampler=choose_sampler("auto", space, pruning=True, has_default=True).name,
        seed=seed,
    )
    default = {name: flat(objective.settings)[name] for name in space}
    with closing(ProcessPool(objective, WORKERS)) as pool:
        for event in run_study(Study(folder, "maximize"), space, plan, pool, default=default):
            if getattr(event, "kind", "") == "score":
                best.offer(event.score)
                if event.score >= target:
                    return best.curve, event.number
    return best.curve, None


def against_ray(ours: Curve, ray: Curve) -> dict:
    """Seconds until each first had the best that both came to, and Ray Tune's best in the same time."""
    common = min(ours[-1][1], ray[-1][1])
    ours_at, ray_at = (next(at for at, score in curve if score >= common) for curve in (ours, ray))
    return {
        "accuracy": common,
        "ray_tune_best_in_that_time": ray[-1][1],
        "ray_tune_seconds": ray_at,
        "trialwise_seconds": ours_at,
        "factor": ray_at / ours_at,
    }


def compare(data: str, *, trials: int, epochs: int, seed: int) -> dict:
    """Seconds until each first had what the plain script ended with."""
    prepared, chosen = data_and_settings(data, "auto", {"epochs": epochs}, None, lambda event: None, tuning=True)
    n_train = prepared.description.n_train
    space = space_from_document(search_space(chosen.settings, n_train))
    dtype = str(number_format(pick_device()).dtype).removeprefix("torch.")
    objective = ImageObjective(prepared=prepared, settings=chosen.settings, split_seed=seed, dtype=dtype)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        start = time.perf_counter()
        plain = plain_script(objective, space, Path(one), trials=trials, epochs=epochs, seed=seed)
        seconds = time.perf_counter() - start
        first_rung = first_rung_epochs(chosen.settings, n_train)
        target = plain[-1][1]
        ours, by_trial = trialwise(
            objective,
            space,
            Path(two),
            minutes=seconds / 60,
            target=target,
            epochs=epochs,
            first_rung=first_rung,
            seed=seed,
        )
    ray = ray_tune(
        objective,
        space,
        trials=trials,
        epochs=epochs,
        first_rung=first_rung,
        seconds=seconds,
        target=target,
        seed=seed,
    )
    reached = next((at for at, score in ours if score >= target), None)
    found = {
        "accuracy": target,
        "optuna_seconds": plain[-1][0],
        "trialwise_seconds": reached,
        "reached_by_trial": by_trial,
        "factor": plain[-1][0] / reached if reached else 0.0,  # 0: not in the time that the plain script took
        "seconds_of_the_plain_script": seconds,
        "trialwise_best_in_that_time": ours[-1][1],
        "ray_tune": against_ray(ours, ray),
    }
    print(found, file=sys.stderr, flush=True)
    return found


def kept(sizes: dict[str, int]) -> list[dict]:
    """The seeds that an earlier call with these sizes put on record: each takes a quarter of an hour."""
    path = results_file("tuning_wall_time")
    figures = json.loads(path.read_text())["figures"] if path.exists() else {}
    return figures["seeds"] if sizes.items() <= figures.items() else []


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    trials, epochs, n_seeds, n_per_class = (
        int(given) for given in (*sys.argv[2:], *("20", "18", "3", "1000")[len(sys.argv) - 2 :])
    )
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sizes = {"trials": trials, "epochs": epochs, "images_per_class": n_per_class, "workers": WORKERS}
    rows = kept(sizes)
    with tempfile.TemporaryDirectory() as part:
        part_of(folder, Path(part) / "images", n_per_class)
        for seed in range(len(rows), n_seeds):
            rows.append(compare(str(Path(part) / "images"), trials=trials, epochs=epochs, seed=seed))
            against_ray_tune = statistics.median(row["ray_tune"]["factor"] for row in rows)
            figures = {"seeds": rows, "median_factor": statistics.median(row["factor"] for row in rows)}
            write("tuning_wall_time", figures | {"median_factor_against_ray_tune": against_ray_tune} | sizes)

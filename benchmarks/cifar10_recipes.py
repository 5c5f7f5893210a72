"""Claim: what each CIFAR-10 recipe costs and gives, over seeds; the test rows are read once for each seed.

Run: .venv/bin/python benchmarks/cifar10_recipes.py DATA RECIPE [--epochs N] [--max-params N] [--per-class N]
     [--threads N] [SEED ...]
DATA is cifar10, or a folder or an archive of it; with --per-class a folder, of which that many training images of
each class are used (the first by name) and all test images. What is written are medians and spread of plain test
accuracy, of the validation accuracy beside it, of the training's seconds and of its peak memory; seeds of earlier
calls with the same settings are kept. Seconds are those of trainings on all cores, for which the machine must be
idle.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measured import results_file, spread, write
from trialwise.training.device import usable_cores


def one_seed(data: str, recipe: str, seed: int, folder: Path, *options: str) -> dict:
    run = str(folder / f"{recipe}-{seed}")
    command = [sys.executable, "-m", "trialwise", "image"]
    arguments = ["train", data, "--recipe", recipe, "--seed", str(seed), "--out", run, "--json", *options]
    trained = json.loads(subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE).stdout)
    peak_memory = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest child so far
    evaluated = [*command, "evaluate", run, "--tta", "--json"]
    test = json.loads(subprocess.run(evaluated, check=True, stdout=subprocess.PIPE).stdout)["test"]
    found = {
        "seed": seed,
        "n_params": trained["n_params"],
        "epochs": trained["epochs"],
        "threads": trained["threads"],
        "train_seconds": trained["seconds"]["train"],
        "valid_accuracy": trained["valid"]["accuracy"],
        "test_accuracy": test["accuracy"],
        "test_ci95": test["ci95"],
        "test_accuracy_tta": test.get("accuracy_tta"),
        "peak_memory_bytes": peak_memory,
        "settings": json.loads(Path(run, "run.json").read_text())["settings"]["train"],
    }
    print(json.dumps(found), file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("recipe")
    parser.add_argument("seeds", nargs="*", type=int, default=range(5))
    parser.add_argument("--epochs")
    parser.add_argument("--max-params")
    parser.add_argument("--threads")
    parser.add_argument("--per-class", type=int)
    given = parser.parse_intermixed_args()  # seeds may follow options
    chosen = {"epochs": given.epochs, "max-params": given.max_params}
    in_name = chosen | {"per-class": given.per_class}
    name = "_".join(
        [given.recipe, *(f"{value}_{option.replace('-', '_')}" for option, value in in_name.items() if value)]
    )
    options = [f"--{key}={value}" for key, value in (chosen | {"threads": given.threads}).items() if value]
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            data = given.data if given.per_class is None else fewer(given.data, given.per_class, Path(folder))
            found = one_seed(data, given.recipe, seed, Path(folder), *options)
        with_earlier = {one["seed"]: one for one in earlier(name, found)} | {seed: found}
        write(name, summary(given, [with_earlier[seed] for seed in sorted(with_earlier)]))


def fewer(data: str, per_class: int, folder: Path) -> str:
    """A folder that links to the first images of every class in `data/train`, and to all of `data/test`."""
    few = folder / Path(data).name
    for of_class in sorted(Path(data, "train").iterdir()):
        (few / "train" / of_class.name).mkdir(parents=True)
        for file in sorted(of_class.iterdir())[:per_class]:
            os.link(file, few / "train" / of_class.name / file.name)
    shutil.copytree(Path(data, "test"), few / "test", copy_function=os.link)
    return str(few)


def earlier(name: str, found: dict) -> list[dict]:
    """The seeds of earlier calls whose training had the same settings."""
    path = results_file(name)
    seeds = json.loads(path.read_text())["figures"]["seeds"] if path.exists() else []
    return [one for one in seeds if one.get("settings") == found["settings"]]


def summary(given: argparse.Namespace, found: list[dict]) -> dict:
    figures = {
        key: spread([one[key] for one in found if one[key] is not None])
        for key in ("valid_accuracy", "test_accuracy", "test_accuracy_tta", "peak_memory_bytes")
    }
    # Only a training that had the machine to itself tells how long it takes.
    on_all_cores = [one["train_seconds"] for one in found if one["threads"] == usable_cores()]
    figures["train_seconds"] = spread(on_all_cores) if on_all_cores else None
    figures |= {key: found[0][key] for key in ("n_params", "epochs")} | {"per_class": given.per_class}
    return {"data": Path(given.data).name, "recipe": given.recipe, **figures, "seeds": found}


if __name__ == "__main__":
    main()

"""Claim: what each CIFAR-10 recipe costs and gives, over seeds; the test rows are read once for each seed.

Run on an idle machine: .venv/bin/python benchmarks/cifar10_recipes.py DATA RECIPE [--epochs N] [SEED ...]
DATA is cifar10, or a folder or an archive of it. What is written are medians and spread of plain test accuracy, of
the validation accuracy beside it, of the training's seconds and of the process's peak memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from measured import spread, write


def one_seed(data: str, recipe: str, seed: int, folder: Path, *options: str) -> dict:
    run = str(folder / f"{recipe}-{seed}")
    command = [sys.executable, "-m", "trialwise", "image"]
    arguments = ["train", data, "--recipe", recipe, "--seed", str(seed), "--out", run, "--json", *options]
    trained = json.loads(subprocess.run([*command, *arguments], check=True, stdout=subprocess.PIPE).stdout)
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
    }
    print(json.dumps(found), file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("recipe")
    parser.add_argument("seeds", nargs="*", type=int, default=range(5))
    parser.add_argument("--epochs")
    given = parser.parse_args()
    data, recipe = given.data, given.recipe
    options = ["--epochs", given.epochs] if given.epochs else []
    with tempfile.TemporaryDirectory() as name:
        found = [one_seed(data, recipe, seed, Path(name), *options) for seed in given.seeds]
    measured = ("train_seconds", "valid_accuracy", "test_accuracy", "test_accuracy_tta")
    figures = {key: spread([one[key] for one in found if one[key] is not None]) for key in measured}
    figures |= {key: found[0][key] for key in ("n_params", "epochs", "threads")}
    figures["peak_memory_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    write(
        f"{recipe}_{given.epochs}_epochs" if given.epochs else recipe,
        {"data": Path(data).name, "recipe": recipe, **figures, "seeds": found},
    )


if __name__ == "__main__":
    main()

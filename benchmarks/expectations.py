"""Claim: what `image train --minutes` says beforehand was measured; this writes it down from `results/`.

Run after `cifar10_recipes.py`, whose results of networks under 200,000 parameters it gathers:
.venv/bin/python benchmarks/expectations.py
"""

import json
import statistics
from pathlib import Path

from measured import RESULTS

PLACE = Path(__file__).parents[1] / "src/trialwise/images/data/cifar10_measured.json"
SMALLEST = 150_000


def gathered() -> list[dict]:
    """The records of `images.expectations.Measured`: trainings of one length together, wherever they ran."""
    alike: dict[tuple[int, int], list[float]] = {}
    for path in sorted(RESULTS.glob("cifar10_*.json")):
        figures = json.loads(path.read_text())["figures"]
        if SMALLEST <= figures["n_params"] <= 200_000:
            accuracies = [seed["test_accuracy"] for seed in figures["seeds"]]
            alike.setdefault((figures["epochs"], figures["n_params"]), []).extend(accuracies)
    return [
        {"epochs": epochs, "n_params": n_params, "n_seeds": len(found), "accuracy": statistics.median(found)}
        for (epochs, n_params), found in sorted(alike.items())
    ]


if __name__ == "__main__":
    PLACE.write_text(json.dumps(gathered(), indent=2) + "\n")
    print(PLACE.read_text())

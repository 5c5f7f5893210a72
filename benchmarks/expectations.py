"""Claim: what `image train --minutes` says beforehand was measured; this writes it down from `results/`.

Run after `cifar10_recipes.py`, whose results of networks under 200,000 parameters it gathers:
.venv/bin/python benchmarks/expectations.py
"""

import json
from pathlib import Path

from measured import RESULTS

PLACE = Path(__file__).parents[1] / "src/trialwise/images/data/cifar10_measured.json"
SMALLEST = 150_000


def gathered() -> list[dict]:
    """The records of `images.expectations.Measured`."""
    found = []
    for path in sorted(RESULTS.glob("cifar10_*.json")):
        figures = json.loads(path.read_text())["figures"]
        if not SMALLEST <= figures["n_params"] <= 200_000:
            continue
        found.append(
            {
                "epochs": figures["epochs"],
                "n_params": figures["n_params"],
                "n_seeds": len(figures["seeds"]),
                "accuracy": figures["test_accuracy"]["median"],
            }
        )
    return sorted(found, key=lambda record: record["epochs"])


if __name__ == "__main__":
    PLACE.write_text(json.dumps(gathered(), indent=2) + "\n")
    print(PLACE.read_text())

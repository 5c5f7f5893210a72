"""Claim: `price backtest` in under 15 s from a cold start, import in under 2 s, 100 pruned trials in under 120 s.

.venv/bin/python benchmarks/price_start.py
Each command is a process of its own, five seeds. Peers in the same run: a bare Python start, and `import torch`.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measured import spread, write

SEEDS = range(5)


def seconds_of(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    python, trialwise = (sys.executable, "-c"), (sys.executable, "-m", "trialwise", "price")
    imports = {
        "python": "pass",
        "torch": "import torch",
        "trialwise.api.backtest": "from trialwise import api; api.backtest",
    }
    starts = {name: spread([seconds_of(*python, code) for _ in SEEDS]) for name, code in imports.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cold, stopped = [], []
        for seed in SEEDS:
            common = ("--seed", str(seed), "--json", "--out")
            cold.append(seconds_of(*trialwise, "backtest", *common, str(folder / f"backtest-{seed}")))
            stopped.append(seconds_of(*trialwise, "tune", "--trials", "100", *common, str(folder / f"tune-{seed}")))
        tuned = [json.loads((folder / f"tune-{seed}" / "run.json").read_text())["result"] for seed in SEEDS]
    write(
        "price_start",
        {
            "import_seconds": starts,
            "backtest_seconds": spread(cold),
            "tune_100_trials_seconds": spread(stopped),
            "tune_counts": [result["counts"] for result in tuned],
            "tune_workers": [result["workers"] for result in tuned],
            "best / default": [[result["best"]["value"], result["default"]["value"]] for result in tuned],
            "seeds": list(SEEDS),
            "machine_idle": False,
        },
    )


if __name__ == "__main__":
    main()

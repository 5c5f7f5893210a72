"""Claim: the volatility of a stock's next day is forecast better than by the 22-day rolling mean.

.venv/bin/python benchmarks/price_volatility.py FILE.csv ...
Each file is walked with the last 20 % of its days as test, once a seed. What is written by file and model: QLIKE skill
against the rolling mean with its interval and p, and against log-HAR (seed 0), the skill of every seed, and the seconds
of training and walking. The figures of seeds differ in the LSTM and in what contains it. Seconds are of one thread.
"""

import sys
import time
from pathlib import Path

from measured import spread, write
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable, first_rows
from trialwise.prices.volatility import VolatilityResult, run_volatility, train_volatility_models

SEEDS = (0, 1, 2)
TEST_FRACTION = 0.2


def walked(table: PriceTable, seed: int) -> tuple[VolatilityResult, float]:
    """The result of one seed, and its seconds."""
    start = time.perf_counter()
    first = split_rows(len(table), TEST_FRACTION).test.start
    trained = train_volatility_models(first_rows(table, first), seed=seed)
    return run_volatility([(first, trained)], table, seed=seed), time.perf_counter() - start


def figures_of(table: PriceTable) -> dict:
    results, seconds = zip(*(walked(table, seed) for seed in SEEDS), strict=True)
    models = {row["name"]: row for row in results[0].to_document()}
    for i, name in enumerate(models):
        models[name]["skill_by_seed"] = [result.scores[i].qlike_skill for result in results]
    return {
        "first_date": str(table.dates[0]),
        "n_days": len(table),
        "n_test": len(results[0].actual),
        "target": results[0].target,
        "models": models,
        "left_out": dict(results[0].left_out),
        "verdict": results[0].verdict,
        "seconds": spread(list(seconds)),
    }


if __name__ == "__main__":
    embedded = {f"embedded {name}": embedded_prices(name) for name in ("AAPL", "IBM", "MSFT")}
    walked(read_prices(embedded["embedded AAPL"]), 0)  # arch is imported here, not in the first file's seconds
    files = embedded | {path.stem: path for path in map(Path, sys.argv[1:])}
    write(
        "price_volatility",
        {
            "files": {name: figures_of(read_prices(path)) for name, path in files.items()},
            "seeds": list(SEEDS),
            "test_fraction": TEST_FRACTION,
            "machine_idle": False,
        },
    )

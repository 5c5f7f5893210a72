"""Claim: on random walks a claim of skill in at most 5 % of backtests, and never more than 0.5 % worse than naive.

.venv/bin/python benchmarks/price_random_walks.py FILE.csv ...
200 simulated walks of 600 days, half with Gaussian moves and half with GARCH and Student's t, are backtested whole, one
day and five days ahead. Then every real file (those embedded, and those named) with five seeds.
"""

import sys
from pathlib import Path

import numpy as np

from measured import write
from trialwise.prices.backtest import BacktestResult, run_backtest
from trialwise.prices.direction import claims_direction
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings, WalkSettings
from trialwise.prices.table import PriceTable
from trialwise.prices.verdict import claims_skill

WALKS, DAYS, SEEDS = 200, 600, range(5)


def walk(number: int) -> PriceTable:
    """Closes without any memory of direction."""
    generator = np.random.default_rng(number)
    if number % 2:
        noise = generator.standard_t(5, DAYS) * np.sqrt(3 / 5)
        returns, variance = np.zeros(DAYS), 1e-4
        for day in range(DAYS):
            returns[day] = np.sqrt(variance) * noise[day]
            variance = 5e-6 + 0.1 * returns[day] ** 2 + 0.85 * variance
    else:
        returns = 0.01 * generator.standard_normal(DAYS)
    return PriceTable(
        name=f"walk {number}",
        dates=np.busday_offset("2010-01-04", np.arange(DAYS), roll="forward"),
        close=100 * np.exp(np.cumsum(returns)),
        volume=np.exp(16 + 0.4 * generator.standard_normal(DAYS)),
    )


def claims(result: BacktestResult) -> tuple[bool, bool]:
    """Whether any model of closes, and whether any of direction, is called better than its measure."""
    n = sum(score.dm_p is not None for score in result.scores)
    m = sum(score.dm_p is not None for score in result.direction)
    return (
        any(claims_skill(score, n) for score in result.scores),
        any(claims_direction(score, m) for score in result.direction),
    )


def lstm_over_naive(result: BacktestResult) -> float:
    return next(score.rmse_over_naive for score in result.scores if score.name == "lstm")


def main() -> None:
    walks, files = {}, {}
    for horizon in (1, 5):
        settings = BacktestSettings(walk=WalkSettings(horizon=horizon))
        found = [run_backtest(walk(number), settings, seed=number) for number in range(WALKS)]
        closes, directions = zip(*map(claims, found), strict=True)
        ratios = [lstm_over_naive(result) for result in found]
        walks[f"{horizon} days ahead"] = {
            "walks": WALKS,
            "claims of closes": sum(closes),
            "claims of direction": sum(directions),
            "largest lstm / naive": max(ratios),
            "lstm believed at all": sum(ratio != 1.0 for ratio in ratios),
        }
        print(walks, file=sys.stderr)
        named = {f"embedded {name}": embedded_prices(name) for name in ("AAPL", "IBM", "MSFT")}
        for name, path in (named | {path.stem: path for path in map(Path, sys.argv[1:])}).items():
            table = read_prices(path)
            of_seeds = [lstm_over_naive(run_backtest(table, settings, seed=seed)) for seed in SEEDS]
            files.setdefault(name, {})[f"{horizon} days ahead, lstm / naive by seed"] = of_seeds
    write("price_random_walks", {"random walks": walks, "files": files, "seeds": list(SEEDS)})


if __name__ == "__main__":
    main()

"""A tuned LSTM beside the untuned default on the same test days, which `backtest` has opened.

Legend: N test days.
"""

import dataclasses
from typing import Any

import numpy as np

from trialwise.base.seeds import numpy_generator
from trialwise.prices.backtest import BacktestResult, lstm_forecast
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import first_rows
from trialwise.prices.train import train_lstm
from trialwise.statistics.comparisons import block_bootstrap_interval, block_days, diebold_mariano

SIGNIFICANT = 0.05


def beside_untuned(result: BacktestResult, untuned: BacktestSettings, *, seed: int) -> dict[str, Any]:
    """How much smaller the tuned LSTM's squared errors are than the default's, trained on the same days and seeds.

    Args:
        result: Of the tuned one.
        untuned: The default's settings; the walk and the test days are the tuned one's.
        seed: The backtest's.

    Returns:
        "gain", the share of the default's mean squared error that is gone (below 0 where it has grown), its 95 %
        "interval" (block bootstrap), the Diebold-Mariano "p_value", "rmse" of both, and a "verdict".
    """
    tuned = result.trained.settings
    settings = dataclasses.replace(untuned, test_fraction=tuned.test_fraction, walk=tuned.walk, configurations_tried=1)
    ends = [*(fit.first_row for fit in result.fits[1:]), len(result.table)]
    parts = []
    for fit, end in zip(result.fits, ends, strict=True):
        trained = train_lstm(first_rows(result.table, fit.first_row - tuned.horizon + 1), settings, seed=seed)
        parts.append(lstm_forecast(trained, first_rows(result.table, end), fit.first_row))
    forecasts = {"tuned": result.forecasts["lstm"], "untuned": np.concatenate(parts)}
    losses_N2 = np.stack([(result.actual - forecast) ** 2 for forecast in forecasts.values()], axis=1)
    rmse = dict(zip(forecasts, np.sqrt(losses_N2.mean(axis=0)).tolist(), strict=True))
    test = diebold_mariano(losses_N2[:, 0], losses_N2[:, 1], tuned.horizon)
    interval = block_bootstrap_interval(
        losses_N2,
        lambda means: float(1 - means[0] / means[1]),
        generator=numpy_generator(seed, "untuned"),
        block_length=block_days(len(losses_N2), tuned.horizon),
    )
    found = {
        "gain": 1 - (rmse["tuned"] / rmse["untuned"]) ** 2,
        "interval": list(interval),
        "p_value": test.p_value,
        "rmse": rmse,
    }
    return found | {"verdict": _sentence(found)}


def _sentence(found: dict[str, Any]) -> str:
    if found["rmse"]["tuned"] == found["rmse"]["untuned"] and found["p_value"] == 1.0:
        return "Tuned and untuned give the same forecasts of the test days."
    low, high = (100 * end for end in found["interval"])
    told = found["p_value"] < SIGNIFICANT and (low > 0) == (high > 0)
    numbers = (
        f"{100 * found['gain']:+.2f} % of the untuned default's squared error is gone (95 % interval {low:+.2f} to "
        f"{high:+.2f}, Diebold-Mariano p = {found['p_value']:.2g})"
    )
    if not told:
        return f"Whether tuning helped on the test days cannot be told: {numbers}."
    return f"Tuning {'helped' if found['gain'] > 0 else 'did harm'} on the test days: {numbers}."

"""Errors window by window, and a forecast that is an earlier close is called one."""

import numpy as np
import pytest

from trialwise.reports.price_time import errors_chapter, lag_chapter, lag_errors, model_of, windows


def days(model, *, n=200, horizon=1, unshrunk=None):
    """A random walk of `n` test days, naive's forecasts, and those that `model` makes of the closes and of naive's."""
    walk = 100 + np.cumsum(np.random.default_rng(0).normal(size=n + horizon))
    actual, naive = walk[horizon:], walk[:-horizon]
    forecasts = {"naive": naive.tolist(), "lstm": model(actual, naive).tolist()}
    if unshrunk is not None:
        forecasts["lstm_unshrunk"] = unshrunk(actual, naive).tolist()
    dates = (np.datetime64("2020-01-01") + np.arange(n)).astype(str).tolist()
    return {"dates": dates, "actual": actual.tolist(), "forecasts": forecasts}


def test_a_late_forecast_is_called_late_and_an_early_one_is_not():
    late = days(lambda actual, naive: naive + 0.01)
    errors = lag_errors(late, 1)
    assert min(errors, key=errors.get) == 1
    assert "nearest to the closes of the day before" in lag_chapter(late, 1).sentences[0]
    seeing = days(lambda actual, naive: 0.9 * actual + 0.1 * naive)
    assert "are nearest to the closes of the days that they are for" in lag_chapter(seeing, 1).sentences[0]
    ahead = days(lambda actual, naive: naive + 0.01, horizon=5)
    assert "of 5 days before" in lag_chapter(ahead, 5).sentences[0]


def test_windows_cover_all_days_and_know_who_was_better():
    rows = windows(days(lambda actual, naive: naive + 0.5 * (actual - naive)), 1)
    assert sum(row["n"] for row in rows) == 200
    assert all(row["ratio"] == pytest.approx(0.5) and row["direction"] == 1.0 for row in rows)
    few = windows(days(lambda actual, naive: naive + 0.5 * (actual - naive), n=25), 1)
    assert [row["n"] for row in few] == [25]


def test_where_the_lstm_fell_back_its_network_is_looked_at():
    fallen = days(lambda actual, naive: naive, unshrunk=lambda actual, naive: naive + 1)
    assert model_of(fallen) == "lstm_unshrunk"
    assert errors_chapter(fallen, 1).sentences[0].startswith("lstm fell back to the naive forecast; lstm_unshrunk")
    alone = days(lambda actual, naive: naive)
    assert model_of(alone) == "lstm"
    assert all(row["ratio"] == 1.0 and row["direction"] is None for row in windows(alone, 1))

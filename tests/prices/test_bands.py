import dataclasses

import numpy as np
import pytest

from trialwise.prices.bands import LEVELS, price_bands, score_bands
from trialwise.prices.table import first_rows


@pytest.fixture(scope="module")
def stormy(walk_with_range):
    """Days whose volatility swings by a factor of five every few months."""
    return walk_with_range(1500, daily_sd=0.01 * np.exp(0.8 * np.sin(np.arange(1500) / 25)))


@pytest.fixture(scope="module")
def bands(stormy):
    return price_bands(stormy, 1100)


def test_bands_of_higher_levels_are_wider_and_lie_around_the_close_before(stormy, bands):
    assert bands.levels == LEVELS
    assert bands.low.shape == bands.high.shape == (400, len(LEVELS))
    assert (np.diff(bands.low, axis=1) <= 0).all()
    assert (np.diff(bands.high, axis=1) >= 0).all()
    before = stormy.close[1099:-1, None]
    assert (bands.low[:, -1:] < before).all()
    assert (before < bands.high[:, -1:]).all()


def test_bands_hold_their_promise_in_calm_and_in_storms(stormy, bands):
    for score in score_bands(bands, stormy, 1100):
        assert score.coverage == pytest.approx(score.level, abs=0.05)
        assert min(score.coverage_by_quartile) > score.level - 0.12
        assert np.mean(score.coverage_by_quartile) == pytest.approx(score.coverage)
    of_90 = score_bands(bands, stormy, 1100)[2]
    assert of_90.level == 0.9
    assert of_90.winkler_gain > 0.05


@pytest.mark.parametrize("day", [1100, 1101, 1300, 1499])
def test_no_band_knows_its_own_day_or_a_later_one(stormy, bands, day):
    changed = {name: getattr(stormy, name).copy() for name in ("close", "open", "high", "low", "volume")}
    for name, values in changed.items():
        values[day:] *= {"low": 0.5, "high": 2.0}.get(name, 1.2)
    others = price_bands(dataclasses.replace(stormy, **changed), 1100)
    n_same = day - 1100 + 1
    for name in ("low", "high", "sd"):
        assert getattr(others, name)[:n_same].tobytes() == getattr(bands, name)[:n_same].tobytes()
    assert day == 1499 or (others.high[n_same] != bands.high[n_same]).all()


def test_few_days_have_no_bands(stormy):
    assert price_bands(first_rows(stormy, 150), 100) is None
    few = price_bands(first_rows(stormy, 150), 120)
    assert len(score_bands(few, first_rows(stormy, 150), 120)) == len(LEVELS)


def test_scores_by_hand(stormy, bands):
    """Bands of constant width are their own measure: nothing is gained, and the coverage can be counted."""
    returns = np.diff(np.log(stormy.close))
    low, high = np.quantile(returns[:1099], [0.05, 0.95])
    before = stormy.close[1099:-1, None]
    constant = dataclasses.replace(bands, levels=(0.9,), low=before * np.exp(low), high=before * np.exp(high))
    (score,) = score_bands(constant, stormy, 1100)
    came = returns[1099:]
    assert score.coverage == pytest.approx(np.mean((came >= low) & (came <= high)))
    assert score.winkler_gain == pytest.approx(0.0, abs=1e-9)
    assert score.winkler == pytest.approx(
        np.mean(high - low + 20 * (np.maximum(low - came, 0) + np.maximum(came - high, 0)))
    )

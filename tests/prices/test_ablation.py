import dataclasses

import numpy as np
import pytest

from trialwise.prices.ablation import ablate, ablation_sentence, variants
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import accompanied

SETTINGS = BacktestSettings(window=10, hidden_size=8, epochs=6, learning_rate=0.02, batch_size=4)


def compared(table, *, features=(), layers=(), hidden=()):
    return variants(table, SETTINGS, features=features, layers=layers, hidden=hidden)


def test_one_thing_is_changed_at_a_time(walk_with_range):
    table = walk_with_range(100)
    found = compared(
        accompanied(table, [dataclasses.replace(table, name="other")]),
        features=("returns", "volume", "weekday"),
        layers=(1, 2),
        hidden=(8, 16),
    )
    names = ["returns alone", "+ volume", "+ weekday", "+ other", "+ all of these", "2 layers", "hidden size 16"]
    assert [variant.name for variant in found] == names
    base = found[0].settings
    assert base == dataclasses.replace(SETTINGS, features=("returns",))
    assert [variant.companions for variant in found] == [False, False, False, True, True, False, False]
    assert found[4].settings.features == ("returns", "volume", "weekday")
    for variant in (found[5], found[6]):
        assert variant.settings.features == base.features
    assert (found[5].settings.n_layers, found[6].settings.hidden_size) == (2, 16)


@pytest.fixture(scope="module")
def told_a_day_before(random_walk):
    """Prices whose every move another symbol makes a day earlier: a companion that is worth something."""
    table = random_walk(600)
    leader = np.concatenate([table.close[1:], table.close[-1:]])
    return accompanied(table, [dataclasses.replace(table, name="leader", close=leader, volume=None)])


@pytest.fixture(scope="module")
def rows(told_a_day_before):
    return ablate(told_a_day_before, compared(told_a_day_before, features=("volume",)), seeds=3, seed=0)


def test_a_companion_that_tells_is_found_and_noise_is_not(rows):
    base, volume, leader, together = rows
    assert base["effect"] is None
    assert len(base["mse_over_naive"]) == 3
    assert leader["effect"] < -0.3
    assert leader["verdict"].startswith("better (p < 0.001)")
    assert together["effect"] < -0.3
    assert volume["effect"] > -0.1
    assert not volume["verdict"].startswith("better (")
    assert "+ leader (-" in ablation_sentence(rows)
    assert "+ volume" not in ablation_sentence(rows)


def test_effects_by_hand(rows):
    base, volume = rows[:2]
    changes = np.array(volume["mse_over_naive"]) / np.array(base["mse_over_naive"]) - 1
    assert volume["effect"] == pytest.approx(changes.mean())
    assert volume["seed_sd"] == pytest.approx(changes.std(ddof=1))
    assert volume["ci95"][0] < volume["effect"] < volume["ci95"][1]


def test_the_test_days_stay_closed(told_a_day_before, rows):
    table = told_a_day_before
    close = table.close.copy()
    close[480:] *= 3
    changed = dataclasses.replace(table, close=close)
    assert ablate(changed, compared(changed, features=("volume",)), seeds=3, seed=0) == rows


def test_where_nothing_stands_out_it_is_said(random_walk):
    table = random_walk(300)
    found = ablate(table, compared(table, features=("volume",), hidden=(4,)), seeds=2, seed=0)
    assert ablation_sentence(found).startswith("None of the 2 changes makes a difference")


def test_what_the_file_has_nothing_of_is_not_compared(random_walk, tiny):
    found = variants(random_walk(volume=False), tiny, features=("volume",), layers=(), hidden=())
    assert [variant.name for variant in found] == ["returns alone"]

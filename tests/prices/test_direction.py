import dataclasses

import numpy as np
import pytest
from scipy import stats

from trialwise.prices.direction import (
    direction_verdict,
    probabilities,
    score_directions,
    train_direction,
)
from trialwise.prices.recipes import BacktestSettings, WalkSettings
from trialwise.prices.table import PriceTable, first_rows

SETTINGS = BacktestSettings(window=20, hidden_size=8, epochs=15, batch_size=4, learning_rate=0.02)
MODELS = ["up_share", "last_move", "logistic", "lstm"]


@pytest.fixture(scope="module")
def told(random_walk):
    """Prices that go on as the day before, and what is said of their direction."""
    table = random_walk(800, memory=0.6)
    trained = train_direction(first_rows(table, 640), SETTINGS, seed=0)
    return table, trained, probabilities(trained, table, 640)


def test_memory_that_was_planted_is_told(told):
    table, trained, said = told
    moves = np.diff(np.log(table.close))[639:]
    scores = {score.name: score for score in score_directions(moves, said, seed=0)}
    assert list(scores) == MODELS
    assert trained.after_rise > 0.6 > 0.4 > trained.after_fall
    assert 0 < trained.shrinkage <= 1
    for name in ("last_move", "logistic", "lstm"):
        assert scores[name].accuracy > 0.6
        assert scores[name].brier_skill > 0.05
        assert scores[name].direction_p < 0.001
    assert direction_verdict(tuple(scores.values())).startswith("Its direction can be told by ")


def test_on_noise_nothing_is_claimed_and_the_networks_say_the_share_of_rises(random_walk):
    table = random_walk(500, seed=4)
    trained = train_direction(first_rows(table, 400), SETTINGS, seed=0)
    said = probabilities(trained, table, 400)
    assert trained.shrinkage == 0.0
    np.testing.assert_array_equal(said["lstm"], np.full(100, trained.up_share))
    scores = score_directions(np.diff(np.log(table.close))[399:], said, seed=0)
    assert direction_verdict(scores).startswith("Its direction is told by none better than by the share of rises")


@pytest.mark.parametrize("day", [640, 641, 700, 799])
def test_no_probability_knows_its_own_day_or_a_later_one(told, day):
    table, trained, said = told
    close, volume = table.close.copy(), table.volume.copy()
    close[day:] *= np.linspace(0.6, 1.9, 800 - day)
    volume[day:] *= 9
    after = probabilities(trained, dataclasses.replace(table, close=close, volume=volume), 640)
    for name in MODELS:
        assert said[name][: day - 639].tobytes() == after[name][: day - 639].tobytes()
    assert day == 799 or after["logistic"][day - 639] != said["logistic"][day - 639]


def test_the_share_of_rises_so_far_by_hand(random_walk):
    table = random_walk(400)
    settings = dataclasses.replace(SETTINGS, epochs=1, walk=WalkSettings(horizon=3))
    said = probabilities(train_direction(first_rows(table, 320), settings, seed=0), table, 330)["up_share"]
    assert len(said) == 70
    # On the evening of row 327 the last move known began on row 324.
    rose = table.close[3:328] > table.close[:325]
    assert said[0] == pytest.approx(rose.mean())


def test_scores_by_hand():
    moves = np.array([1.0, -1.0, 2.0, 0.0, -1.0])
    said = {"up_share": np.full(5, 0.5), "model": np.array([0.8, 0.4, 0.3, 0.9, 0.2])}
    reference, model = score_directions(moves, said, seed=0)
    assert (reference.brier, reference.accuracy, reference.dm_p) == (0.2, 0.5, None)
    # Right on days 1, 2 and 5 of the four that moved; where nothing moved a half came.
    assert model.accuracy == 0.75
    losses = np.array([0.04, 0.16, 0.49, 0.16, 0.04])
    assert model.brier == pytest.approx(losses.mean())
    assert model.brier_skill == pytest.approx(1 - losses.mean() / 0.2)
    assert model.dm_p == pytest.approx(stats.ttest_rel(losses, [0.25, 0.25, 0.25, 0, 0.25]).pvalue)


def test_probabilities_stay_within_bounds_where_prices_only_rise(days):
    table = PriceTable(name="up", dates=days(300), close=np.linspace(1, 5, 300))
    said = probabilities(train_direction(first_rows(table, 240), SETTINGS, seed=0), table, 240)
    for name in MODELS:
        assert ((said[name] > 0) & (said[name] < 1)).all()


def test_prices_that_never_move_have_no_direction(days):
    table = PriceTable(name="flat", dates=days(300), close=np.full(300, 5.0))
    said = probabilities(train_direction(first_rows(table, 240), SETTINGS, seed=0), table, 240)
    scores = score_directions(np.zeros(60), said, seed=0)
    assert all(score.accuracy is None for score in scores)
    assert "told by none" in direction_verdict(scores)

import dataclasses

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, read_toml, to_toml
from trialwise.prices.ensemble import fit_best
from trialwise.prices.objective import NOTES, PriceObjective, config_of, first_rung_epochs, search_space, settings_of
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import train_part
from trialwise.prices.train import training_data
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.trials import Trial
from trialwise.tuning.validation_rows import load_rows


def scores_of(objective, config, folder, *, epochs_done=0):
    return list(objective(config, Trial(number=1, seed=3, max_epochs=8, epochs_done=epochs_done, folder=folder)))


@pytest.fixture
def objective(random_walk):
    settings = BacktestSettings(window=10, hidden_size=4, epochs=8, batch_size=4, learning_rate=0.02)
    return PriceObjective(table_train=train_part(random_walk(400, memory=0.5), settings), settings=settings)


def test_a_trial_begins_at_naive_and_never_gets_worse(objective, tmp_path):
    scores = scores_of(objective, {"hidden_size": 8}, tmp_path)
    assert len(scores) == 8
    assert 1.0 >= scores[0] >= scores[-1]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.95


def test_a_paused_trial_goes_on_to_the_scores_of_one_that_was_not(objective, tmp_path):
    whole = scores_of(objective, {"dropout": 0.2}, tmp_path / "whole")
    trial = Trial(number=1, seed=3, max_epochs=8, folder=tmp_path / "paused")
    running = objective({"dropout": 0.2}, trial)
    first = [next(running) for _ in range(3)]
    running.close()
    assert first + scores_of(objective, {"dropout": 0.2}, tmp_path / "paused", epochs_done=3) == whole
    assert all(trial.notes[name] > 0 for name in NOTES), "what --also may ask for"
    # A crash between the saving of a checkpoint and the recording of its score.
    assert first[:2] + scores_of(objective, {"dropout": 0.2}, tmp_path / "paused", epochs_done=2) == whole


def test_every_validation_day_is_kept_and_their_mean_is_the_score(objective, tmp_path):
    trial = Trial(number=1, seed=3, max_epochs=8, folder=tmp_path / "trials" / "0001")
    for epoch, score in enumerate(objective({"dropout": 0.2}, trial), start=1):
        rows = load_rows(trial.folder)
        assert rows.epoch == epoch
        assert rows.scores_N.mean() == pytest.approx(score, rel=1e-5)
        assert rows.baseline_N.mean() == pytest.approx(1.0, rel=1e-5)
        assert rows.block_length > 1
    again = dataclasses.replace(trial, epochs_done=7)
    list(objective({"dropout": 0.2}, again))
    assert np.array_equal(load_rows(trial.folder).scores_N, rows.scores_N)


def test_the_value_is_the_loss_of_the_training_that_the_winner_becomes(objective, tmp_path):
    value = scores_of(objective, {"learning_rate": 0.03}, tmp_path)[-1]
    settings = settings_of(objective.settings, {"learning_rate": 0.03, "patience": 8})
    training = training_data(objective.table_train, settings).training(3)
    naive = training.best.loss
    losses = [epoch.valid["loss"] for epoch in fit_best(training)]
    assert value == pytest.approx(min(losses) / naive)


def test_settings_become_a_configuration_and_back():
    settings = BacktestSettings(features=("returns", "volume", "weekday"))
    assert config_of(settings)["features"] == "returns+volume+weekday"
    assert settings_of(settings, config_of(settings)) == settings


def test_the_space_holds_the_default_and_offers_only_features_that_the_file_has(random_walk, walk_with_range):
    settings = BacktestSettings(hidden_size=24, learning_rate=0.5)
    space = search_space(settings, random_walk(300, volume=False))
    assert space["features"]["choices"] == ["returns", "returns+volume", "returns+volume+ranges+weekday"]
    assert 24 in space["hidden_size"]["choices"]
    assert space["learning_rate"]["high"] == 1.0
    assert "returns+ranges" in search_space(settings, walk_with_range(300))["features"]["choices"]
    space_from_document(space)


def test_trials_are_first_compared_after_thirty_steps(random_walk):
    settings = BacktestSettings(window=10, batch_size=8, epochs=40)
    n_days = 1200
    steps = -(-(1020 // 10) // 8)
    assert first_rung_epochs(random_walk(n_days), settings) == -(-30 // steps)
    assert first_rung_epochs(random_walk(n_days), dataclasses.replace(settings, epochs=2)) == 1


def test_settings_written_as_toml_are_read_back(tmp_path):
    settings = BacktestSettings(features=("returns", "ranges"), dropout=0.1234567890123, configurations_tried=100)
    (tmp_path / "best.toml").write_text(to_toml(settings, comment="mine"))
    assert fill(BacktestSettings, read_toml(tmp_path / "best.toml")) == settings
    (tmp_path / "best.toml").write_text(to_toml(settings, comment="mine").replace("ranges", "rages"))
    with pytest.raises(UserError, match="features: expected one of"):
        fill(BacktestSettings, read_toml(tmp_path / "best.toml"))

import dataclasses

import numpy as np
import pytest
import torch

from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.recipes import BacktestSettings, WalkSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import first_rows
from trialwise.prices.train import build_network, forecast_returns, train_lstm, training_data


def weights_of(trained):
    states = (network.state_dict().values() for network in trained.ensemble.networks)
    return b"".join(values.numpy().tobytes() for state in states for values in state)


def valid_losses(trained):
    return [[epoch.valid["loss"] for epoch in epochs] for epochs in trained.ensemble.epochs]


@pytest.fixture(scope="module")
def memory_settings():
    return BacktestSettings(window=20, hidden_size=8, epochs=15, batch_size=4, learning_rate=0.02)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(random_walk):
    settings = BacktestSettings(window=10, hidden_size=4, n_layers=2, dropout=0.3, epochs=3, batch_size=8)
    table = random_walk(250, memory=0.5)
    torch.manual_seed(1)
    first = train_lstm(table, settings, seed=7)
    torch.manual_seed(2)
    again = train_lstm(table, settings, seed=7)
    other = train_lstm(table, settings, seed=8)
    assert weights_of(first) == weights_of(again) != weights_of(other)
    assert first.shrinkage == again.shrinkage
    assert valid_losses(first) == valid_losses(again)


def test_training_leaves_the_global_generator_and_the_threads_alone(random_walk, tiny):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train_lstm(random_walk(200), tiny, seed=0)
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads


def test_an_untrained_network_is_the_naive_forecast():
    network = build_network(BacktestSettings(n_layers=2, hidden_size=4), n_features=3, seed=1)
    assert not network(torch.randn(2, 9, 3)).any()
    assert network.lstm.num_layers == 2


def test_an_output_has_not_seen_later_steps():
    torch.manual_seed(0)
    network = LSTMForecaster(n_features=2, hidden_size=4, n_layers=2, dropout=0.0).eval()
    torch.nn.init.normal_(network.head.weight)
    inputs_BTF = torch.randn(3, 12, 2)
    changed_BTF = inputs_BTF.clone()
    changed_BTF[:, 8:] += 1.0
    with torch.no_grad():
        before_BT, after_BT = network(inputs_BTF), network(changed_BTF)
    assert torch.equal(before_BT[:, :8], after_BT[:, :8])
    assert not torch.equal(before_BT[:, 8], after_BT[:, 8])


def test_memory_that_was_planted_is_found(random_walk, memory_settings):
    """Half of yesterday's move comes back: the forecasts follow it and are believed in part."""
    table = random_walk(600, memory=0.5)
    trained = train_lstm(table, memory_settings, seed=0)
    assert 0.1 < trained.shrinkage <= 1.0
    assert min(trained.ensemble.best_epochs) >= 3
    moves = np.diff(np.log(table.close))
    predicted = forecast_returns(trained, table, 100)
    assert np.corrcoef(predicted, moves[98:-1])[0, 1] > 0.9


def test_on_noise_it_falls_back_to_the_naive_forecast_exactly(random_walk, tiny):
    table = random_walk(400)
    trained = train_lstm(table, tiny, seed=0)
    assert trained.shrinkage == 0.0
    assert not forecast_returns(trained, table, 320).any()


def test_the_best_epochs_weights_are_kept_and_training_stops_when_patience_ends(random_walk):
    table = random_walk(400, seed=3)
    settings = BacktestSettings(window=10, hidden_size=16, epochs=60, patience=4, learning_rate=0.02)
    seen = []
    trained = train_lstm(table, settings, seed=0, n_seeds=1, on_epoch=lambda number, result: seen.append(result))
    (epochs,), (best_epoch,) = trained.ensemble.epochs, trained.ensemble.best_epochs
    assert tuple(seen) == epochs
    assert len(epochs) == best_epoch + 4 < 60
    ((losses),) = valid_losses(trained)
    if best_epoch:
        assert losses[best_epoch - 1] == min(losses)
        cut = dataclasses.replace(settings, epochs=best_epoch)
        assert weights_of(train_lstm(table, cut, seed=0, n_seeds=1)) == weights_of(trained)
    else:
        assert not trained.ensemble.networks[0].head.weight.any()


def test_the_forecast_is_the_mean_of_three_seeds(random_walk, memory_settings):
    table = random_walk(600, memory=0.5)
    trained = dataclasses.replace(train_lstm(table, memory_settings, seed=0), shrinkage=1.0)
    networks = trained.ensemble.networks
    assert len(networks) == 3
    alone = [
        forecast_returns(
            dataclasses.replace(trained, ensemble=dataclasses.replace(trained.ensemble, networks=(network,))),
            table,
            500,
        )
        for network in networks
    ]
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_allclose(forecast_returns(trained, table, 500), np.mean(alone, axis=0), rtol=1e-5)


def test_weights_scaler_and_epochs_know_nothing_of_the_validation_days_but_their_order(random_walk, tiny):
    """The validation days may choose the epoch and the shrinkage; the first epoch's training must not see them."""
    table = random_walk(250)
    first_valid = split_rows(250, 0.0).valid.start
    close = table.close.copy()
    close[first_valid:] *= np.linspace(1, 2, 250 - first_valid)
    changed = dataclasses.replace(table, close=close)
    before, after = (train_lstm(t, tiny, seed=0) for t in (table, changed))
    assert before.scaler == after.scaler
    (before_1, *_), (after_1, *_) = before.ensemble.epochs, after.ensemble.epochs
    assert [epoch.train_loss for epoch in before_1] == [epoch.train_loss for epoch in after_1]
    assert before_1[0].valid != after_1[0].valid


@pytest.mark.parametrize("horizon", [1, 4])
def test_stretches_teach_every_day_after_the_first_window_and_cross_into_no_other_part(random_walk, tiny, horizon):
    table = random_walk(250)
    first_valid = split_rows(250, 0.0).valid.start
    data = training_data(table, dataclasses.replace(tiny, walk=WalkSettings(horizon=horizon)))
    training = data.training(0)
    train, valid = training.train, training.valid
    log_close = np.log(table.close)
    moves = log_close[horizon:] - log_close[:-horizon]
    targets = np.clip(moves / data.scaler.return_sd, -5, 5).astype(np.float32)
    taught = set(train.targets_BT[:, train.n_warm_up :].flatten().tolist())
    assert taught == set(targets[10 : first_valid - horizon].tolist())  # the last of them ends the day before
    np.testing.assert_array_equal(valid.targets_BT[0, valid.n_warm_up :], targets[first_valid - 1 :])


def test_a_scale_of_moves_over_days_looks_at_none_that_ends_in_the_validation(random_walk, tiny):
    table = random_walk(250)
    settings = dataclasses.replace(tiny, walk=WalkSettings(horizon=5))
    first_valid = split_rows(250, 0.0).valid.start
    close = table.close.copy()
    close[first_valid:] *= 3
    assert (
        training_data(table, settings).scaler == training_data(dataclasses.replace(table, close=close), settings).scaler
    )


def test_a_short_table_gives_one_stretch(random_walk):
    settings = BacktestSettings(window=60, hidden_size=2, epochs=1)
    trained = train_lstm(first_rows(random_walk(100), 80), settings, seed=0)
    assert [len(epochs) for epochs in trained.ensemble.epochs] == [1, 1, 1]


def test_the_forecast_of_a_day_sees_exactly_the_window_before_it(random_walk, memory_settings):
    table = random_walk(600, memory=0.5)
    trained = train_lstm(first_rows(table, 480), memory_settings, seed=0)
    wanted = forecast_returns(trained, table, 480)
    assert wanted.shape == (120,)

    close = table.close.copy()
    close[: 480 - 20 - 2] *= 2.0  # the return on day 480 - 20 needs the close before it
    earlier = forecast_returns(trained, dataclasses.replace(table, close=close, volume=table.volume), 480)
    np.testing.assert_array_equal(earlier, wanted)
    close = table.close.copy()
    close[480 - 20] *= 1.02
    assert forecast_returns(trained, dataclasses.replace(table, close=close), 480)[0] != wanted[0]

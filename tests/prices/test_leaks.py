import numpy as np
import pytest

from trialwise.prices import leaks
from trialwise.prices.features import log_returns
from trialwise.prices.leaks import PLANTED, leak_test
from trialwise.prices.recipes import BacktestSettings


@pytest.fixture(scope="module")
def settings():
    return BacktestSettings(window=10, hidden_size=4, epochs=2, batch_size=8)


@pytest.fixture(scope="module")
def table(walk_with_range):
    return walk_with_range(330)


@pytest.fixture(scope="module")
def report(table, settings):
    return leak_test(table, settings, seed=0)


def test_nothing_leaks_and_everything_was_looked_at(report, table):
    assert report.passed
    assert report.changed_from == tuple(str(table.dates[row]) for row in (264, 296, 329))
    names = {(check.kind, check.name) for check in report.checks}
    assert {kind for kind, _ in names} == {"feature", "close", "variance", "direction", "band"}
    assert {"naive", "drift", "ar_ridge", "dlinear", "lstm", "lstm_unshrunk"} <= {
        n for kind, n in names if kind == "close"
    }
    assert {"ewma", "garch", "log_har", "har_plus", "lstm"} <= {n for kind, n in names if kind == "variance"}
    for check in report.checks:
        assert check.n_compared == (264 + 296 + 329 if check.kind == "feature" else 1 + 33 + 66)


def test_a_scaler_that_saw_the_test_days_is_found(table, settings):
    found = leak_test(table, settings, seed=0, plant=True)
    assert not found.passed
    (leak,) = [check for check in found.checks if check.n_leaks]
    assert (leak.kind, leak.name) == ("feature", PLANTED)
    assert leak.first_leak == str(table.dates[0])
    assert found.to_document()["passed"] is False


def test_a_feature_that_knows_tomorrow_is_found(table, settings, monkeypatch):
    real = leaks.build_features

    def peeking(table, names):
        features_NF = real(table, names)
        features_NF[:-1, 0] = log_returns(table.close)[1:]
        return features_NF

    monkeypatch.setattr(leaks, "build_features", peeking)
    leaking = [check for check in leak_test(table, settings, seed=0).checks if check.n_leaks]
    assert [check.name for check in leaking] == ["log_return", "inputs of the LSTM"]
    leak = leaking[0]
    assert leak.n_leaks == 3
    assert leak.first_leak == str(table.dates[263])


def test_a_difference_in_one_bit_is_one():
    values = np.ones(5)
    other = values.copy()
    other[3] = np.nextafter(1.0, 2.0)
    assert leaks._differs(values, other).tolist() == [False, False, False, True, False]

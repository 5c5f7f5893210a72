import dataclasses

import numpy as np
import pytest

from trialwise.prices.volatility_garch import NotFittedError, fit_garch, garch
from trialwise.prices.volatility_models import (
    EWMA_DECAY,
    LINEAR_MODELS,
    ewma,
    fit_har,
    har_columns,
    har_forecast,
    log_har,
    rolling_mean,
)
from trialwise.prices.volatility_target import daily_variance
from trialwise.statistics.forecast_losses import qlike


def test_rolling_mean_and_ewma_by_hand(random_walk):
    table = random_walk(100)
    variance = daily_variance(table)
    assert rolling_mean(table, 80)[0] == pytest.approx(variance[58:80].mean())
    expected = variance[0]
    for value in variance[1:-1]:
        expected = EWMA_DECAY * expected + (1 - EWMA_DECAY) * value
    assert ewma(table, 80)[-1] == pytest.approx(expected)


def planted_har(n_days, coefficients, noise_sd, seed=0):
    generator = np.random.default_rng(seed)
    variance = np.full(n_days, 1e-4)
    for day in range(22, n_days):
        means = [variance[day - span : day].mean() for span in (1, 5, 22)]
        log = coefficients @ np.r_[1.0, np.log(means)]
        variance[day] = np.exp(log + noise_sd * generator.standard_normal())
    return variance


def columns_of(variance):
    means = [
        np.array([variance[max(0, t - span + 1) : t + 1].mean() for t in range(len(variance))]) for span in (1, 5, 22)
    ]
    return np.stack([np.ones(len(variance)), *np.log(means)], axis=1)


def test_har_regains_planted_coefficients_and_the_level_of_its_noise():
    planted = np.array([-1.0, 0.3, 0.3, 0.3])
    variance = planted_har(6000, planted, noise_sd=0.5)
    har = fit_har(columns_of(variance), variance[1:])
    np.testing.assert_allclose(har.coefficients[1:], planted[1:], atol=0.08)
    assert har.coefficients[0] == pytest.approx(planted[0], abs=0.3)
    # The mean of exp(noise) with a standard deviation of 0.5.
    assert har.level == pytest.approx(np.exp(0.125), rel=0.03)


def test_extra_columns_are_regained_with_many_days_and_held_back_with_few():
    generator = np.random.default_rng(1)
    planted = np.array([-1.0, 0.3, 0.3, 0.3])

    def fitted(n_days):
        extra = generator.standard_normal(n_days)
        variance = planted_har(n_days, planted, noise_sd=0.01)
        variance[1:] *= np.exp(0.2 * extra[:-1])
        columns = np.column_stack([columns_of(variance), extra + 7.0])
        return fit_har(columns, variance[1:]).coefficients[4]

    assert fitted(5000) == pytest.approx(0.2, rel=0.1)
    assert 0.05 < fitted(122) < 0.14


def test_no_forecast_leaves_the_range_of_the_days_of_fitting():
    variance = planted_har(500, np.array([-1.0, 0.3, 0.3, 0.3]), noise_sd=0.5)
    har = fit_har(columns_of(variance), variance[1:])
    forecast = har_forecast(har, np.array([[1.0, 50, 50, 50], [1.0, -50, -50, -50]]))
    assert forecast.tolist() == [variance[1:].max(), variance[1:].min()]


def test_the_columns_follow_the_table(walk_with_range):
    table = walk_with_range(100)
    assert har_columns(table, extended=False).shape == (100, 4)
    assert har_columns(table, extended=True).shape == (100, 8)
    assert har_columns(dataclasses.replace(table, volume=None), extended=True).shape == (100, 7)


def test_garch_regains_planted_parameters_and_beats_the_rolling_mean(garch_walk):
    table = garch_walk(3000)
    first = 2400
    variance = daily_variance(table)
    returns = 100 * np.diff(np.log(table.close), prepend=np.log(table.close[0]))
    model = fit_garch(returns, variance)
    assert model.alpha == pytest.approx(0.1, abs=0.03)
    assert model.beta == pytest.approx(0.85, abs=0.05)
    # The target is that of closes alone, so all that there is to set right is percent squared.
    assert model.level == pytest.approx(1e-4, rel=0.05)
    loss = {"garch": garch(table, first), "rolling": rolling_mean(table, first), "har": log_har(table, first)}
    loss = {name: qlike(variance[first:], forecast).mean() for name, forecast in loss.items()}
    assert loss["garch"] < loss["rolling"]
    assert loss["garch"] < loss["har"]


@pytest.mark.parametrize(("n_days", "size", "why"), [(200, 0.01, "at least 250 days"), (400, 0.0, "do not move")])
def test_garch_says_why_it_cannot(n_days, size, why):
    returns = 100 * size * np.random.default_rng(0).standard_normal(n_days)
    with pytest.raises(NotFittedError, match=why):
        fit_garch(returns, np.full(n_days, 1e-4))


@pytest.mark.parametrize("name", [*LINEAR_MODELS, "garch"])
@pytest.mark.parametrize("day", [300, 322, 323, 360, 399])
def test_no_forecast_knows_its_own_day_or_a_later_one(walk_with_range, name, day):
    model = (LINEAR_MODELS | {"garch": garch})[name]
    table = walk_with_range(400)
    before, after = model(table, 300), model(changed_from(table, day), 300)
    n_same = day - 300 + 1
    assert before.shape == (100,)
    assert before[:n_same].tobytes() == after[:n_same].tobytes()
    assert day == 399 or before[n_same] != after[n_same]


def changed_from(table, day):
    """The table with everything from a day on made another thing."""

    def changed(values, factor):
        values = values.copy()
        values[day:] = values[day:] * np.linspace(factor, 2 * factor, len(values) - day)
        return values

    return dataclasses.replace(
        table,
        close=changed(table.close, 1.3),
        open=changed(table.open, 1.2),
        high=changed(table.high, 1.6),
        low=changed(table.low, 0.4),
        volume=changed(table.volume, 9.0),
    )

"""Proposals for numbers without noise: polynomials that are believed or not, and the sampler over them."""

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.tuning.polish import History, requests
from trialwise.tuning.polynomials import exact_minimizer
from trialwise.tuning.samplers import build_sampler

DISTRIBUTIONS = {
    "x": optuna.distributions.FloatDistribution(-4, 6),
    "rate": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
}


def valley(x, rate):
    return (x - 1.3) ** 2 + (np.log10(rate) + 2) ** 2 + 0.2 * np.sin(3 * x)


@given(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), st.integers(0, 1000))
def test_the_minimum_of_a_quadratic_is_known_from_eight_points(center, seed):
    points = np.random.default_rng(seed).uniform(size=(8, 2))
    values = ((points - center) ** 2 @ [1.0, 5.0]) + 3 * np.prod(points - center, axis=1)
    found = exact_minimizer(points, values)
    if found is None:  # eight points may lie too badly to tell
        return
    if (points.min(axis=0) <= center).all() and (center <= points.max(axis=0)).all():
        assert found == pytest.approx(center, abs=1e-6)
    else:  # further than the polynomial is believed, but on the way
        assert ((found - center) ** 2) @ [1.0, 5.0] + 3 * np.prod(found - center) < values.min()


def test_a_valley_of_degree_four_is_known_from_twenty_points():
    points = np.random.default_rng(1).uniform(size=(20, 2))
    x, y = (points * 4 - 2).T
    found = exact_minimizer(points, (1 - x) ** 2 + 100 * (y - x**2) ** 2)
    assert found * 4 - 2 == pytest.approx((1, 1), abs=1e-6)


def test_noise_is_not_taken_for_a_polynomial():
    random = np.random.default_rng(2)
    for _ in range(50):
        points = random.uniform(size=(25, 2))
        assert exact_minimizer(points, ((points - 0.5) ** 2).sum(axis=1) + random.normal(0, 1e-3, 25)) is None


def test_a_minimum_outside_of_the_box_is_sought_on_its_edge():
    points = np.random.default_rng(3).uniform(size=(20, 2))
    found = exact_minimizer(points, ((points - [1.2, 0.5]) ** 2).sum(axis=1))
    assert found == pytest.approx([1, 0.5], abs=1e-6)


def asked_points(function, n, *, deterministic, dims=2):
    """What is asked for in n evaluations, looking around at random."""
    history, random, asked = History(), np.random.default_rng(4), []
    generator = requests(history, dims, deterministic=deterministic)
    for _ in range(n):
        request = next(generator)
        point = random.uniform(size=dims) if request is None else request
        history.points.append(point)
        history.values.append(function(point))
        asked.append(request)
    return asked, history


def test_a_smooth_function_is_polished_to_the_last_digit():
    _, history = asked_points(
        lambda p: np.exp((p[0] - 0.3) ** 2) + (p[1] - 0.6) ** 4 + (p[1] - 0.6) ** 2, 60, deterministic=True
    )
    assert min(history.values) == pytest.approx(1, abs=1e-10)


def test_where_noise_is_possible_one_point_is_tried_twice_and_noise_is_never_polished():
    random = np.random.default_rng(5)
    asked, history = asked_points(lambda p: (p**2).sum() + random.normal(0, 0.1), 40, deterministic=False)
    assert [i for i, request in enumerate(asked) if request is not None] == [10]
    assert np.array_equal(history.points[10], history.points[0])
    asked, _ = asked_points(lambda p: (p**2).sum(), 40, deterministic=False)
    assert sum(request is not None for request in asked) > 1


def test_a_failed_trial_counts_as_the_worst_and_is_not_asked_for_again():
    _, history = asked_points(lambda p: np.nan if p[0] > 0.7 else np.exp(p[0]) - p[1] ** 3, 60, deterministic=True)
    assert len({point.tobytes() for point in history.points}) == 60
    assert np.nanmin(history.values) == pytest.approx(0, abs=1e-6)


def proposals(n, function, *, fresh, fail_at=None):
    """The parameters of n trials; `fresh` makes a new sampler for each, as a resumed study does."""
    study = optuna.create_study()
    sampler = build_sampler("gp-polish", 7, 0, deterministic=True)
    for number in range(n):
        study.sampler = build_sampler("gp-polish", 7, number, deterministic=True) if fresh else sampler
        trial = study.ask(DISTRIBUTIONS)
        if number == fail_at:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, function(**trial.params))
    return [trial.params for trial in study.trials], study.best_value


def test_a_resumed_study_proposes_what_the_uninterrupted_one_would_have():
    kept, value = proposals(32, valley, fresh=False, fail_at=14)
    fresh, _ = proposals(32, valley, fresh=True, fail_at=14)
    assert kept == fresh
    assert value < 0.25

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from trialwise.statistics.calibration import (
    N_BINS,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    probabilities,
    reliability_table,
)

problems = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 12), st.floats(0.01, 30))


def draw(problem):
    seed, n, k, scale = problem
    generator = np.random.default_rng(seed)
    return generator.normal(0, scale, (n, k)), generator.integers(0, k, n)


def calibrated(n=20_000, k=10, seed=0, scale=2.0):
    """Logits and labels drawn with the very probabilities that the logits claim."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, scale, (n, k))
    claimed = softmax(logits, axis=1)
    labels = (claimed.cumsum(axis=1) > generator.random((n, 1))).argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize("k", [2, 10, 1000])
def test_what_is_calibrated_already_needs_no_temperature(k):
    logits, labels = calibrated(4000, k)
    assert fit_temperature(logits, labels) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("factor", [0.3, 5.0])
def test_the_temperature_undoes_a_factor(factor):
    logits, labels = calibrated()
    temperature = fit_temperature(logits * factor, labels)
    assert temperature == pytest.approx(factor, rel=0.05)
    before, after = (
        expected_calibration_error(reliability_table(probabilities(logits * factor, t), labels))
        for t in (1, temperature)
    )
    assert after < 0.02 < before


def test_it_is_the_smallest_likelihood_there_is():
    logits, labels = calibrated(2000, 5, scale=1.0)
    logits = logits * 3
    best = fit_temperature(logits, labels)
    losses = [negative_log_likelihood(logits, labels, t) for t in np.geomspace(0.05, 50, 300)]
    assert negative_log_likelihood(logits, labels, best) <= min(losses) + 1e-5


@given(problems, st.floats(0.01, 100))
def test_a_temperature_never_changes_a_prediction(problem, temperature):
    logits, _ = draw(problem)
    top = np.sort(logits, axis=1)
    clear = top[:, -1] - top[:, -2] > 1e-9 * temperature  # ties are broken by rounding
    same = probabilities(logits, temperature).argmax(axis=1) == logits.argmax(axis=1)
    assert same[clear].all()


@given(problems)
def test_fitting_never_makes_the_fitted_rows_much_less_likely(problem):
    logits, labels = draw(problem)
    temperature = fit_temperature(logits, labels)
    assert 0.009 < temperature < 101
    # One imagined row among n is all that may pull the other way.
    pulled = np.log(logits.shape[1]) + np.ptp(logits)
    before, after = (negative_log_likelihood(logits, labels, t) for t in (1, temperature))
    assert after <= before + pulled / len(labels)


def test_a_few_rows_that_are_all_right_do_not_make_it_certain():
    logits = 4.0 * np.eye(3)[np.arange(30) % 3]
    labels = np.arange(30) % 3
    temperature = fit_temperature(logits, labels)
    assert 0.1 < temperature < 1.5
    assert probabilities(logits, temperature).max() < 0.995


def test_logits_that_say_nothing_are_left_alone():
    assert fit_temperature(np.zeros((5, 3)), np.array([0, 1, 2, 0, 1])) == 1.0


@given(problems)
def test_scores_stay_in_their_ranges(problem):
    logits, labels = draw(problem)
    p = probabilities(logits)
    table = reliability_table(p, labels)
    assert sum(found.n for found in table) == len(labels)
    assert len(table) == N_BINS
    assert 0 <= expected_calibration_error(table) <= 1
    assert 0 <= brier_score(p, labels) <= 2
    assert negative_log_likelihood(logits, labels) >= 0
    for found in table:
        if found.n:
            assert found.low - 1e-12 <= found.confidence <= found.high + 1e-12
            assert 0 <= found.accuracy <= 1
        else:
            assert found.confidence is found.accuracy is None


def test_numbers_by_hand():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    labels = np.array([0, 1, 1, 0])
    # Bins of 0.9, 0.7 and 0.5: 2 rows half right, one right, one right (the first of a tie is the prediction).
    assert expected_calibration_error(reliability_table(p, labels)) == pytest.approx((2 * 0.4 + 0.3 + 0.5) / 4)
    assert brier_score(p, labels) == pytest.approx((0.02 + 1.62 + 0.18 + 0.5) / 4)
    assert negative_log_likelihood(np.log(p), labels) == pytest.approx(-np.log([0.9, 0.1, 0.7, 0.5]).mean())


def test_full_confidence_has_a_bin():
    (*_, last) = reliability_table(np.array([[1.0, 0.0]]), np.array([0]))
    assert (last.n, last.confidence, last.accuracy) == (1, 1.0, 1.0)


def test_no_rows_no_error():
    assert expected_calibration_error(reliability_table(np.empty((0, 3)), np.empty(0, dtype=int))) == 0.0

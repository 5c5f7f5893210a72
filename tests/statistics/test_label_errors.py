import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.statistics.label_errors import likely_label_errors


def test_the_confident_joint_by_hand():
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.8, 0.2], [0.45, 0.55]])
    labels = np.array([0, 0, 1, 1, 1, 0])
    # Thresholds: (0.9 + 0.7 + 0.45) / 3 = 0.68 and (0.9 + 0.8 + 0.2) / 3 = 0.63.
    rows, suggested = likely_label_errors(p, labels)
    assert rows.tolist() == [4]  # row 5 is contradicted too, but not confidently
    assert suggested.tolist() == [0]


def test_a_classifier_shy_of_a_class_is_understood():
    """All of class 1 get 0.4: the argmax contradicts every label, confident learning only the one that stands out."""
    p = np.array([[0.95, 0.05]] * 9 + [[0.6, 0.4]] * 9 + [[0.97, 0.03]])
    labels = np.array([0] * 9 + [1] * 10)
    rows, suggested = likely_label_errors(p, labels)
    assert rows.tolist() == [18]
    assert suggested.tolist() == [0]


def test_flipped_labels_are_found_first():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 5, 2000)
    logits = generator.normal(0, 1, (2000, 5)) + 4.5 * np.eye(5)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = truth.copy()
    flipped = generator.choice(2000, 60, replace=False)
    labels[flipped] = (labels[flipped] + 1 + generator.integers(0, 4, 60)) % 5
    rows, suggested = likely_label_errors(p, labels)
    assert len(set(rows) & set(flipped)) >= 45  # those that the classifier is as sure of as it is on average
    assert len(rows) <= 55
    assert set(rows[:30]) <= set(flipped)
    hit = np.isin(rows, flipped)
    assert (suggested[hit] == truth[rows[hit]]).mean() > 0.95


def test_a_class_without_rows_is_never_suggested():
    p = np.array([[0.1, 0.0, 0.9], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1]])
    rows, _ = likely_label_errors(p, np.array([0, 0, 1]))
    assert rows.size == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.integers(2, 8))
def test_what_is_listed_disagrees_with_the_label(seed, n, k):
    generator = np.random.default_rng(seed)
    p = generator.dirichlet(np.full(k, 0.3), size=n)
    labels = generator.integers(0, k, n)
    rows, suggested = likely_label_errors(p, labels)
    assert len(set(rows.tolist())) == len(rows)
    assert (suggested != labels[rows]).all()
    assert (p.argmax(axis=1)[rows] != labels[rows]).all()
    own = p[rows, labels[rows]]
    assert own.tolist() == pytest.approx(sorted(own))

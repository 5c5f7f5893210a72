import numpy as np

from trialwise.images.scores import accuracy_scores, accuracy_with_interval, calibration_scores


def test_a_confusion_by_hand():
    found = accuracy_scores(np.array([0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 0]), ("cat", "dog", "owl"))
    assert found["accuracy"] == 0.6
    assert found["n"] == 5
    assert found["confusion"] == [[2, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert found["per_class"]["cat"]["accuracy"] == 0.5
    assert found["balanced_accuracy"] == 0.75  # of the two classes that have rows
    assert found["largest_class_share"] == 0.8
    assert found["per_class"]["owl"] == {"n": 0, "accuracy": None, "ci95": None}
    assert found["confused_pairs"] == [{"true": "cat", "predicted": "dog", "n": 2, "share": 0.5}]


def test_without_mistakes_there_are_no_pairs():
    assert accuracy_scores(np.array([1, 0]), np.array([1, 0]), ("a", "b"))["confused_pairs"] == []


def test_pairs_are_the_most_frequent_ones_in_order():
    labels = np.repeat(np.arange(30), 10)
    predicted = np.where(np.arange(300) % 10 < labels // 3, (labels + 1) % 30, labels)
    pairs = accuracy_scores(predicted, labels, [str(k) for k in range(30)])["confused_pairs"]
    counts = [pair["n"] for pair in pairs]
    assert len(pairs) == 10
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 9


def test_a_thousand_classes_have_pairs_and_no_matrix():
    labels = np.arange(3000) % 1000
    found = accuracy_scores((labels + (labels == 7)) % 1000, labels, [f"class {k}" for k in range(1000)])
    assert found["confusion"] is None
    assert found["confused_pairs"][0] == {"true": "class 7", "predicted": "class 8", "n": 3, "share": 1.0}
    assert len(found["per_class"]) == 1000


def test_no_rows_no_accuracy():
    assert accuracy_with_interval(np.array([], dtype=bool)) == {"accuracy": None, "ci95": None, "n": 0}


def test_calibration_before_and_after():
    generator = np.random.default_rng(0)
    logits = 3 * generator.normal(0, 2, (3000, 4))
    p = np.exp(logits / 3) / np.exp(logits / 3).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) > generator.random((3000, 1))).argmax(axis=1)
    found = calibration_scores(logits.astype(np.float32), labels, 3.0)
    for name in ("ece", "nll", "brier"):
        assert found["after"][name] < found["before"][name]
    assert found["after"]["ece"] < 0.03 < found["before"]["ece"]
    assert sum(row["n"] for row in found["after"]["reliability"]) == 3000
    same = calibration_scores(logits.astype(np.float32), labels, 1.0)
    assert same["after"] == same["before"] == found["before"]

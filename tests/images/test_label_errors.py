import numpy as np

from trialwise.images.label_errors import N_LISTED, list_label_errors


def judged(labels, wrong, k=3, seed=0):
    """Logits of a classifier that is right and sure of all rows, with the labels of `wrong` changed."""
    generator = np.random.default_rng(seed)
    sure = np.where(np.isin(np.arange(len(labels)), wrong), 9, 6)  # most so of those, or half of them would be let off
    logits = (sure[:, None] * np.eye(k)[labels] + generator.normal(0, 1, (len(labels), k))).astype(np.float32)
    given = labels.copy()
    given[wrong] = (given[wrong] + 1) % k
    return logits, given


def test_a_wrong_label_is_listed_with_its_place_and_its_likelier_class():
    truth = np.sort(np.arange(60) % 3)
    logits, given = judged(truth, [25])
    rows = np.arange(60) * 2  # as validation rows are: some of a larger set
    files = [f"{row}.png" for row in range(120)]
    found = list_label_errors(logits, given, rows_N=rows, files=files, classes=("cat", "dog", "owl"), temperature=1.0)
    assert found.document["n"] == 1
    assert found.document["n_wrong"] == 1
    (row,) = found.document["rows"]
    assert (row["row"], row["given"], row["suggested"]) == (50, "owl", "dog")
    assert row["file"] == "50.png"
    assert row["self_confidence"] < 0.1 < 0.9 < row["suggested_confidence"]
    assert found.rows.tolist() == [50]


def test_a_long_list_is_cut_and_counted():
    truth = np.arange(3000) % 3
    logits, given = judged(truth, np.arange(0, 3000, 10))
    found = list_label_errors(
        logits, given, rows_N=np.arange(3000), files=[""] * 3000, classes=("a", "b", "c"), temperature=1.0
    )
    assert len(found.document["rows"]) == len(found.rows) == N_LISTED
    assert found.document["n"] > 150
    doubts = [row["self_confidence"] for row in found.document["rows"]]
    assert doubts == sorted(doubts)

"""Two runs are compared row for row, or not at all."""

import numpy as np
import pytest

from trialwise.api.images.comparison import compare
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.images.predictions import TestPredictions, save_predictions

CLASSES = ["cat", "dog"]


@pytest.fixture
def measured(tmp_path):
    """A function that makes a run folder as `image evaluate` leaves it, from which rows it gets right."""

    def make(name, right, *, seed=0, digests=None, tta=None, order=None, settings=None, kind="image-train"):
        right = np.asarray(right, dtype=bool)
        n = len(right)
        labels = np.arange(n) % 2
        if digests is None:
            digests = np.arange(n * 8, dtype=np.uint32).astype(np.uint8).reshape(n, 8)
            digests[:, 0], digests[:, 1] = np.arange(n) // 256, np.arange(n) % 256
        order = np.arange(n) if order is None else order
        run = RunFolder.create(
            kind, settings or {"train": {"epochs": 1}, "content_sha256": "x"}, seed=seed, out=tmp_path / name
        )
        run.finish({"data": {}})
        run.record["evaluation"] = {
            "test": {"accuracy": float(right.mean()), "ci95": [0, 1], "classes": CLASSES},
            "times_opened": 1,
        }
        run.save()
        found = TestPredictions(
            digests_N8=digests[order],
            labels_N=labels[order],
            plain_N=np.where(right, labels, 1 - labels)[order],
            tta_N=None if tta is None else np.where(np.asarray(tta, dtype=bool), labels, 1 - labels)[order],
        )
        save_predictions(found, run.path)
        return run

    return make


def test_rows_are_matched_by_their_pixels_whatever_their_order(measured):
    generator = np.random.default_rng(0)
    first, second = generator.random(300) < 0.8, generator.random(300) < 0.9
    one = measured("one", first)
    two = measured("two", second, order=generator.permutation(300))
    found = compare([one, two])
    assert found["plain"]["only_first"] == int((first & ~second).sum())
    assert found["plain"]["only_second"] == int((second & ~first).sum())
    assert found["plain"]["difference"] == pytest.approx(second.mean() - first.mean())
    assert found["tta"] is None
    assert [row["run"] for row in found["runs"]] == [one.label, two.label]


def test_copies_of_a_picture_are_matched_in_their_order(measured):
    digests = np.zeros((6, 8), dtype=np.uint8)
    digests[4:] = 7
    one = measured("one", [1, 0, 1, 0, 1, 1], digests=digests)
    two = measured("two", [1, 1, 0, 0, 1, 0], digests=digests)
    found = compare([one, two])["plain"]
    assert (found["both_right"], found["only_first"], found["only_second"], found["both_wrong"]) == (2, 2, 1, 1)


def test_a_clear_difference_is_said_from_the_better_ones_side(measured):
    worse = measured("worse", np.arange(1000) % 10 < 7)
    better = measured("better", np.arange(1000) % 10 < 9)
    for runs in ([worse, better], [better, worse]):
        sentence = compare(runs)["verdict"]
        assert sentence.startswith(f"{better.label} is better by 20.00 points on 1,000 test images (95 % interval 1")
        assert "McNemar p < 0.0001" in sentence


def test_luck_is_called_luck(measured):
    generator = np.random.default_rng(0)
    one, two = (measured(name, generator.random(500) < 0.8) for name in ("one", "two"))
    found = compare([one, two])
    assert found["plain"]["interval"][0] < 0 < found["plain"]["interval"][1]
    assert found["verdict"].startswith("No difference can be told between ")


def test_averaged_predictions_are_compared_with_averaged_ones_alone(measured):
    right = np.arange(100) % 2 == 0
    with_tta = [measured(f"tta{i}", right, tta=~right if i else right) for i in range(2)]
    found = compare(with_tta)
    assert found["plain"]["difference"] == 0
    assert found["tta"]["both_wrong"] == 0
    assert compare([with_tta[0], measured("plain", right)])["tta"] is None


def test_a_run_that_was_not_measured_is_refused_with_what_to_do(measured, tmp_path):
    one = measured("one", [1, 0])
    two = measured("two", [1, 0])
    (two.path / "test_predictions.npz").unlink()
    with pytest.raises(UserError, match="has not been measured") as refused:
        compare([one, two])
    assert refused.value.hint == f"trialwise image evaluate {two.label}"
    three = measured("three", [1, 0])
    three.record["evaluation"] = None  # as when another model took the winner's place
    with pytest.raises(UserError, match="has not been measured"):
        compare([one, three])


def test_other_test_rows_are_refused(measured):
    one = measured("one", [1, 0, 1, 1])
    with pytest.raises(UserError, match=r"on 4 test images, .* on 3, and they are not the same ones \(3 are in both\)"):
        compare([one, measured("fewer", [1, 0, 1])])
    other = measured("other", [1, 0, 1, 1], digests=np.full((4, 8), 9, dtype=np.uint8))
    with pytest.raises(UserError, match="not the same ones"):
        compare([one, other])
    classes = measured("classes", [1, 0, 1, 1])
    classes.record["evaluation"]["test"]["classes"] = ["cat", "cow"]
    with pytest.raises(UserError, match="know different classes"):
        compare([one, classes])


def test_the_spread_over_seeds(measured):
    runs = [measured(f"seed{seed}", np.arange(10) < right, seed=seed) for seed, right in enumerate([7, 8, 9])]
    found = compare(runs)
    assert (found["n_runs"], found["min"], found["max"]) == (3, 0.7, 0.9)
    assert found["mean"] == pytest.approx(0.8)
    assert found["sd"] == pytest.approx(0.1)
    assert "80.0 % on average, standard deviation 10.00 points, 70.0 % to 90.0 %" in found["verdict"]


def test_more_than_two_runs_must_differ_in_the_seed_alone(measured):
    runs = [measured(f"seed{seed}", [1, 0], seed=seed) for seed in range(2)]
    longer = measured("longer", [1, 0], seed=2, settings={"train": {"epochs": 2}, "content_sha256": "x"})
    with pytest.raises(UserError, match="differ in more than the seed: train"):
        compare([*runs, longer])
    for name, other in {"search": {"trials": 40}, "start_from": "elsewhere"}.items():
        settings = {"train": {"epochs": 1}, "content_sha256": "x", name: other}
        with pytest.raises(UserError, match=f"differ in more than the seed: {name}"):
            compare([*runs, measured(name, [1, 0], seed=2, settings=settings)])
    with pytest.raises(UserError, match="same seed"):
        compare([*runs, measured("again", [1, 0], seed=1)])
    with pytest.raises(UserError, match="differ in more than the seed: the command"):
        compare([*runs, measured("tuned", [1, 0], seed=2, kind="image-tune")])
    with pytest.raises(UserError, match="expected two runs to compare, got 1"):
        compare(runs[:1])

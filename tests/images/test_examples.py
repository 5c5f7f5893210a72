"""Validation rows are those of the training, files have the class that a folder says, and both can be read again."""

import numpy as np
import pytest
import torch

from trialwise.base.errors import UserError
from trialwise.images.examples import UNKNOWN, Judged, judge_files, judge_validation_rows
from trialwise.images.inputs import find_inputs
from trialwise.images.mistakes import confusing_pairs, typical_images, worst_mistakes
from trialwise.images.predict import predictor
from trialwise.images.settings import TrainSettings, resolve
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare
from trialwise.images.train import predict_logits, training_on


def ready(saved):
    return predictor(saved, dtype=torch.float32, n_workers=2)


def test_validation_rows_are_those_of_the_training_and_never_test_rows(tmp_path, write_images):
    prepared = prepare(find_source(str(write_images(tmp_path / "colours", {"red": 40, "green": 30}))))
    data = prepared.description
    settings = resolve(TrainSettings(), n_train=data.n_train, image_size=data.height, channels=data.channels)
    training = training_on(open_train(prepared), prepared.description, settings, seed=1, split_seed=7)
    judged = judge_validation_rows(
        ready(training.saved), prepared, valid_fraction=settings.valid_fraction, split_seed=7
    )
    assert judged.names == tuple(f"training row {row}" for row in training.valid_index.tolist())
    images = judged.read(range(len(judged.names)))
    np.testing.assert_array_equal(images, training.images_NHWC[training.valid_index].numpy())
    test_rows = {row.tobytes() for row in np.load(prepared.folder / "test_images.npy")}
    assert not test_rows & {row.tobytes() for row in images}
    logits = predict_logits(training.saved, training.images_NHWC, training.valid_index, dtype=torch.float32)
    np.testing.assert_array_equal(judged.predicted_N, logits.argmax(1).numpy())
    right = (training.labels_N[training.valid_index] == logits.argmax(1)).float().mean()
    assert 1 - judged.is_wrong_N.mean() == pytest.approx(float(right))


def test_files_are_of_the_class_that_the_nearest_folder_is_called_after(tmp_path, write_images, small_model):
    write_images(tmp_path / "photos", {"class 1": 3, "class 0/class 2": 2, "others": 1})
    saved = small_model()
    judged = judge_files(ready(saved), find_inputs(["photos"]))
    assert judged.labels_N.tolist() == [2, 2, 1, 1, 1, UNKNOWN]
    assert not judged.is_wrong_N[-1]
    assert judged.read([5, 0]).shape == (2, 16, 16, 3)
    assert (judged.probabilities_N2[:, 0] >= judged.probabilities_N2[:, 1]).all()


def test_files_that_cannot_be_read_are_left_out_or_refused(tmp_path, write_images, small_model):
    folder = write_images(tmp_path / "photos", {"a": 2})
    (folder / "a" / "000.png").write_text("prose")
    judged = judge_files(ready(small_model()), find_inputs(["photos"]))
    assert [name for name, _ in judged.left_out] == ["photos/a/000.png"]
    (folder / "a" / "001.png").write_text("prose")
    with pytest.raises(UserError, match=r"can no longer be read"):
        judged.read([0])
    with pytest.raises(UserError, match=r"none of 2 images can be read; the first is photos/a/000.png"):
        judge_files(ready(small_model()), find_inputs(["photos"]))


def judged(labels, predicted, probabilities):
    n = len(labels)
    return Judged(
        names=tuple(map(str, range(n))),
        labels_N=np.array(labels),
        top_N2=np.stack([np.array(predicted), np.zeros(n, dtype=int)], axis=1),
        probabilities_N2=np.stack([np.array(probabilities, dtype=np.float32), np.zeros(n, dtype=np.float32)], axis=1),
        left_out=(),
        read=lambda rows: np.zeros((len(rows), 8, 8, 1), dtype=np.uint8),
    )


EXAMPLE = judged(
    labels=[0, 0, 0, 1, 1, 2, UNKNOWN, 2, 2, 2],
    predicted=[0, 1, 1, 2, 1, 0, 2, 0, 2, 2],
    probabilities=[0.9, 0.5, 0.7, 0.8, 0.6, 0.95, 0.99, 0.4, 0.9, 0.9],
)


def test_the_worst_mistakes_are_the_most_confident_ones():
    assert worst_mistakes(EXAMPLE, 3) == [5, 3, 2]
    assert worst_mistakes(EXAMPLE, 99) == [5, 3, 2, 1, 7]


def test_pairs_are_counted_of_the_images_of_the_true_class():
    pairs = confusing_pairs(EXAMPLE, 99)
    assert [(pair.true, pair.predicted, pair.n, pair.n_true, pair.rows) for pair in pairs] == [
        (0, 1, 2, 3, (2, 1)),
        (2, 0, 2, 4, (5, 7)),
        (1, 2, 1, 2, (3,)),
    ]
    assert confusing_pairs(EXAMPLE, 1) == pairs[:1]


def test_typical_images_are_right_and_of_different_classes():
    generator = np.random.default_rng(0)
    chosen = typical_images(EXAMPLE, 3, generator)
    assert {0, 4} <= set(chosen)
    assert set(chosen) <= {0, 4, 6, 8, 9}
    assert sorted(typical_images(EXAMPLE, 99, generator)) == [0, 4, 6, 8, 9]
    wrong = judged(labels=[0], predicted=[1], probabilities=[0.9])
    assert typical_images(wrong, 3, generator) == []

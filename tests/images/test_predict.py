"""Predictions are those of the plain network, in order, whatever the batches, the threads and the broken files."""

import dataclasses
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trialwise.base.errors import UserError
from trialwise.images.inputs import Input, find_inputs
from trialwise.images.predict import predict_files, predict_images, predictor
from trialwise.images.store import open_train
from trialwise.images.train import predict_logits


@pytest.fixture
def images_NHWC():
    return np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)


def ready(saved, *, n_workers=2, batch_size=8):
    made = predictor(saved, dtype=torch.float32, n_workers=n_workers)
    return dataclasses.replace(made, batch_size=batch_size)


def plain_probabilities(saved, images_NHWC):
    images = torch.from_numpy(images_NHWC)
    return predict_logits(saved, images, torch.arange(len(images)), dtype=torch.float32).softmax(1).numpy()


@pytest.mark.parametrize("n_workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_probabilities_are_those_of_the_plain_network_in_the_same_order(
    small_model, images_NHWC, n_workers, batch_size
):
    saved = small_model()
    found_NK = predict_images(ready(saved, n_workers=n_workers, batch_size=batch_size), images_NHWC)
    np.testing.assert_allclose(found_NK, plain_probabilities(saved, images_NHWC), atol=1e-5)
    np.testing.assert_allclose(found_NK.sum(1), 1, atol=1e-5)


def test_the_threads_of_torch_are_as_before(small_model, images_NHWC):
    before = torch.get_num_threads()
    predict_images(ready(small_model()), images_NHWC)
    assert torch.get_num_threads() == before


def test_a_temperature_softens_probabilities_and_changes_no_class(small_model, images_NHWC):
    sharp = ready(small_model())
    soft = dataclasses.replace(sharp, temperature=3.0)
    sharp_NK, soft_NK = predict_images(sharp, images_NHWC), predict_images(soft, images_NHWC)
    assert (sharp_NK.argmax(1) == soft_NK.argmax(1)).all()
    assert soft_NK.max() < sharp_NK.max()


def test_arrays_that_do_not_fit_are_refused_and_grey_ones_go_into_a_colour_model(small_model, images_NHWC):
    model = ready(small_model())
    grey_NHW = images_NHWC[..., 0]
    as_colour = np.repeat(grey_NHW[..., None], 3, axis=-1)
    np.testing.assert_array_equal(predict_images(model, grey_NHW), predict_images(model, as_colour))
    for wrong in (images_NHWC / 255.0, images_NHWC[:, :8], images_NHWC[0], images_NHWC[..., :2]):
        with pytest.raises(UserError, match=r"expected uint8 images in 0..255 of shape \(N, 16, 16, 3\), got"):
            predict_images(model, wrong)
    assert predict_images(model, images_NHWC[:0]).shape == (0, 5)
    images_NHWC.flags.writeable = False
    assert predict_images(model, images_NHWC).shape == (50, 5)


def test_files_are_decoded_to_the_pixels_that_training_saw(tmp_path, write_images, prepared, small_model, monkeypatch):
    folder = write_images(tmp_path / "photos", {"a": 9, "b": 9}, size=(40, 30), suffix=".jpg")
    rows = {row.tobytes() for row in open_train(prepared(folder, image_size=16)).images_NHWC}
    seen = []
    monkeypatch.setattr(
        "trialwise.images.predict._probabilities",
        lambda model, images: seen.extend(images) or np.zeros((len(images), 5), dtype=np.float32),
    )
    list(predict_files(ready(small_model()), find_inputs([folder])))
    assert len(seen) == 18
    assert rows <= {row.tobytes() for row in seen}  # the others are those split off for the test


def test_broken_files_are_named_and_the_others_keep_their_order(tmp_path, write_images, small_model):
    folder = write_images(tmp_path / "photos", {"a": 30}, size=(20, 20))
    (folder / "a" / "005.png").write_bytes(b"no image")
    (folder / "a" / "notes.txt").write_text("not asked for")
    with closing(predict_files(ready(small_model(), batch_size=4), find_inputs([folder]))) as batches:
        found = list(batches)
    assert [pair for batch in found for pair in batch.left_out] == [
        (str(folder / "a" / "005.png"), "not an image, whatever its name says")
    ]
    names = [Path(name).name for batch in found for name in batch.names]
    assert names == [f"{number:03}.png" for number in range(30) if number != 5]
    assert all(len(batch.names) == len(batch.probabilities_NK) for batch in found)


def test_colour_pictures_are_made_grey_for_a_grey_model_and_counted(tmp_path, write_images, small_model):
    folder = write_images(tmp_path / "photos", {"a": 3}, size=(16, 16))
    write_images(tmp_path / "photos", {"g": 2}, size=(16, 16), mode="L")
    model = ready(small_model(channels=1))
    (batch,) = predict_files(model, find_inputs([folder]))
    assert batch.n_made_grey == 3
    luma = np.asarray(Image.open(folder / "a" / "000.png").convert("L"))
    np.testing.assert_allclose(batch.probabilities_NK[:1], predict_images(model, luma[None]), atol=1e-6)


def test_few_files_are_read_ahead(small_model):
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield Input(name=str(number), content=np.full((16, 16), number % 256, dtype=np.uint8))
            number += 1

    with closing(predict_files(ready(small_model(), batch_size=4), endless())) as batches:
        assert next(batches).names == ("0", "1", "2", "3")
        assert len(taken) <= 4 * 4


def test_warnings_in_threads_leave_the_filters_as_they_were(tmp_path, small_model):
    # A palette with transparency given as bytes makes Pillow warn.
    picture = Image.new("P", (16, 16))
    picture.info["transparency"] = bytes(range(256))
    for number in range(40):
        picture.save(tmp_path / f"{number}.png")
    before = list(warnings.filters)
    (batch, *_) = predict_files(ready(small_model(), n_workers=4, batch_size=2), find_inputs([tmp_path]))
    assert not batch.left_out
    assert warnings.filters == before

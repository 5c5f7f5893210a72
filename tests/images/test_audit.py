"""Twins are found whatever was done to them, and pictures that are only alike are not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from trialwise.images import audit
from trialwise.images.audit import LEAST_SIMILARITY, near_duplicates
from trialwise.images.store import Rows

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_chance_pairs(monkeypatch):
    monkeypatch.setattr(audit, "N_CHANCE_PAIRS", 300)


def scenes(n, size=32, channels=3, seed=0):
    """Pictures with large and small structures, each unlike all others."""
    noise = np.random.default_rng(seed).normal(size=(n, size, size, channels))
    maps = sum(s * gaussian_filter(noise, (0, s * size / 32, s * size / 32, 0)) for s in (1, 3, 6))
    low, high = maps.min(axis=(1, 2, 3), keepdims=True), maps.max(axis=(1, 2, 3), keepdims=True)
    return (255 * (maps - low) / (high - low)).astype(np.uint8)


def rows(images, labels=None):
    return Rows(
        images_NHWC=images,
        labels_N=np.zeros(len(images), np.int64) if labels is None else labels,
        files=[str(number) for number in range(len(images))],
    )


def compressed(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="jpeg", quality=quality)
    return np.asarray(Image.open(stream))


CHANGES = {
    "the same": lambda image: image,
    "shifted": lambda image: np.roll(image, (2, -1), axis=(0, 1)),
    "mirrored": lambda image: image[:, ::-1],
    "mirrored and shifted": lambda image: np.roll(image[:, ::-1], (-1, 2), axis=(0, 1)),
    "JPEG": lambda image: compressed(image, 75),
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "flatter": lambda image: (100 + image * 0.3).astype(np.uint8),
    "grey": lambda image: np.repeat(image.mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8),
    "noisy": lambda image: (image + np.random.default_rng(0).normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8),
}


@pytest.mark.parametrize(
    ("name", "size"), [*((name, 32) for name in CHANGES), ("mirrored and shifted", 28), ("mirrored and shifted", 64)]
)
def test_a_twin_is_found_whatever_was_done_to_it(name, size):
    train = scenes(200, size)
    test = scenes(40, size, seed=1)
    test[7] = CHANGES[name](train[123])
    found = near_duplicates(rows(test), rows(train), CPU)
    assert found.test_P.tolist() == [7]
    assert found.train_P.tolist() == [123]
    assert bool(found.is_mirrored_P[0]) == ("mirrored" in name)
    assert bool(found.is_exact_P[0]) == (name == "the same")
    assert found.similarity_P[0] >= found.threshold == LEAST_SIMILARITY


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (32, 1), (32, 3), (70, 3)])
def test_pictures_that_have_nothing_in_common_are_left_alone(size, channels):
    found = near_duplicates(rows(scenes(60, size, channels)), rows(scenes(300, size, channels, seed=1)), CPU)
    assert found.test_P.size == 0


def test_where_all_pictures_of_a_class_are_alike_only_copies_count():
    """As with handwriting: one form with some differences, as like its neighbour as a recompressed copy would be."""
    forms = scenes(3, seed=5)
    labels = np.arange(300) % 3
    noise = np.random.default_rng(0).normal(0, 6, (300, 32, 32, 3))
    alike = (forms[labels] + noise).clip(0, 255).astype(np.uint8)
    test, train = alike[:60].copy(), alike[60:]
    test[5] = train[100]
    found = near_duplicates(rows(test, labels[:60]), rows(train, labels[60:]), CPU)
    assert found.test_P.tolist() == [5]
    assert found.threshold > LEAST_SIMILARITY


def test_the_surest_come_first_and_each_test_row_once():
    train = scenes(100)
    train[50] = train[3]
    test = np.stack([CHANGES["JPEG"](train[9]), CHANGES["the same"](train[3]), scenes(1, seed=9)[0]])
    found = near_duplicates(rows(test), rows(train), CPU)
    assert found.test_P.tolist() == [1, 0]
    assert found.train_P[0] in (3, 50)
    assert found.similarity_P[0] == 1.0 > found.similarity_P[1]


def test_pictures_without_any_detail_are_twins_of_nothing_but_their_copies():
    blank = np.full((5, 32, 32, 3), 200, np.uint8)
    found = near_duplicates(rows(np.concatenate([blank[:1], blank[:1] - 50])), rows(blank), CPU)
    assert found.test_P.tolist() == [0]


def test_too_many_pairs_leave_the_exact_copies(monkeypatch):
    monkeypatch.setattr(audit, "MOST_COMPARISONS", 10)
    train = scenes(20)
    test = np.stack([train[4], CHANGES["darker"](train[5])])
    found = near_duplicates(rows(test), rows(train), CPU)
    assert found.test_P.tolist() == [0]
    assert found.threshold is None


def test_a_class_with_a_single_training_image_is_no_hindrance():
    train = scenes(3)
    found = near_duplicates(rows(train[:1]), rows(train, np.array([0, 1, 2])), CPU)
    assert found.test_P.tolist() == [0]

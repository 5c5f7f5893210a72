import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from trialwise.images import rand_augment
from trialwise.images.rand_augment import CHANGES, rand_augmented


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=6, size=24):
    """Smooth pictures, as photos are."""
    coarse = torch.rand(n, 3, 6, 6, generator=generator())
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear") * 300 - 20
    return smooth.clamp(0, 255).round().permute(0, 2, 3, 1)


def pillow(images, change):
    drawn = [change(Image.fromarray(image.astype(np.uint8))) for image in images.numpy()]
    return torch.from_numpy(np.stack([np.asarray(image) for image in drawn]).astype(np.float32))


@pytest.mark.parametrize("share", [-1.0, -0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("autocontrast", lambda share: ImageOps.autocontrast),
        ("equalize", lambda share: ImageOps.equalize),
        ("solarize", lambda share: lambda image: ImageOps.solarize(image, 256 * (1 - abs(share)))),
        ("posterize", lambda share: lambda image: ImageOps.posterize(image, 8 - round(4 * abs(share)))),
        ("brightness", lambda share: lambda image: ImageEnhance.Brightness(image).enhance(1 + 0.9 * share)),
        ("sharpness", lambda share: lambda image: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * share)),
    ],
)
def test_a_change_is_what_pillow_does_to_each_image(name, change, share):
    images = pictures()
    ours = getattr(rand_augment, f"_{name}")(images, torch.full((len(images), 1, 1, 1), share)).clamp(0, 255)
    assert (ours - pillow(images, change(share))).abs().max() < 2


@pytest.mark.parametrize("share", [-1.0, 1.0])
def test_a_rotation_is_pillows_away_from_the_edges(share):
    images = pictures()
    ours = rand_augment._rotate(images, torch.full((len(images), 1, 1, 1), share))
    theirs = pillow(images, lambda image: image.rotate(30 * share, Image.Resampling.BILINEAR))
    assert (ours - theirs)[:, 8:16, 8:16].abs().max() < 2


def test_a_translation_moves_by_a_share_of_the_side():
    images = pictures(size=20)
    ours = rand_augment._translate_x(images, torch.full((len(images), 1, 1, 1), 1.0))  # 0.45 x 20 = 9 pixels
    torch.testing.assert_close(ours[:, :, :11], images[:, :, 9:], atol=0.1, rtol=0)


@given(st.integers(0, 1000), st.floats(0, 10), st.sampled_from([1, 3]))
def test_images_stay_images_and_the_same_seed_gives_the_same(seed, strength, channels):
    images = pictures()[..., :channels].byte()
    changed = rand_augmented(images, strength, generator(seed))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert torch.equal(changed, rand_augmented(images, strength, generator(seed)))


@pytest.mark.parametrize("value", [0, 255])
def test_a_blank_image_stays_finite(value):
    blank = torch.full((64, 8, 8, 3), value, dtype=torch.uint8)
    assert rand_augmented(blank, 10, generator()).isfinite().all()


def test_every_change_comes_up_and_stronger_is_further_away():
    images = pictures().repeat(40, 1, 1, 1)
    distances = [(rand_augmented(images, strength, generator()) - images).abs().mean() for strength in (1, 5, 10)]
    assert distances == sorted(distances)
    assert len(CHANGES) == 14

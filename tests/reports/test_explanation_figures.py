"""Pictures are PNGs of modest size with words for those who cannot see them, whatever the images and names are."""

import io

import numpy as np
import pytest
from PIL import Image

from trialwise.reports import explanation_figures
from trialwise.reports.drawing import PNG_LIMIT_BYTES
from trialwise.reports.explanation_figures import Shown

ODD_NAMES = ["$x$ & $y$", "猫", "<b>", "a name that goes on and on and on"]


def image(size=32, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), dtype=np.uint8)


def drawn(picture):
    assert picture.svg == ""
    assert len(picture.png) <= PNG_LIMIT_BYTES
    assert picture.source.startswith("data:image/png;base64,")
    assert picture.caption.endswith(".")
    assert len(picture.alt) > 20
    opened = Image.open(io.BytesIO(picture.png))
    assert 200 < opened.width < 900
    return np.asarray(opened.convert("L"))


@pytest.mark.parametrize(("n", "size", "channels"), [(1, 3, 1), (48, 4, 3), (200, 2, 3), (10, 64, 1)])
def test_filters(n, size, channels):
    tiles = np.random.default_rng(0).random((n, size, size, channels), dtype=np.float32)
    picture = explanation_figures.filters(tiles, layer="stem", is_fixed=n == 48)
    drawn(picture)
    assert ("whitening" in picture.caption) == (n == 48)
    assert ("The first 64 of 200" in picture.caption) == (n == 200)


@pytest.mark.parametrize(
    ("n", "side", "size", "channels"), [(1, 1, 8, 1), (24, 31, 32, 3), (300, 4, 64, 3), (16, 128, 256, 3)]
)
def test_feature_maps(n, side, size, channels):
    maps = np.random.default_rng(0).random((n, side, side), dtype=np.float32)
    picture = explanation_figures.feature_maps(image(size, channels), maps, name="features-x", layer="x", of="cat.png")
    drawn(picture)
    assert "black is zero" in picture.caption
    assert ("64 of 300" in picture.caption) == (n == 300)


def test_maps_with_signs_have_zero_in_the_middle_and_dead_ones_are_counted():
    maps = np.random.default_rng(0).standard_normal((5, 8, 8)).astype(np.float32)
    maps[2] = 0
    picture = explanation_figures.feature_maps(image(), maps, name="f", layer="x", of="row 3")
    assert "mid-grey is zero" in picture.caption
    assert "1 map is the same everywhere" in picture.caption
    drawn(
        explanation_figures.feature_maps(
            image(), np.zeros((4, 8, 8), dtype=np.float32), name="f", layer="x", of="row 3"
        )
    )


@pytest.mark.parametrize("n", [1, 2, 6])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (256, 3)])
def test_grad_cam_with_names_of_all_kinds(n, size, channels):
    heat = np.zeros((size, size), dtype=np.float32)
    heat[: size // 2, : size // 2] = 1
    rows = [
        [
            Shown(image_HWC=image(size, channels, i), lines=("image", f"true: {ODD_NAMES[i % 4]}")),
            Shown(image_HWC=image(size, channels, i), lines=(f"for {ODD_NAMES[i % 4]}", "says 91 %"), heat_HW=heat),
            Shown(image_HWC=image(size, channels, i), lines=("for b", "true"), heat_HW=np.zeros_like(heat)),
        ]
        for i in range(n)
    ]
    picture = explanation_figures.grad_cam(rows, layer="stages.4", side=(4, 4))
    drawn(picture)
    assert f"for {ODD_NAMES[0]} says 91 %, for b true" in picture.alt


def test_where_there_is_heat_the_picture_stays_bright():
    white = np.full((32, 32, 1), 255, dtype=np.uint8)
    heat = np.zeros((32, 32), dtype=np.float32)
    heat[:, :16] = 1
    lit = explanation_figures._lit(Shown(image_HWC=white, lines=(), heat_HW=heat))
    assert lit[:, :16].min() == 1
    assert lit[:, 16:].max() < 0.5


def test_mistakes_and_pairs():
    shown = [
        Shown(image_HWC=image(seed=i), lines=(f"true: {name}", "says dog, 98 %")) for i, name in enumerate(ODD_NAMES)
    ]
    picture = explanation_figures.mistakes(shown)
    drawn(picture)
    assert "true: <b>, says dog, 98 %" in picture.alt
    picture = explanation_figures.pairs({"$a$ taken for 猫: 9 of 10": shown, "b taken for c: 1 of 3": shown[:1]})
    drawn(picture)
    assert "b taken for c: 1 of 3" in picture.alt


def test_long_names_are_cut():
    assert explanation_figures.short("cat") == "cat"
    assert explanation_figures.short(ODD_NAMES[3]) == "a name that goe…"
    assert len(explanation_figures.short(ODD_NAMES[3])) == explanation_figures.LONGEST_NAME

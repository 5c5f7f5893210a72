"""Every test writes below its own folder: runs, cache and the current folder."""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"  # real data beside the checkout; never committed


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWISE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TRIALWISE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def write_images() -> Callable[..., Path]:
    """A function that writes pictures of one reddish, greenish or bluish colour each, and some noise: `write_images(
    folder, {"cats": 5, "dogs": 5}, size=(12, 12), mode="RGB", suffix=".png")`; each is unlike all others.
    """

    def write(folder: Path, counts: dict[str, int], *, size=(12, 12), mode="RGB", suffix=".png") -> Path:
        for number, (name, count) in enumerate(counts.items()):
            (folder / name).mkdir(parents=True, exist_ok=True)
            generator = np.random.default_rng(zlib.crc32(f"{folder.name}/{name}".encode()))
            for image in range(count):
                pixels = generator.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
                pixels[..., number % 3] += 150
                Image.fromarray(pixels).convert(mode).save(folder / name / f"{image:03}{suffix}")
        return folder

    return write


@pytest.fixture
def pictures(tmp_path, write_images) -> Path:
    """A folder of two classes with ten 12 x 12 colour pictures each, without train/ and test/."""
    return write_images(tmp_path / "pictures", {"cats": 10, "dogs": 10})

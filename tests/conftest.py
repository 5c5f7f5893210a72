"""Every test writes below its own folder: runs, cache and the current folder."""

import importlib.util
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from postgres_server import PostgresServer, programs_folder

settings.register_profile("house", deadline=None)  # no timing is asserted in tests
settings.load_profile("house")

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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own; it may be killed and restarted, and must run when the test ends."""
    programs = programs_folder()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed: pip install trialwise[postgres]")
    server = PostgresServer(programs)
    try:
        yield server
    finally:
        server.delete()


@pytest.fixture
def postgres_url(postgres_server) -> str:
    """The URL, password included, of an empty database on `postgres_server`, of this test alone."""
    return postgres_server.create_database(f"test_{uuid.uuid4().hex[:12]}")


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


@pytest.fixture
def small_model() -> Callable[..., Any]:
    """A function that makes an untrained `SavedModel` of a few hundred parameters whose BatchNorms do something:
    `small_model(channels=3, size=16, n_classes=5, network=...)`.
    """

    def make(*, channels=3, size=16, n_classes=5, network=None):
        import torch
        from torch import nn

        from trialwise.images.saved import SavedModel

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = network or nn.Sequential(
                nn.Conv2d(channels, 8, 3, padding=1, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Conv2d(8, 16, 3, padding=1, bias=False),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(16),
                nn.ReLU(),
                nn.AdaptiveMaxPool2d(1),
                nn.Flatten(),
                nn.Linear(16, n_classes),
            )
            for part in network.modules():
                if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
                    nn.init.uniform_(part.weight, 0.5, 1.5)
                    nn.init.normal_(part.bias)
                    nn.init.normal_(part.running_mean)
                    nn.init.uniform_(part.running_var, 0.5, 1.5)
        return SavedModel(
            network=network.eval(),
            architecture=SimpleNamespace(channels=channels, image_size=size, n_classes=n_classes),
            classes=tuple(f"class {number}" for number in range(n_classes)),
            mean=torch.tensor([0.5, 0.4, 0.3][:channels]),
            std=torch.tensor([0.2, 0.25, 0.3][:channels]),
            flip=False,
        )

    return make

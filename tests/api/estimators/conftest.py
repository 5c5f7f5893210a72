"""What the tests of both estimators share."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def kept_cache(tmp_path_factory) -> Iterator[None]:
    """A cache folder for what is fitted once for a whole module."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRIALWISE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def prices() -> Callable[..., np.ndarray]:
    """A function that makes closes (N, 1), or closes and volumes (N, 2), whose moves follow on from the day before."""

    def make(n_days: int = 400, *, memory: float = 0.6, volume: bool = False, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        moves = 0.01 * generator.standard_normal(n_days)
        for day in range(1, n_days):
            moves[day] += memory * moves[day - 1]
        columns = [100 * np.exp(np.cumsum(moves))]
        if volume:
            columns.append(np.exp(16 + 0.4 * generator.standard_normal(n_days)))
        return np.stack(columns, axis=1)

    return make


@pytest.fixture
def damaged() -> Callable[..., None]:
    """A function that changes entries of a JSON file: `damaged(file, schema="another")`."""

    def change(file: Path, **entries) -> None:
        file.write_text(json.dumps(json.loads(file.read_text()) | entries))

    return change

"""Made-up prices, and files laid out the way vendors lay theirs out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import PriceTable


def trading_days(n_days: int, first: str = "2019-01-02") -> np.ndarray:
    """`n_days` weekdays from `first` on."""
    return np.busday_offset(first, np.arange(n_days), roll="forward")


@pytest.fixture(scope="session")
def days() -> Callable[..., np.ndarray]:
    return trading_days


@pytest.fixture(scope="session")
def random_walk() -> Callable[..., PriceTable]:
    """Prices whose log-returns are noise, or follow on from the day before where `memory` is not 0."""

    def make(n_days: int = 300, *, seed: int = 0, memory: float = 0.0, volume: bool = True) -> PriceTable:
        generator = np.random.default_rng(seed)
        noise = 0.01 * generator.standard_normal(n_days)
        returns = np.zeros(n_days)
        for day in range(1, n_days):
            returns[day] = memory * returns[day - 1] + noise[day]
        volumes = np.exp(16 + 0.4 * generator.standard_normal(n_days))
        return PriceTable(
            name="walk",
            dates=trading_days(n_days),
            close=100 * np.exp(np.cumsum(returns)),
            volume=volumes if volume else None,
        )

    return make


@pytest.fixture(scope="session")
def tiny() -> BacktestSettings:
    """Settings that train in a blink."""
    return BacktestSettings(window=10, hidden_size=4, epochs=3, batch_size=8)


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Writes a header and `n_days` rows made by `row(day, i)`, and gives the file's path."""

    def write(
        header: str,
        row: Callable[[np.datetime64, int], str],
        *,
        n_days: int = 120,
        newest_first: bool = False,
        name: str = "ACME.csv",
        newline: str = "\n",
        prefix: bytes = b"",
        first: str = "2019-01-02",
    ) -> Path:
        rows = [row(day, i) for i, day in enumerate(trading_days(n_days, first))]
        lines = [header, *(reversed(rows) if newest_first else rows)]
        path = tmp_path / name
        path.write_bytes(prefix + newline.join(lines).encode() + newline.encode())
        return path

    return write

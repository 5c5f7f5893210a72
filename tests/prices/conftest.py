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


@pytest.fixture(scope="session")
def walk_with_range() -> Callable[..., PriceTable]:
    """Prices with open, high, low, close and volume; the standard deviation of a day may be given day by day."""

    def make(n_days: int = 400, *, seed: int = 0, daily_sd: float | np.ndarray = 0.01) -> PriceTable:
        generator = np.random.default_rng(seed)
        sd = np.broadcast_to(daily_sd, n_days)
        # The first of 80 steps is the night's, and a fifth of the day's variance.
        share = np.r_[0.2, np.full(79, 0.8 / 79)]
        steps = sd[:, None] * np.sqrt(share) * generator.standard_normal((n_days, 80))
        path = np.cumsum(steps.ravel()).reshape(n_days, 80)
        prices = 100 * np.exp(path)
        return PriceTable(
            name="walk",
            dates=trading_days(n_days),
            close=prices[:, -1],
            open=prices[:, 0],
            high=prices.max(axis=1),
            low=prices.min(axis=1),
            volume=np.exp(16 + 0.4 * generator.standard_normal(n_days)),
        )

    return make


@pytest.fixture(scope="session")
def garch_walk() -> Callable[..., PriceTable]:
    """Closes whose variance follows a GARCH(1,1) with alpha 0.1 and beta 0.85, and no other column."""

    def make(n_days: int = 1500, *, seed: int = 0) -> PriceTable:
        noise = np.random.default_rng(seed).standard_normal(n_days)
        variance, returns = 1e-4, np.zeros(n_days)
        for day in range(n_days):
            returns[day] = np.sqrt(variance) * noise[day]
            variance = 5e-6 + 0.1 * returns[day] ** 2 + 0.85 * variance
        return PriceTable(name="garch", dates=trading_days(n_days), close=100 * np.exp(np.cumsum(returns)))

    return make

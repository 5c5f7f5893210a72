"""How far tomorrow's close may lie from today's: bands that are wide in storms.

Legend: N test days, L levels.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.prices.features import moves_ahead
from trialwise.prices.table import PriceTable
from trialwise.prices.volatility_models import ewma, har_plus
from trialwise.statistics.conformal import adaptive_quantiles
from trialwise.statistics.forecast_losses import coverage_by_quartile, covered, winkler_score

LEVELS = (0.5, 0.8, 0.9, 0.95)
FIRST_FORECAST_DAYS = 250  # from here on HAR's coefficients are worth something
FEWEST_RESIDUALS = 60  # below which a band of 95 % would be made of its extremes
WINDOW_DAYS = 500
STEP = 0.005
N_GROUPS = 4  # from calm to stormy, each with a correction of its own


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bands:
    """Intervals for the closes of the test days; that of a day was made with the days before it.

    Attributes:
        levels: L shares of days that the intervals are meant to hold.
        low: (N, L) lower ends, in the prices' currency.
        high: (N, L) upper ends.
        sd: (N,) forecast standard deviations of the log-returns over the horizon, by which the bands are scaled.
    """

    levels: tuple[float, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sd: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class BandScore:
    """What the bands of one level were worth.

    Attributes:
        level: The share of days that they are meant to hold.
        coverage: The share that they held.
        coverage_by_quartile: The same on the calmest quarter of days by forecast volatility, the next two, and the
            stormiest.
        winkler: Mean interval score of log-returns (smaller is better); see `statistics.forecast_losses`.
        winkler_gain: 1 - winkler over that of bands of constant width, the quantiles of the training days' log-returns.
    """

    level: float
    coverage: float
    coverage_by_quartile: tuple[float, float, float, float]
    winkler: float
    winkler_gain: float

    def to_document(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        return dataclasses.asdict(self) | {"coverage_by_quartile": list(self.coverage_by_quartile)}


def price_bands(table: PriceTable, first_row: int, horizon: int = 1) -> Bands | None:
    """Bands for the closes from `first_row` to the last; None where too few days lie before it.

    Adaptive conformal intervals (see `statistics.conformal`) of log-returns over a forecast standard deviation, the
    root of the mean of two variances: of HAR with leverage and volume, and of the exponential average, which was
    found to hold its promise on calm days too, where HAR alone does not. Each quarter of the days by that deviation
    has a correction of its own, so that wide bands in storms cannot pay for narrow ones in calm.

    Args:
        table: All days; the band of a day uses those up to `horizon` days before it.
        first_row: The row of the first day to give a band for.
        horizon: Days over which a move goes.
    """
    fewest = FEWEST_RESIDUALS + horizon - 1
    start = min(FIRST_FORECAST_DAYS, first_row - fewest)
    if start < FEWEST_RESIDUALS + 2 * (horizon - 1):
        return None
    sd = np.sqrt((har_plus(table, start, horizon) + ewma(table, start, horizon)) / 2)
    residuals = moves_ahead(table.close, horizon)[start - horizon :] / sd
    # The correction begins at the same day wherever the bands asked for do, so that a day has one band, not several.
    ends = adaptive_quantiles(
        residuals,
        LEVELS,
        first_row=fewest,
        window=WINDOW_DAYS,
        step=STEP,
        delay=horizon - 1,
        groups=_quarters(sd),
    )
    low, high = (of_days[first_row - start - fewest :] for of_days in ends)
    sd = sd[first_row - start :]
    today = table.close[first_row - horizon : -horizon, None]
    return Bands(levels=LEVELS, low=today * np.exp(low * sd[:, None]), high=today * np.exp(high * sd[:, None]), sd=sd)


def _quarters(sd_N: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) the quarter, from 0 for the calmest, of the last 500 days before it that each day's deviation lies in."""
    ranks = [np.mean(sd_N[max(0, row - WINDOW_DAYS) : row] < sd_N[row]) if row else 0.0 for row in range(len(sd_N))]
    return np.minimum((N_GROUPS * np.array(ranks)).astype(np.int64), N_GROUPS - 1)


def score_bands(bands: Bands, table: PriceTable, first_row: int, horizon: int = 1) -> tuple[BandScore, ...]:
    """One row a level; () for fewer than 4 days.

    Args:
        bands: Of `price_bands` for the same days.
        table: All days.
        first_row: The row of the first day that has a band.
        horizon: Days over which a move goes.
    """
    ahead_M = moves_ahead(table.close, horizon)
    # Those that ended up to the evening on which the first band is made.
    known_M, came_N = ahead_M[: first_row + 1 - 2 * horizon], ahead_M[first_row - horizon :]
    if len(came_N) < 4:
        return ()
    today_N = table.close[first_row - horizon : -horizon]
    scores = []
    for number, level in enumerate(bands.levels):
        low_N, high_N = (np.log(ends[:, number] / today_N) for ends in (bands.low, bands.high))
        held_N = covered(table.close[first_row:], bands.low[:, number], bands.high[:, number])
        constant = np.quantile(known_M, [(1 - level) / 2, (1 + level) / 2])
        winkler, of_constant = (
            float(winkler_score(came_N, low, high, level=level).mean())
            for low, high in ((low_N, high_N), np.broadcast_to(constant[:, None], (2, len(came_N))))
        )
        scores.append(
            BandScore(
                level=level,
                coverage=float(held_N.mean()),
                coverage_by_quartile=coverage_by_quartile(held_N, bands.sd),
                winkler=winkler,
                winkler_gain=1 - winkler / of_constant if of_constant > 0 else 0.0,
            )
        )
    return tuple(scores)

"""What a feature, a layer or a wider LSTM is worth: measured over seeds, against the spread between them.

Legend: N days, S seeds.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.base.seeds import child_seed
from trialwise.prices.features import feature_names, moves_ahead
from trialwise.prices.recipes import BacktestSettings, FeatureGroup
from trialwise.prices.splits import split_rows, train_part
from trialwise.prices.table import PriceTable
from trialwise.prices.train import forecast_returns, train_lstm
from trialwise.prices.verdict import ALPHA, plain_p
from trialwise.statistics.comparisons import diebold_mariano
from trialwise.statistics.intervals import mean_interval


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One thing changed.

    Attributes:
        name: For people, e.g. "+ volume" or "3 layers".
        settings: The settings with the change.
        companions: Whether the LSTM sees the companions' moves.
    """

    name: str
    settings: BacktestSettings
    companions: bool = False


def variants(
    table: PriceTable,
    settings: BacktestSettings,
    *,
    features: Sequence[FeatureGroup],
    layers: Sequence[int],
    hidden: Sequence[int],
) -> list[Variant]:
    """What is compared: first the base, which sees returns alone, then each change to it, one at a time.

    Args:
        table: Its companions are one of the changes.
        settings: The base is these settings with the features "returns".
        features: Groups of features to add one at a time, and all together.
        layers: Numbers of layers to try.
        hidden: Hidden sizes to try.
    """
    base = dataclasses.replace(settings, features=("returns",))
    # A group that the file has nothing of would be compared with itself.
    alone = set(feature_names(table, ("returns",)))
    groups: list[FeatureGroup] = [
        group for group in features if not set(feature_names(table, ("returns", group))) <= alone
    ]
    found = [Variant(name="returns alone", settings=base)]
    found += [
        Variant(name=f"+ {group}", settings=dataclasses.replace(base, features=("returns", group))) for group in groups
    ]
    with_all = dataclasses.replace(base, features=("returns", *groups))
    if table.companions:
        named = ", ".join(companion.name for companion in table.companions)
        found.append(Variant(name=f"+ {named}", settings=base, companions=True))
    if len(groups) + bool(table.companions) > 1:
        found.append(Variant(name="+ all of these", settings=with_all, companions=bool(table.companions)))
    found += [
        Variant(name=f"{n} layer{'s' if n > 1 else ''}", settings=dataclasses.replace(base, n_layers=n))
        for n in layers
        if n != base.n_layers
    ]
    found += [
        Variant(name=f"hidden size {n}", settings=dataclasses.replace(base, hidden_size=n))
        for n in hidden
        if n != base.hidden_size
    ]
    return found


def ablate(
    table: PriceTable,
    compared: Sequence[Variant],
    *,
    seeds: int,
    seed: int,
    on_training: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train every variant with every seed and compare it with the first one, on the last days before the test.

    The test days stay closed: the table is cut before them, and the last share of what is left, as large, is what is
    measured on. The network is believed in full, since a forecast that fell back to naive could show nothing.

    Args:
        table: All days.
        compared: Of `variants`, the base first.
        seeds: Trainings of each variant, at least 2.
        seed: The first seed.
        on_training: Called before each training with its number, from 1, and how many there are.

    Returns:
        A row a variant: "name", "mse_over_naive" (one a seed, of log-returns), "effect" (mean over seeds of the MSE
        against the base's of the same seed, less 1; below 0 is better; None for the base), "seed_sd", "ci95"
        (Student's t over the seeds), "dm_p" (Diebold-Mariano on the losses averaged over seeds) and "verdict".

    Raises:
        UserError: Too few days for the settings.
        WorkError: The loss is no longer a finite number.
    """
    told = on_training or (lambda number, total: None)
    naive_N = _squared_moves(table, compared[0].settings)
    losses = []
    for number, variant in enumerate(compared):
        of_seeds = []
        for i in range(seeds):
            told(number * seeds + i + 1, len(compared) * seeds)
            of_seeds.append(_losses(table, variant, seed=child_seed(seed, "ablation", i)))
        losses.append(np.stack(of_seeds))
    return [_row(variant, losses_SN, losses[0], naive_N) for variant, losses_SN in zip(compared, losses, strict=True)]


def _squared_moves(table: PriceTable, settings: BacktestSettings) -> NDArray[np.float64]:
    before = train_part(table, settings)
    return moves_ahead(before.close, settings.horizon)[_first_evening(before, settings) :] ** 2


def _first_evening(before: PriceTable, settings: BacktestSettings) -> int:
    """The row on whose evening the first of the measured forecasts is made."""
    return split_rows(len(before), settings.test_fraction).test.start - 1


def _losses(table: PriceTable, variant: Variant, *, seed: int) -> NDArray[np.float64]:
    """(N,) squared errors of the forecast log-returns."""
    settings = variant.settings
    before = train_part(table, settings)
    if not variant.companions:
        before = dataclasses.replace(before, companions=())
    trained = train_lstm(train_part(before, settings), settings, seed=seed, n_seeds=1)
    evening, horizon = _first_evening(before, settings), settings.horizon
    predicted_N = forecast_returns(dataclasses.replace(trained, shrinkage=1.0), before, evening + horizon)
    return (moves_ahead(before.close, horizon)[evening:] - predicted_N) ** 2


def _row(
    variant: Variant, losses_SN: NDArray[np.float64], base_SN: NDArray[np.float64], naive_N: NDArray[np.float64]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": variant.name,
        "mse_over_naive": (losses_SN.mean(axis=1) / naive_N.mean()).tolist(),
        "effect": None,
        "seed_sd": None,
        "ci95": None,
        "dm_p": None,
        "verdict": "what the others are compared with",
    }
    if losses_SN is base_SN:
        return row
    horizon = variant.settings.horizon
    changes_S = losses_SN.mean(axis=1) / base_SN.mean(axis=1) - 1
    interval = mean_interval(changes_S.tolist())
    dm_p = diebold_mariano(losses_SN.mean(axis=0), base_SN.mean(axis=0), horizon).p_value
    found = {"effect": float(changes_S.mean()), "seed_sd": float(changes_S.std(ddof=1)), "ci95": list(interval)}
    return row | found | {"dm_p": dm_p, "verdict": _verdict(interval, dm_p)}


def _verdict(interval: tuple[float, float], dm_p: float) -> str:
    if not _clears(interval):
        return "not distinguishable from seed noise"
    direction = "better" if interval[1] < 0 else "worse"
    if dm_p >= ALPHA:
        return f"{direction} than the seeds vary, but not than the days do (p {plain_p(dm_p)})"
    return f"{direction} (p {plain_p(dm_p)})"


def ablation_sentence(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `ablate` in one sentence."""
    n = len(rows) - 1
    clear = [row for row in rows if row["dm_p"] is not None and row["dm_p"] < ALPHA / n and _clears(row["ci95"])]
    if not clear:
        return f"None of the {n} changes makes a difference that seeds and days together could not make."
    named = ", ".join(f"{row['name']} ({100 * row['effect']:+.1f} % MSE)" for row in clear)
    return f"Of {n} changes, {named} stands out from seeds and days (p < 0.05 / {n})."


def _clears(interval: Sequence[float]) -> bool:
    return not interval[0] <= 0 <= interval[1]

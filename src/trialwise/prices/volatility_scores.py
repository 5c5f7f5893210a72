"""Variance forecasts and what came -> how good each model is, with the 22-day rolling mean as the measure.

Legend: N test days.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trialwise.base.seeds import numpy_generator
from trialwise.statistics.comparisons import block_bootstrap_interval, block_days, diebold_mariano
from trialwise.statistics.forecast_losses import qlike

REFERENCE = "rolling_mean"
STRONG = "log_har"
N_RESAMPLES = 2000
ALPHA = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class VolatilityScore:
    """One model's row; what compares with the rolling mean is None in the rolling mean's own row.

    Attributes:
        name: The model.
        qlike: Mean QLIKE over the test days; 0 is perfect.
        qlike_skill: 1 - qlike / that of the rolling mean; above 0 where the model is better.
        qlike_skill_ci95: The 95 % moving-block bootstrap interval of `qlike_skill`.
        dm_p: Two-sided p value of the Diebold-Mariano-HLN test of QLIKE against the rolling mean.
        skill_over_har: 1 - qlike / that of log-HAR; None in log-HAR's own row.
        dm_p_over_har: The p value of the same test against log-HAR; None in its own row.
    """

    name: str
    qlike: float
    qlike_skill: float = 0.0
    qlike_skill_ci95: tuple[float, float] | None = None
    dm_p: float | None = None
    skill_over_har: float | None = None
    dm_p_over_har: float | None = None


def score_variances(
    actual_N: NDArray[np.float64], forecasts: Mapping[str, NDArray[np.float64]], *, seed: int, horizon: int = 1
) -> tuple[VolatilityScore, ...]:
    """One row a model, in the order of the forecasts.

    Args:
        actual_N: (N,) variances of the test days.
        forecasts: (N,) forecast variances by model; "rolling_mean" and "log_har" are among them.
        seed: Seeds the bootstrap; all models are judged on the same resampled days.
        horizon: Days over which a variance goes; neighbouring ones overlap.
    """
    losses = {name: qlike(actual_N, forecast_N) for name, forecast_N in forecasts.items()}
    return tuple(_row(name, losses, seed=seed, horizon=horizon) for name in losses)


def better_than_reference(score: VolatilityScore) -> bool:
    """Whether a model that was named beforehand may be called better: p < 0.05 and an interval above 0, both."""
    if score.dm_p is None or score.qlike_skill_ci95 is None:
        return False
    return score.dm_p < ALPHA and score.qlike_skill_ci95[0] > 0


def _row(name: str, losses: Mapping[str, NDArray[np.float64]], *, seed: int, horizon: int) -> VolatilityScore:
    loss_N, reference_N, har_N = losses[name], losses[REFERENCE], losses[STRONG]
    row = VolatilityScore(name=name, qlike=float(loss_N.mean()))
    if name != STRONG:
        row = dataclasses.replace(
            row,
            skill_over_har=_skill(np.array([loss_N.mean(), har_N.mean()])),
            dm_p_over_har=diebold_mariano(loss_N, har_N, horizon).p_value,
        )
    if name == REFERENCE:
        return row
    losses_N2 = np.stack([loss_N, reference_N], axis=1)
    return dataclasses.replace(
        row,
        qlike_skill=_skill(losses_N2.mean(axis=0)),
        qlike_skill_ci95=block_bootstrap_interval(
            losses_N2,
            _skill,
            generator=numpy_generator(seed, "volatility skill"),
            n_resamples=N_RESAMPLES,
            block_length=block_days(len(loss_N), horizon),
        ),
        dm_p=diebold_mariano(loss_N, reference_N, horizon).p_value,
    )


def _skill(mean_losses: NDArray[np.float64]) -> float:
    """1 - the first mean loss over the second; 0 where both are 0."""
    model, reference = mean_losses
    if reference == 0:
        return 0.0 if model == 0 else float("-inf")
    return float(1 - model / reference)

"""Forecasts and what came -> how good each model is, with the naive forecast as the measure.

Legend: N test days.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trialwise.base.seeds import numpy_generator
from trialwise.statistics.comparisons import block_bootstrap_interval, diebold_mariano

N_RESAMPLES = 2000


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelScore:
    """One model's row; the fields that compare with the naive forecast are None in the naive row itself.

    Attributes:
        name: The model.
        rmse: Root of the mean squared error, in the prices' currency.
        mae: Mean absolute error, in the prices' currency.
        rmse_over_naive: Below 1 where the model is better than the naive forecast.
        direction_accuracy: Share of the days with a move on which its sign was forecast; None where no move ever was.
        dm_p: Two-sided p value of the Diebold-Mariano-HLN test of squared errors against the naive forecast's.
        skill: 1 - rmse_over_naive; above 0 where the model is better.
        skill_ci95: The 95 % moving-block bootstrap interval of `skill`.
    """

    name: str
    rmse: float
    mae: float
    rmse_over_naive: float = 1.0
    direction_accuracy: float | None = None
    dm_p: float | None = None
    skill: float = 0.0
    skill_ci95: tuple[float, float] | None = None


def score_forecasts(
    actual_N: NDArray[np.float64], forecasts: Mapping[str, NDArray[np.float64]], *, seed: int
) -> tuple[ModelScore, ...]:
    """One row a model, the naive one first.

    Args:
        actual_N: (N,) closes of the test days.
        forecasts: (N,) forecast closes by model; "naive" is among them.
        seed: Seeds the bootstrap; all models are judged on the same resampled days.
    """
    naive_N = forecasts["naive"]
    rows = [ModelScore(name="naive", rmse=_rmse(actual_N - naive_N), mae=float(np.abs(actual_N - naive_N).mean()))]
    for name, forecast_N in forecasts.items():
        if name != "naive":
            rows.append(_against_naive(name, actual_N, forecast_N, naive_N, seed=seed))
    return tuple(rows)


def rmse_over(actual_N: NDArray[np.float64], forecast_N: NDArray[np.float64], naive_N: NDArray[np.float64]) -> float:
    """The RMSE of a forecast over that of the naive one; 1 where both are exact."""
    return _ratio(np.stack([(actual_N - forecast_N) ** 2, (actual_N - naive_N) ** 2]).mean(axis=1))


def _against_naive(
    name: str,
    actual_N: NDArray[np.float64],
    forecast_N: NDArray[np.float64],
    naive_N: NDArray[np.float64],
    *,
    seed: int,
) -> ModelScore:
    errors_N, naive_errors_N = actual_N - forecast_N, actual_N - naive_N
    losses_N2 = np.stack([errors_N**2, naive_errors_N**2], axis=1)
    over_naive = rmse_over(actual_N, forecast_N, naive_N)
    return ModelScore(
        name=name,
        rmse=_rmse(errors_N),
        mae=float(np.abs(errors_N).mean()),
        rmse_over_naive=over_naive,
        direction_accuracy=_direction_accuracy(actual_N - naive_N, forecast_N - naive_N),
        dm_p=diebold_mariano(losses_N2[:, 0], losses_N2[:, 1]).p_value,
        skill=1.0 - over_naive,
        skill_ci95=block_bootstrap_interval(
            losses_N2,
            lambda means: 1.0 - _ratio(means),
            generator=numpy_generator(seed, "skill"),
            n_resamples=N_RESAMPLES,
        ),
    )


def _rmse(errors_N: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(errors_N**2)))


def _ratio(mean_losses: NDArray[np.float64]) -> float:
    """The root of the model's mean loss over the naive one's; 1 where both are 0."""
    model, naive = mean_losses
    if naive == 0:
        return 1.0 if model == 0 else float("inf")
    return float(np.sqrt(model / naive))


def _direction_accuracy(moves_N: NDArray[np.float64], forecast_moves_N: NDArray[np.float64]) -> float | None:
    moved = moves_N != 0
    if not moved.any() or not forecast_moves_N.any():
        return None
    return float(np.mean(np.sign(moves_N[moved]) == np.sign(forecast_moves_N[moved])))

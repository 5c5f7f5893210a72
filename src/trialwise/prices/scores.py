"""Forecasts and what came -> how good each model is, with the naive forecast as the measure.

Legend: N test days.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trialwise.base.seeds import numpy_generator
from trialwise.statistics.comparisons import block_bootstrap_interval, block_days, diebold_mariano
from trialwise.statistics.confidence_set import confidence_set_p_values
from trialwise.statistics.direction import pesaran_timmermann
from trialwise.statistics.forecast_losses import mase

N_RESAMPLES = 2000
CONFIDENCE_SET_LEVEL = 0.9
REPEATS_ABOVE = 0.8


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
        mase: MAE over the mean absolute move of the training closes over the horizon; None where those never moved.
        direction_p: One-sided p value of the Pesaran-Timmermann test that the forecast signs know nothing; None where
            all forecasts, or all moves, have one sign.
        in_confidence_set: Whether the model belongs to the 90 % model confidence set of squared errors.
        lag_correlations: Of the day-to-day steps of the forecast line, with the actual moves of the same day and of
            the day a horizon before; None where one of them never moves.
        repeats_yesterday: Whether the forecast line is the price line a horizon late: the second correlation is above
            0.8 and above the first.
    """

    name: str
    rmse: float
    mae: float
    rmse_over_naive: float = 1.0
    direction_accuracy: float | None = None
    dm_p: float | None = None
    skill: float = 0.0
    skill_ci95: tuple[float, float] | None = None
    mase: float | None = None
    direction_p: float | None = None
    in_confidence_set: bool = True
    lag_correlations: tuple[float, float] | None = None
    repeats_yesterday: bool = False


def score_forecasts(
    actual_N: NDArray[np.float64],
    forecasts: Mapping[str, NDArray[np.float64]],
    *,
    train_close_M: NDArray[np.float64],
    seed: int,
    horizon: int = 1,
) -> tuple[ModelScore, ...]:
    """One row a model, the naive one first.

    Args:
        actual_N: (N,) closes of the test days that are forecast.
        forecasts: (N,) forecast closes by model; "naive" is among them.
        train_close_M: (M,) closes of the days before.
        seed: Seeds the bootstraps; all models are judged on the same resampled days.
        horizon: Days ahead of the forecasts; neighbouring errors share all but one of them.
    """
    naive_N = forecasts["naive"]
    names = ["naive", *(name for name in forecasts if name != "naive")]
    set_p_values = confidence_set_p_values(
        np.stack([(actual_N - forecasts[name]) ** 2 for name in names], axis=1),
        generator=numpy_generator(seed, "confidence set"),
        block_length=block_days(len(actual_N), horizon),
    )
    rows = []
    for name, set_p in zip(names, set_p_values, strict=True):
        lags = lag_correlations(actual_N, forecasts[name], naive_N)
        row = ModelScore(
            name=name,
            rmse=_rmse(actual_N - forecasts[name]),
            mae=float(np.abs(actual_N - forecasts[name]).mean()),
            mase=mase(actual_N, forecasts[name], train_close_M, horizon),
            in_confidence_set=bool(set_p > 1 - CONFIDENCE_SET_LEVEL),
            lag_correlations=lags,
            repeats_yesterday=lags is not None and lags[1] > max(REPEATS_ABOVE, lags[0]),
        )
        if name != "naive":
            row = _against_naive(row, actual_N, forecasts[name], naive_N, seed=seed, horizon=horizon)
        rows.append(row)
    return tuple(rows)


def lag_correlations(
    actual_N: NDArray[np.float64], forecast_N: NDArray[np.float64], naive_N: NDArray[np.float64]
) -> tuple[float, float] | None:
    """How the steps of the forecast line go with those of the price line, and of that line a horizon late.

    The naive forecast has 1 with the latter: its line in a chart is the price line a day late, which looks like a
    splendid forecast. None with fewer than 3 steps, or where one of the three never changes.
    """
    lines = (np.maximum(forecast_N, np.finfo(float).tiny), actual_N, naive_N)
    steps, today, yesterday = (np.diff(np.log(line)) for line in lines)
    if len(steps) < 3 or any(float(np.ptp(values)) < 1e-12 for values in (steps, today, yesterday)):
        return None
    return float(np.corrcoef(steps, today)[0, 1]), float(np.corrcoef(steps, yesterday)[0, 1])


def rmse_over(actual_N: NDArray[np.float64], forecast_N: NDArray[np.float64], naive_N: NDArray[np.float64]) -> float:
    """The RMSE of a forecast over that of the naive one; 1 where both are exact."""
    return _ratio(np.stack([(actual_N - forecast_N) ** 2, (actual_N - naive_N) ** 2]).mean(axis=1))


def _against_naive(
    row: ModelScore,
    actual_N: NDArray[np.float64],
    forecast_N: NDArray[np.float64],
    naive_N: NDArray[np.float64],
    *,
    seed: int,
    horizon: int,
) -> ModelScore:
    losses_N2 = np.stack([(actual_N - forecast_N) ** 2, (actual_N - naive_N) ** 2], axis=1)
    over_naive = rmse_over(actual_N, forecast_N, naive_N)
    moves_N, forecast_moves_N = actual_N - naive_N, forecast_N - naive_N
    return dataclasses.replace(
        row,
        rmse_over_naive=over_naive,
        direction_accuracy=_direction_accuracy(moves_N, forecast_moves_N),
        direction_p=pesaran_timmermann(moves_N, forecast_moves_N, horizon).p_value,
        dm_p=diebold_mariano(losses_N2[:, 0], losses_N2[:, 1], horizon).p_value,
        skill=1.0 - over_naive,
        skill_ci95=block_bootstrap_interval(
            losses_N2,
            lambda means: 1.0 - _ratio(means),
            generator=numpy_generator(seed, "skill"),
            n_resamples=N_RESAMPLES,
            block_length=block_days(len(losses_N2), horizon),
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

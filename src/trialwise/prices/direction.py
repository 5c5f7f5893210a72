"""Will it rise? Probabilities, and what they are worth beside the share of days that rose.

Legend: N days, M evenings whose horizon has come, F features.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from torch.nn import functional

from trialwise.base.seeds import child_seed, numpy_generator
from trialwise.prices.ensemble import Ensemble, fit_ensemble, mean_outputs
from trialwise.prices.features import Scaler, build_features, moves_ahead, scale
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.shrinkage import fit_shrinkage
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.prices.train import training_data
from trialwise.prices.verdict import ALPHA, plain_p
from trialwise.statistics.comparisons import block_bootstrap_interval, block_days, diebold_mariano
from trialwise.statistics.direction import pesaran_timmermann
from trialwise.statistics.forecast_losses import brier_score

REFERENCE = "up_share"
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # of the logistic regression, as a share of the days
N_RESAMPLES = 2000
LEAST_PROBABILITY = 0.01  # no history makes a rise, or a fall, surer than this


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DirectionForecaster:
    """What is fitted before the origin to tell rises from falls.

    Attributes:
        ensemble: Networks that give log-odds over those of `up_share`.
        scaler: Of what they see, measured on the training days.
        settings: Of the networks and their training.
        up_share: Share of the training days' moves over the horizon that were rises.
        shrinkage: The share of the networks' step away from `up_share` that is believed, in [0, 1].
        weights: (F + 1,) of the logistic regression on the same features, the constant first.
        after_fall: Probability of a rise after a day that fell,
        after_rise: and after one that rose, as the training days had it.
    """

    ensemble: Ensemble
    scaler: Scaler
    settings: BacktestSettings
    up_share: float
    shrinkage: float
    weights: tuple[float, ...]
    after_fall: float
    after_rise: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class DirectionScore:
    """One model's row; what compares with `up_share` is None in its own row.

    Attributes:
        name: The model.
        accuracy: Share of the days with a move on which the likelier direction came; None where no move ever was.
        brier: Mean Brier score; always saying one half has 0.25.
        brier_skill: 1 - brier / that of `up_share`; above 0 where the model is better.
        brier_skill_ci95: The 95 % moving-block bootstrap interval of `brier_skill`.
        dm_p: Two-sided p value of the Diebold-Mariano-HLN test of Brier scores against `up_share`.
        direction_p: One-sided p value of the Pesaran-Timmermann test; None where the model always points one way.
    """

    name: str
    accuracy: float | None
    brier: float
    brier_skill: float = 0.0
    brier_skill_ci95: tuple[float, float] | None = None
    dm_p: float | None = None
    direction_p: float | None = None

    def to_document(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        interval = self.brier_skill_ci95
        return dataclasses.asdict(self) | {"brier_skill_ci95": None if interval is None else list(interval)}


def train_direction(table_train: PriceTable, settings: BacktestSettings, *, seed: int) -> DirectionForecaster:
    """Everything that tells rises from falls, fitted on the days up to the origin.

    The networks are those of the closes with another loss (cross-entropy). They begin at the share of rises, and the
    validation days say how much of their step away from it is believed (see `shrinkage`).

    Args:
        table_train: The days up to the origin; no test day may be in it.
        settings: The networks and their training.
        seed: Seeds the networks.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    horizon, first_valid = settings.horizon, split_rows(len(table_train), 0.0).valid.start
    data = training_data(table_train, settings)
    rose_M = _rose(moves_ahead(table_train.close, horizon))
    n_fit = first_valid - horizon
    up_share = _within(float(rose_M[:n_fit].mean()))
    data = dataclasses.replace(
        data, targets_M=rose_M, day_loss=functools.partial(_cross_entropy, offset=float(logit(up_share)))
    )
    ensemble = fit_ensemble(data.training, seed=child_seed(seed, "direction"))
    after_fall, after_rise = _after(table_train, rose_M, n_fit)
    unshrunk = DirectionForecaster(
        ensemble=ensemble,
        scaler=data.scaler,
        settings=settings,
        up_share=up_share,
        shrinkage=1.0,
        weights=_logistic(data.inputs_NF[: len(rose_M)].astype(np.float64), rose_M, n_fit, first_valid - 1),
        after_fall=after_fall,
        after_rise=after_rise,
    )
    said = probabilities(unshrunk, table_train, first_valid - 1 + horizon)["lstm"]
    shrinkage = fit_shrinkage(
        said - up_share, rose_M[first_valid - 1 :] - up_share, horizon=horizon, n_tried=settings.configurations_tried
    )
    return dataclasses.replace(unshrunk, shrinkage=shrinkage)


def probabilities(trained: DirectionForecaster, table: PriceTable, first_row: int) -> dict[str, NDArray[np.float64]]:
    """(N - first_row,) probabilities by model that the closes of days `first_row` to the last lie above those before.

    "Before" is `horizon` days, on whose evening each was made: the share of rises so far (the measure of the others),
    the share after a day like that evening's, logistic regression, and the networks.
    """
    horizon, window = trained.settings.horizon, trained.settings.window
    last, first = len(table) - horizon, first_row - horizon
    scaled_NF = scale(build_features(table, trained.scaler.names), trained.scaler)[:last]
    rose_M = _rose(moves_ahead(table.close, horizon))
    counts = np.arange(1, len(rose_M) + 1)
    # On the evening of day t the last move known is the one that began `horizon` days before.
    so_far_N = (np.cumsum(rose_M) / counts)[first - horizon : last - horizon]
    day_rose_N = _rose(np.diff(np.log(table.close)))[first - 1 : last - 1]
    said_N = expit(logit(trained.up_share) + mean_outputs(trained.ensemble, scaled_NF, window, first=first))
    constant, *weights = trained.weights
    return {
        REFERENCE: np.clip(so_far_N, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY),
        "last_move": trained.after_fall + (trained.after_rise - trained.after_fall) * day_rose_N,
        # Row by row, not one matrix product: the rounding of a row must not hang on how many there are.
        "logistic": expit(constant + (scaled_NF[first:].astype(np.float64) * weights).sum(axis=1)),
        "lstm": trained.up_share + trained.shrinkage * (said_N - trained.up_share),
    }


def score_directions(
    moves_N: NDArray[np.float64], forecasts: Mapping[str, NDArray[np.float64]], *, seed: int, horizon: int = 1
) -> tuple[DirectionScore, ...]:
    """One row a model, in the order of the forecasts.

    Args:
        moves_N: (N,) actual moves over the horizon.
        forecasts: (N,) probabilities of a rise by model; "up_share" is among them.
        seed: Seeds the bootstrap; all models are judged on the same resampled days.
        horizon: Days over which a move goes; neighbouring ones overlap.
    """
    rose_N, moved_N = _rose(moves_N), moves_N != 0
    losses = {name: brier_score(rose_N, said_N) for name, said_N in forecasts.items()}
    rows = []
    for name, said_N in forecasts.items():
        right = float(((said_N > 0.5) == (moves_N > 0))[moved_N].mean()) if moved_N.any() else None
        row = DirectionScore(name=name, accuracy=right, brier=float(losses[name].mean()))
        if name != REFERENCE:
            losses_N2 = np.stack([losses[name], losses[REFERENCE]], axis=1)
            interval = block_bootstrap_interval(
                losses_N2,
                _skill,
                generator=numpy_generator(seed, "direction skill"),
                n_resamples=N_RESAMPLES,
                block_length=block_days(len(moves_N), horizon),
            )
            row = dataclasses.replace(
                row,
                brier_skill=_skill(losses_N2.mean(axis=0)),
                brier_skill_ci95=interval,
                dm_p=diebold_mariano(losses[name], losses[REFERENCE], horizon).p_value,
                direction_p=pesaran_timmermann(moves_N, said_N - 0.5, horizon).p_value,
            )
        rows.append(row)
    return tuple(rows)


def direction_verdict(scores: tuple[DirectionScore, ...]) -> str:
    """One sentence on whether rises can be told from falls; its p is multiplied by the number of models."""
    others = [score for score in scores if score.dm_p is not None]
    better = [score for score in others if claims_direction(score, len(others))]
    if better:
        best = max(better, key=lambda score: score.brier_skill)
        assert best.dm_p is not None
        return (
            f"Its direction can be told by {best.name} better than by the share of rises so far: Brier score "
            f"{100 * best.brier_skill:.1f} % lower "
            f"(p {plain_p(min(1.0, len(others) * best.dm_p))}, {len(others)} tried)."
        )
    ahead = [score for score in others if score.brier_skill > 0 and score.dm_p is not None]
    p = min((score.dm_p for score in ahead if score.dm_p is not None), default=None)
    found = "none has a smaller error" if p is None else f"p {plain_p(min(1.0, len(others) * p))}"
    return f"Its direction is told by none better than by the share of rises so far ({found}, {len(others)} tried)."


def claims_direction(score: DirectionScore, n_compared: int) -> bool:
    """Whether a model may be called better than the share of rises: p < 0.05 / n_compared, an interval above 0."""
    if score.dm_p is None or score.brier_skill_ci95 is None:
        return False
    return score.dm_p < ALPHA / n_compared and score.brier_skill_ci95[0] > 0


def _skill(mean_losses: NDArray[np.float64]) -> float:
    model, reference = mean_losses
    if reference == 0:  # nothing ever moved
        return 0.0 if model == 0 else float("-inf")
    return float(1 - model / reference)


def _rose(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for a rise, 0 for a fall, a half where nothing moved."""
    return (np.sign(moves) + 1) / 2


def _within(probability: float) -> float:
    return min(1 - LEAST_PROBABILITY, max(LEAST_PROBABILITY, probability))


def _after(table_train: PriceTable, rose_M: NDArray[np.float64], n_fit: int) -> tuple[float, float]:
    """The shares of rises after days that fell and after days that rose, each as if two halves more had been seen."""
    day_rose = _rose(np.diff(np.log(table_train.close)))[: n_fit - 1]
    came = rose_M[1:n_fit]
    fell, rose = came[day_rose == 0], came[day_rose == 1]
    return float((fell.sum() + 1) / (len(fell) + 2)), float((rose.sum() + 1) / (len(rose) + 2))


def _cross_entropy(outputs: torch.Tensor, targets: torch.Tensor, *, offset: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(outputs + offset, targets)


def _logistic(
    inputs_MF: NDArray[np.float64], rose_M: NDArray[np.float64], n_fit: int, first_valid: int
) -> tuple[float, ...]:
    """(F + 1,) weights by ridge-penalised maximum likelihood; the penalty with the lowest validation loss."""

    def fitted(n_days: int, penalty: float) -> NDArray[np.float64]:
        known, came = inputs_MF[1:n_days], rose_M[1:n_days]

        def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            odds = weights[0] + known @ weights[1:]
            value = np.mean(np.logaddexp(0, odds) - came * odds) + penalty / 2 * (weights[1:] @ weights[1:])
            off = (expit(odds) - came) / len(came)
            return float(value), np.r_[off.sum(), off @ known + penalty * weights[1:]]

        start = np.r_[logit(_within(float(came.mean()))), np.zeros(known.shape[1])]
        return minimize(loss, start, jac=True, method="L-BFGS-B").x

    def valid_loss(penalty: float) -> float:
        weights = fitted(n_fit, penalty)
        odds = weights[0] + inputs_MF[first_valid:] @ weights[1:]
        return float(np.mean(np.logaddexp(0, odds) - rose_M[first_valid:] * odds))

    return tuple(fitted(len(rose_M), min(PENALTIES, key=valid_loss)).tolist())

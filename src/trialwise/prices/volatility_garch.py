"""GARCH(1,1): the variance of returns as econometrics has forecast it since 1986.

Legend: N days.
"""

import dataclasses
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from trialwise.prices.features import log_returns
from trialwise.prices.table import PriceTable
from trialwise.prices.volatility_target import daily_variance

REFIT_EVERY_DAYS = 252
FEWEST_DAYS = 250
PERCENT = 100.0  # arch wants returns of a size near 1


class NotFittedError(Exception):
    """GARCH cannot be fitted to these returns; says why in words for the table of models."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Garch:
    """tomorrow = omega + alpha x (today's return - mean)^2 + beta x today; returns in percent.

    Attributes:
        mean: Of the daily log-returns, in percent.
        omega: In percent squared.
        alpha: Weight of the last squared return.
        beta: Weight of the last variance.
        level: What a variance in percent squared is multiplied by to be one of `daily_variance`.
    """

    mean: float
    omega: float
    alpha: float
    beta: float
    level: float


def garch(table: PriceTable, first_row: int, horizon: int = 1) -> NDArray[np.float64]:
    """(N - first_row,) variances by GARCH(1,1), fitted again every 252 days on all days before, filtered daily.

    Bollerslev 1986, "Generalized autoregressive conditional heteroskedasticity". It models the variance of returns
    from close to close; `daily_variance` may have another level, so forecasts are multiplied by the ratio of the
    means of the two over the days of fitting. As everywhere, the forecast of day t is the sum over the `horizon` days
    that end on it, made with the days up to t - horizon.

    Raises:
        NotFittedError: There are too few days, or the likelihood has no maximum that the optimiser finds.
    """
    percent_N, variance_N = PERCENT * log_returns(table.close), daily_variance(table)
    parts, last = [], len(table) - horizon
    for evening in range(first_row - horizon, last, REFIT_EVERY_DAYS):
        model = fit_garch(percent_N[: evening + 1], variance_N[: evening + 1])
        tomorrow_N = filtered(model, percent_N[: min(evening + REFIT_EVERY_DAYS, last)])[evening:]
        parts.append(model.level * _summed(model, tomorrow_N, horizon))
    return np.concatenate(parts)


def fit_garch(percent_N: NDArray[np.float64], variance_N: NDArray[np.float64]) -> Garch:
    """GARCH(1,1) with a constant mean by maximum likelihood.

    Args:
        percent_N: (N,) log-returns in percent, the first of them not a move.
        variance_N: (N,) `daily_variance` of the same days, for the level.

    Raises:
        NotFittedError: See `garch`.
    """
    if len(percent_N) < FEWEST_DAYS:
        raise NotFittedError(f"GARCH needs at least {FEWEST_DAYS} days to be fitted, there are {len(percent_N)}")
    if percent_N.std() < 1e-6:
        raise NotFittedError("GARCH cannot be fitted to prices that do not move")
    from arch import arch_model  # a second of import, with pandas and statsmodels behind it

    with warnings.catch_warnings():
        # What the optimiser has to say is in its convergence flag.
        warnings.simplefilter("ignore")
        fitted = arch_model(percent_N[1:], mean="Constant", vol="GARCH", p=1, q=1, rescale=False).fit(disp="off")
    mean, omega, alpha, beta = (float(value) for value in np.asarray(fitted.params))
    if fitted.convergence_flag != 0 or not np.isfinite([mean, omega, alpha, beta]).all() or omega <= 0:
        raise NotFittedError("GARCH could not be fitted: its optimiser found no maximum")
    unscaled = Garch(mean=mean, omega=omega, alpha=alpha, beta=beta, level=1.0)
    # From day 22 on, when the start of the filter is mostly forgotten.
    forecast_N = filtered(unscaled, percent_N[:-1])[21:]
    return dataclasses.replace(unscaled, level=float(variance_N[22:].mean() / forecast_N.mean()))


def filtered(model: Garch, percent_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) variance of the day after each day, in percent squared; it begins at the model's long-run mean."""
    news_N = model.omega + model.alpha * (percent_N - model.mean) ** 2
    persistence = min(model.alpha + model.beta, 0.999)
    start = np.array([model.beta * model.omega / (1 - persistence)])
    return lfilter([1.0], [1.0, -model.beta], news_N, zi=start)[0]


def _summed(model: Garch, tomorrow_N: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """(N,) sums of the variances of `horizon` days from tomorrow on: each day goes the same share of the way home."""
    persistence = min(model.alpha + model.beta, 0.999)
    home = model.omega / (1 - persistence)
    return horizon * home + (tomorrow_N - home) * (1 - persistence**horizon) / (1 - persistence)

"""Forecasts of closes day by day: window by window, and whether they only repeat an earlier close."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.reports import figures
from trialwise.reports.drawing import BLUE, GREY, ORANGE, Picture, above, new_figure, to_svg
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.verdicts import number, percent

MODELS = ("lstm", "lstm_unshrunk")  # the first that is not the naive forecast itself is looked at
N_WINDOWS = 8
FEWEST_DAYS = 20  # of a window
N_LAGS = 6


def model_of(days: Mapping[str, Any]) -> str:
    """The LSTM whose forecasts are looked at; where it fell back to the naive forecast, what its network said."""
    forecasts = days["forecasts"]
    known = [name for name in MODELS if name in forecasts]
    return next((name for name in known if list(forecasts[name]) != list(forecasts["naive"])), known[0])


def _fell_back(model: str) -> str:
    said = f"{MODELS[0]} fell back to the naive forecast; {model} is what its network said, believed in full. "
    return "" if model == MODELS[0] else said


def errors_chapter(days: Mapping[str, Any], horizon: int) -> Chapter:
    """How large the errors were as the test days went by, beside naive's."""
    rows, model = windows(days, horizon), model_of(days)
    better = sum(row["ratio"] < 1 for row in rows)
    head = ("days", "from", "to", "RMSE", "naive's RMSE", "RMSE / naive", "direction right")
    cells = tuple(
        (
            str(row["n"]),
            row["first"],
            row["last"],
            number(row["rmse"]),
            number(row["naive"]),
            f"{row['ratio']:.4f}",
            "" if row["direction"] is None else percent(row["direction"]),
        )
        for row in rows
    )
    return Chapter(
        heading="Errors in time, window by window",
        sentences=(
            f"{_fell_back(model)}{model} had a smaller error than naive in {better} of {len(rows)} windows of the test "
            "days. A model that knows nothing does so in about half of them.",
        ),
        tables=(Table(caption=f"{model} beside naive, window by window", head=head, rows=cells),),
        pictures=(figures.forecast_errors(days["dates"], days["actual"], days["forecasts"]),),
    )


def windows(days: Mapping[str, Any], horizon: int) -> list[dict[str, Any]]:
    """The errors of the LSTM and of naive in windows of equally many test days.

    "direction" is the share of days on which the close rose or fell as forecast; None where nothing was forecast to
    move.
    """
    actual, model, naive = _closes(days)
    n = max(1, min(N_WINDOWS, len(actual) // max(FEWEST_DAYS, horizon)))
    rows = []
    for part in np.array_split(np.arange(len(actual)), n):
        move, forecast = actual[part] - naive[part], model[part] - naive[part]
        told = (forecast != 0) & (move != 0)
        error, naive_error = _rmse(model[part] - actual[part]), _rmse(move)
        rows.append(
            {
                "n": len(part),
                "first": str(days["dates"][part[0]]),
                "last": str(days["dates"][part[-1]]),
                "rmse": error,
                "naive": naive_error,
                "ratio": error / naive_error if naive_error else 1.0,
                "direction": float(np.mean(np.sign(move[told]) == np.sign(forecast[told]))) if told.any() else None,
            }
        )
    return rows


def lag_chapter(days: Mapping[str, Any], horizon: int) -> Chapter:
    """Whether the forecast is a close that was known already, shifted."""
    errors, model = lag_errors(days, horizon), model_of(days)
    nearest = min(errors, key=lambda lag: errors[lag])
    if nearest == 0:
        words = f"The forecasts of {model} are nearest to the closes of the days that they are for."
    else:
        when = "the day before" if nearest == 1 else f"{nearest} days before"
        words = (
            f"The forecasts of {model} are nearest to the closes of {when} (RMSE {number(errors[nearest])}), not to "
            f"those of the days that they are for ({number(errors[0])}): drawn over the closes they look right, and "
            "are late."
        )
    return Chapter(
        heading="Is it only an earlier close?",
        sentences=(_fell_back(model) + words,),
        pictures=(lag_picture(errors, days, horizon),),
    )


def lag_errors(days: Mapping[str, Any], horizon: int) -> dict[int, float]:
    """The root mean squared difference of the LSTM's forecasts from the closes of each number of days before."""
    actual, model, _ = _closes(days)
    most = min(N_LAGS + horizon - 1, len(actual) - 2)
    # The same forecasts for every lag, or a stormy first week would count for some and not for others.
    return {lag: _rmse(model[most:] - actual[most - lag : len(actual) - lag]) for lag in range(most + 1)}


def lag_picture(errors: Mapping[int, float], days: Mapping[str, Any], horizon: int) -> Picture:
    """The errors of the forecasts against earlier closes; a forecaster that knows something is lowest at 0."""
    actual, _, naive = _closes(days)
    model, most = model_of(days), max(errors)
    of_naive = {lag: _rmse(naive[most:] - actual[most - lag : len(actual) - lag]) for lag in errors}
    figure, axes = new_figure(6.4, 3.2)
    lags = list(errors)
    axes.plot(lags, list(errors.values()), "o-", color=BLUE, linewidth=1.6, markersize=5, label=model)
    axes.plot(lags, list(of_naive.values()), "s--", color=ORANGE, linewidth=1.2, markersize=4, label="naive")
    axes.axvline(0, color=GREY, linewidth=0.9, linestyle=":")
    axes.set(xlabel="days before the one that is forecast", ylabel="RMSE from that day's close", xticks=lags)
    axes.set_ylim(bottom=0)
    above(axes)
    nearest = min(errors, key=lambda lag: errors[lag])
    return Picture(
        name="lag",
        caption=f"How far the forecasts lie from the close of their own day (0) and of the days before. Naive is the "
        f"close of {'the day' if horizon == 1 else f'{horizon} days'} before, shifted; a forecast of a lowest point at "
        f"{horizon} is hardly more.",
        alt=f"Distance of the forecasts of {model} from the closes of 0 to {most} days before: smallest at {nearest}.",
        svg=to_svg(figure),
    )


def _closes(days: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    forecasts: Mapping[str, Sequence[float]] = days["forecasts"]
    wanted = (days["actual"], forecasts[model_of(days)], forecasts["naive"])
    actual, model, naive = (np.asarray(values, dtype=float) for values in wanted)
    return actual, model, naive


def _rmse(differences: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(differences**2)))

"""What one run found, as a row beside those of other runs."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import read_json
from trialwise.base.runs import RunFolder
from trialwise.reports.verdicts import counted, number, percent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """One run's result.

    Attributes:
        measure: What its number is.
        value: The number; None where there is none yet.
        interval: Its 95 % interval; None where none is known.
        is_more_better: Whether a higher number is better.
        written: A value of this measure as text.
        cells: Everything worth comparing, name and text.
        n_params: Of a network; None where that is not known.
    """

    measure: str
    value: float | None
    interval: tuple[float, float] | None = None
    is_more_better: bool = False
    written: Callable[[float], str] = number
    cells: Mapping[str, str] = dataclasses.field(default_factory=dict)
    n_params: int | None = None


def found_by(run: RunFolder) -> Found:
    """The row of a run."""
    if not run.has_result:
        return Found(measure=_MEASURES.get(run.kind, "value"), value=None, cells={"status": run.record["status"]})
    return _READERS.get(run.kind, _of_others)(run)


def _of_classifier(run: RunFolder) -> Found:
    result, evaluation = run.result, run.record.get("evaluation")
    is_study = run.kind == "image-tune"
    valid = {} if is_study else result["valid"]
    accuracy = valid_accuracy(run)
    n_params: int | None = _best_notes(run).get("n_params") if is_study else result["n_params"]
    cells = {
        "network": _network(run),
        "parameters": f"{n_params:,}" if n_params else "",
        "epochs": str(result["max_epochs"] if is_study else result["epochs"]),
        "validation": _with_interval(accuracy, valid.get("ci95"), percent),
        "time": f"{result['seconds'] if is_study else result['seconds']['total']:.1f} s",
        "seed": str(run.seed),
    }
    measure, ends = "validation accuracy", valid.get("ci95")
    if evaluation:
        measure, accuracy, ends = "test accuracy", evaluation["test"]["accuracy"], evaluation["test"]["ci95"]
        cells["test"] = _with_interval(accuracy, ends, percent)
        times = evaluation["times_opened"]
        cells["test read"] = "once" if times == 1 else f"{times} times"
    return Found(
        measure=measure,
        value=accuracy,
        interval=tuple(ends) if ends else None,
        is_more_better=True,
        written=percent,
        cells=cells,
        n_params=n_params,
    )


def valid_accuracy(run: RunFolder) -> float | None:
    """The validation accuracy of the model that the run folder holds; None where it is not known.

    Of a study that is the re-run on the first fresh seed, where there is one: the best trial's own value is a pick.
    """
    if run.kind != "image-tune":
        return run.result.get("valid", {}).get("accuracy")
    again = (run.result.get("confirmed") or {}).get("trials", ())
    values = [row["values"][0] for row in again if row["trial"] == run.result["best_trial"]]
    return values[0] if values else run.result["best_value"]


def _network(run: RunFolder) -> str:
    return str(run.settings["train"]["network"]["family"]).replace("_", "-")


def _best_notes(run: RunFolder) -> Mapping[str, Any]:
    try:
        trials = read_json(run.path / "trials.json")
    except UserError:
        return {}
    return next((trial["notes"] for trial in trials if trial["number"] == run.result["best_trial"]), {})


def _of_study(run: RunFolder) -> Found:
    result = run.result
    corrected, error = result.get("corrected"), result.get("gain_standard_error")
    gain = "" if result.get("gain") is None else f"{result['gain']:.4g}" + (f" ± {error:.2g}" if error else "")
    best = result["best_value"]
    cells = {
        "best value": "" if best is None else number(best),
        "without its luck": _with_interval(corrected["value"], corrected["ci95"], number) if corrected else "",
        "gain over the default": gain,
        "trials": counted(result["counts"]),
        "time": f"{result['seconds']:.1f} s",
        "seed": str(run.seed),
    }
    return Found(
        measure=_MEASURES.get(run.kind) or str(result.get("score", "value")),
        value=best,
        is_more_better=result["direction"] == "maximize",
        cells={name: text for name, text in cells.items() if text},
    )


def _of_backtest(run: RunFolder) -> Found:
    result = run.result
    rows = {row["name"]: row for row in result["models"]}
    lstm = rows["lstm"]
    ends = lstm["skill_ci95"]
    ratios = (1 - ends[1], 1 - ends[0]) if ends else None
    volatility = {row["name"]: row for row in result.get("volatility") or ()}.get("lstm_har_mean", {})
    ninety = next((row["coverage"] for row in result.get("bands") or () if row["level"] == 0.9), None)
    cells = {
        "test days": f"{result['n_test']:,}, {result['first_test_date']} to {result['last_test_date']}",
        "RMSE / naive": _with_interval(lstm["rmse_over_naive"], ratios, "{:.4f}".format),
        "p against naive": "" if lstm["dm_p"] is None else f"{lstm['dm_p']:.3g}",
        "volatility: gain over the 22-day mean": percent(volatility["qlike_skill"]) if volatility else "",
        "held by the 90 % band": "" if ninety is None else percent(ninety),
        "time": f"{result['seconds']['total']:.1f} s",
        "seed": str(run.seed),
    }
    return Found(
        measure=_MEASURES["price-backtest"],
        value=lstm["rmse_over_naive"],
        interval=ratios,
        written="{:.4f}".format,
        cells={name: text for name, text in cells.items() if text},
    )


def _of_others(run: RunFolder) -> Found:
    return Found(measure="verdict", value=None, cells={"verdict": str(run.result["verdict"]), "seed": str(run.seed)})


def _with_interval(value: float | None, ends: Any, written: Callable[[float], str]) -> str:
    if value is None:
        return ""
    return written(value) + (f" ({written(ends[0])} to {written(ends[1])})" if ends else "")


_MEASURES = {"optimize": "lowest value", "price-backtest": "RMSE / naive", "image-train": "validation accuracy"}
_READERS: dict[str, Callable[[RunFolder], Found]] = {
    "image-train": _of_classifier,
    "image-tune": _of_classifier,
    "optimize": _of_study,
    "tune": _of_study,
    "price-tune": _of_study,
    "price-backtest": _of_backtest,
}

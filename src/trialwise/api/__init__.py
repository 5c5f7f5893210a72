"""One function a verb: what the command line does, from Python. Each makes or reads one run folder."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialwise.api.demonstration import demo
    from trialwise.api.functions import optimize
    from trialwise.api.images.ablation import ablate
    from trialwise.api.images.card import card
    from trialwise.api.images.comparison import compare
    from trialwise.api.images.evaluation import evaluate
    from trialwise.api.images.explanation import explain
    from trialwise.api.images.exporting import export
    from trialwise.api.images.prediction import predict, predict_batches
    from trialwise.api.images.training import resume_training, train
    from trialwise.api.images.tuning import tune_images
    from trialwise.api.machine import doctor
    from trialwise.api.objectives import tune
    from trialwise.api.price_tuning import tune_prices, untuned_default
    from trialwise.api.prices import ablate_prices, backtest, forecast, inspect, leak_test
    from trialwise.api.reporting import report
    from trialwise.api.runs import Note, Part, Stage, Watch
    from trialwise.api.studies import list_studies, resume, show_study
    from trialwise.api.study_places import studies_at
    from trialwise.api.study_tables import compare_study_runs, export_study, study_dashboard
    from trialwise.api.tracking import log

# Loaded when they are first asked for, so that a verb without networks does not wait for torch.
_HOMES = {
    "demo": "demonstration",
    "doctor": "machine",
    "optimize": "functions",
    "ablate": "images.ablation",
    "card": "images.card",
    "compare": "images.comparison",
    "evaluate": "images.evaluation",
    "explain": "images.explanation",
    "export": "images.exporting",
    "predict": "images.prediction",
    "predict_batches": "images.prediction",
    "resume_training": "images.training",
    "train": "images.training",
    "tune": "objectives",
    "tune_images": "images.tuning",
    "ablate_prices": "prices",
    "tune_prices": "price_tuning",
    "untuned_default": "price_tuning",
    "backtest": "prices",
    "forecast": "prices",
    "inspect": "prices",
    "leak_test": "prices",
    "Note": "runs",
    "Part": "runs",
    "Stage": "runs",
    "Watch": "runs",
    "report": "reporting",
    "list_studies": "studies",
    "resume": "studies",
    "show_study": "studies",
    "studies_at": "study_places",
    "compare_study_runs": "study_tables",
    "export_study": "study_tables",
    "study_dashboard": "study_tables",
    "log": "tracking",
}

__all__ = [
    "Note",
    "Part",
    "Stage",
    "Watch",
    "ablate",
    "ablate_prices",
    "backtest",
    "card",
    "compare",
    "compare_study_runs",
    "demo",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "export_study",
    "forecast",
    "inspect",
    "leak_test",
    "list_studies",
    "log",
    "optimize",
    "predict",
    "predict_batches",
    "report",
    "resume",
    "resume_training",
    "show_study",
    "studies_at",
    "study_dashboard",
    "train",
    "tune",
    "tune_images",
    "tune_prices",
    "untuned_default",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

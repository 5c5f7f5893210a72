"""trialwise: tunes and trains PyTorch models and says honestly how good they are."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialwise.api.estimators.images import ImageClassifier
    from trialwise.api.estimators.prices import PriceForecaster
    from trialwise.api.objectives import tune
    from trialwise.training.checkpoints import Checkpoint
    from trialwise.tuning.spaces import Choice, Float, Int
    from trialwise.tuning.trials import Trial

# What a person's own code needs, loaded when it is first asked for; the other verbs are in `trialwise.api`.
_HOMES = {
    "tune": "api.objectives",
    "ImageClassifier": "api.estimators.images",
    "PriceForecaster": "api.estimators.prices",
    "Checkpoint": "training.checkpoints",
    "Choice": "tuning.spaces",
    "Float": "tuning.spaces",
    "Int": "tuning.spaces",
    "Trial": "tuning.trials",
}

__all__ = ["Checkpoint", "Choice", "Float", "ImageClassifier", "Int", "PriceForecaster", "Trial", "tune"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

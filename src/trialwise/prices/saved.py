"""A trained forecaster in two files: weights without pickle, and everything else as JSON to read."""

import dataclasses
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from trialwise.base.errors import TrialwiseError, UserError
from trialwise.base.files import read_json, replacing, write_json
from trialwise.base.settings import fill
from trialwise.prices.features import Scaler
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.train import TrainedForecaster, build_network
from trialwise.training.loop import EpochResult

SCHEMA = "trialwise.price-model/1"


def save_forecaster(trained: TrainedForecaster, folder: Path) -> None:
    """Write `model.safetensors` and `model.json` into `folder`, each whole or not at all."""
    with replacing(folder / "model.safetensors") as partial:
        safetensors.torch.save_file(trained.network.state_dict(), partial)
    write_json(
        folder / "model.json",
        {
            "schema": SCHEMA,
            "settings": dataclasses.asdict(trained.settings),
            "scaler": dataclasses.asdict(trained.scaler),
            "shrinkage": trained.shrinkage,
            "best_epoch": trained.best_epoch,
            "epochs": [dataclasses.asdict(epoch) for epoch in trained.epochs],
        },
    )


def load_forecaster(folder: Path) -> TrainedForecaster:
    """The forecaster saved in `folder`; its forecasts are those of the one that was saved, to the bit.

    Raises:
        UserError: A file is missing, or is not what `save_forecaster` wrote.
    """
    document = read_json(folder / "model.json")
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UserError(f"{folder / 'model.json'}: expected a model of schema {SCHEMA!r}, got something else")
    weights = folder / "model.safetensors"
    try:
        trained = _from_document(document)
        trained.network.load_state_dict(safetensors.torch.load_file(weights))
    except FileNotFoundError:
        raise UserError(f"no such file: {weights}", hint="model.json and model.safetensors belong together") from None
    except TrialwiseError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder} does not hold a whole price model: {error}") from error
    trained.network.eval()
    return trained


def _from_document(document: dict[str, Any]) -> TrainedForecaster:
    settings = fill(BacktestSettings, document["settings"], where="model.json")
    scaler = fill(Scaler, document["scaler"], where="model.json")
    return TrainedForecaster(
        network=build_network(settings, n_features=len(scaler.names)),
        scaler=scaler,
        settings=settings,
        epochs=tuple(EpochResult(**epoch) for epoch in document["epochs"]),
        best_epoch=document["best_epoch"],
        shrinkage=document["shrinkage"],
    )

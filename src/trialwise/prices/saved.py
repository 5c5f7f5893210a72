"""A trained forecaster in two files: weights without pickle, and everything else as JSON to read.

The models of volatility and of direction lie beside it, each in two files of its own.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from safetensors import SafetensorError

from trialwise.base.errors import TrialwiseError, UserError
from trialwise.base.files import read_json, replacing, write_json
from trialwise.base.settings import fill
from trialwise.prices.direction import DirectionForecaster
from trialwise.prices.ensemble import Ensemble, build_network
from trialwise.prices.features import Scaler
from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.train import TrainedForecaster
from trialwise.prices.volatility_lstm import SETTINGS as VOLATILITY_SETTINGS
from trialwise.prices.volatility_lstm import VolatilityForecaster
from trialwise.training.loop import EpochResult

Loaded = TypeVar("Loaded")

SCHEMA = "trialwise.price-model/2"
VOLATILITY_SCHEMA = "trialwise.volatility-model/2"
DIRECTION_SCHEMA = "trialwise.direction-model/1"


def save_forecaster(trained: TrainedForecaster, folder: Path) -> None:
    """Write `model.safetensors` and `model.json` into `folder`, each whole or not at all."""
    document = {
        "settings": dataclasses.asdict(trained.settings),
        "scaler": dataclasses.asdict(trained.scaler),
        "shrinkage": trained.shrinkage,
    }
    _save(folder, "model", {"schema": SCHEMA} | document, trained.ensemble)


def load_forecaster(folder: Path) -> TrainedForecaster:
    """The forecaster saved in `folder`; its forecasts are those of the one that was saved, to the bit.

    Raises:
        UserError: A file is missing, or is not what `save_forecaster` wrote.
    """

    def read(document: dict[str, Any], weights: dict[str, torch.Tensor]) -> TrainedForecaster:
        settings = fill(BacktestSettings, document["settings"], where="model.json")
        scaler = fill(Scaler, document["scaler"], where="model.json")
        ensemble = _ensemble(settings, scaler, document, weights)
        return TrainedForecaster(
            ensemble=ensemble, scaler=scaler, settings=settings, shrinkage=float(document["shrinkage"])
        )

    return _load(folder, "model", SCHEMA, read)


def save_volatility(trained: VolatilityForecaster, folder: Path) -> None:
    """Write `volatility.safetensors` and `volatility.json` into `folder`, each whole or not at all."""
    document = {"scaler": dataclasses.asdict(trained.scaler), "horizon": trained.horizon}
    _save(folder, "volatility", {"schema": VOLATILITY_SCHEMA} | document, trained.ensemble)


def load_volatility(folder: Path) -> VolatilityForecaster | None:
    """The networks of volatility saved in `folder`; None where there are none, because nothing could be trained.

    Raises:
        UserError: A file is missing, or is not what `save_volatility` wrote.
    """

    def read(document: dict[str, Any], weights: dict[str, torch.Tensor]) -> VolatilityForecaster:
        scaler = fill(Scaler, document["scaler"], where="volatility.json")
        ensemble = _ensemble(VOLATILITY_SETTINGS, scaler, document, weights)
        return VolatilityForecaster(ensemble=ensemble, scaler=scaler, horizon=document["horizon"])

    if not (folder / "volatility.json").exists():
        return None
    return _load(folder, "volatility", VOLATILITY_SCHEMA, read)


def save_direction(trained: DirectionForecaster, folder: Path) -> None:
    """Write `direction.safetensors` and `direction.json` into `folder`, each whole or not at all."""
    others = {field.name: getattr(trained, field.name) for field in dataclasses.fields(trained)}
    document = others | {
        "settings": dataclasses.asdict(trained.settings),
        "scaler": dataclasses.asdict(trained.scaler),
        "weights": list(trained.weights),
    }
    del document["ensemble"]
    _save(folder, "direction", {"schema": DIRECTION_SCHEMA} | document, trained.ensemble)


def load_direction(folder: Path) -> DirectionForecaster:
    """The model of direction saved in `folder`.

    Raises:
        UserError: A file is missing, or is not what `save_direction` wrote.
    """

    def read(document: dict[str, Any], weights: dict[str, torch.Tensor]) -> DirectionForecaster:
        settings = fill(BacktestSettings, document["settings"], where="direction.json")
        scaler = fill(Scaler, document["scaler"], where="direction.json")
        numbers = ("up_share", "shrinkage", "after_fall", "after_rise")
        return DirectionForecaster(
            ensemble=_ensemble(settings, scaler, document, weights),
            scaler=scaler,
            settings=settings,
            weights=tuple(map(float, document["weights"])),
            **{name: float(document[name]) for name in numbers},
        )

    return _load(folder, "direction", DIRECTION_SCHEMA, read)


def _ensemble(
    settings: BacktestSettings, scaler: Scaler, document: dict[str, Any], weights: dict[str, torch.Tensor]
) -> Ensemble:
    best_epochs = tuple(document["best_epochs"])
    of_network: list[dict[str, torch.Tensor]] = [{} for _ in best_epochs]
    for name, values in weights.items():
        number, _, rest = name.partition(".")
        of_network[int(number)][rest] = values
    return Ensemble(
        networks=tuple(_network(settings, scaler, each) for each in of_network),
        best_epochs=best_epochs,
        epochs=tuple(tuple(EpochResult(**epoch) for epoch in epochs) for epochs in document["epochs"]),
    )


def _network(settings: BacktestSettings, scaler: Scaler, weights: dict[str, torch.Tensor]) -> LSTMForecaster:
    network = build_network(settings, n_features=len(scaler.names))
    network.load_state_dict(weights)
    return network.eval()


def _save(folder: Path, stem: str, document: dict[str, Any], ensemble: Ensemble) -> None:
    weights = {
        f"{i}.{name}": values
        for i, network in enumerate(ensemble.networks)
        for name, values in network.state_dict().items()
    }
    document |= {
        "best_epochs": list(ensemble.best_epochs),
        "epochs": [[dataclasses.asdict(epoch) for epoch in epochs] for epochs in ensemble.epochs],
    }
    with replacing(folder / f"{stem}.safetensors") as partial:
        safetensors.torch.save_file(weights, partial)
    write_json(folder / f"{stem}.json", document)


def _load(
    folder: Path, stem: str, schema: str, read: Callable[[dict[str, Any], dict[str, torch.Tensor]], Loaded]
) -> Loaded:
    document = read_json(folder / f"{stem}.json")
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise UserError(
            f"{folder / f'{stem}.json'}: expected a model of schema {schema!r}, got something else",
            hint="a model of another version of trialwise is made again by its own command",
        )
    path = folder / f"{stem}.safetensors"
    try:
        return read(document, safetensors.torch.load_file(path))
    except FileNotFoundError:
        hint = f"{stem}.json and {stem}.safetensors belong together"
        raise UserError(f"no such file: {path}", hint=hint) from None
    except TrialwiseError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise UserError(f"{folder} does not hold a whole price model: {error}") from error

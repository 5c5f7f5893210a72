"""A trained classifier on disk: weights as safetensors, everything else as JSON beside them. No pickle."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from trialwise.base.errors import UserError
from trialwise.base.files import read_json, replacing, write_json
from trialwise.base.settings import fill
from trialwise.images.networks import Architecture, build_network

SCHEMA = "trialwise.image-model/2"
DEFAULT_MODEL = "default"  # the folder, in that of a tuning, with the model of the untuned default


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedModel:
    """A network with all that is needed to use it.

    Attributes:
        network: The network itself.
        architecture: What it is built from.
        classes: The class of each output, by name.
        mean: Mean of each channel (C,), on the 0..1 scale.
        std: Standard deviation of each channel (C,).
        flip: Whether it was trained on flipped images, so that predictions may be averaged over flips.
        temperature: What logits are divided by before the softmax for probabilities that can be believed; fitted on
            validation rows. It changes no prediction.
    """

    network: nn.Module
    architecture: Architecture
    classes: tuple[str, ...]
    mean: torch.Tensor
    std: torch.Tensor
    flip: bool
    temperature: float = 1.0


def save_model(saved: SavedModel, folder: Path) -> None:
    """Write `model.safetensors` and `model.json` into `folder`, each whole or not at all."""
    weights = {name: tensor.contiguous() for name, tensor in saved.network.state_dict().items()}
    with replacing(folder / "model.safetensors") as partial:
        save_file(weights, partial)
    document = {
        "schema": SCHEMA,
        "architecture": saved.architecture.to_document(),
        "classes": saved.classes,
        "mean": [float(value) for value in saved.mean],
        "std": [float(value) for value in saved.std],
        "flip": saved.flip,
        "temperature": saved.temperature,
    }
    write_json(folder / "model.json", document)


def load_model(folder: Path, device: torch.device) -> SavedModel:
    """The model that `save_model` wrote into `folder`, on `device`.

    Raises:
        UserError: There is no model, or its files do not belong together.
    """
    if not (folder / "model.json").exists():
        raise UserError(
            f"{folder} holds no image model: it has no model.json", hint="give a run of image train or image tune"
        )
    document = read_json(folder / "model.json")
    wanted = {"schema", "architecture", "classes", "mean", "std", "flip"}
    if not isinstance(document, dict) or not wanted <= document.keys() or document["schema"] != SCHEMA:
        raise UserError(
            f"{folder / 'model.json'}: expected a model of schema {SCHEMA!r}", hint="it was damaged; train again"
        )
    architecture = fill(Architecture, document["architecture"], where=str(folder / "model.json"))
    network = build_network(architecture, seed=0)
    try:
        network.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{folder / 'model.safetensors'} does not fit its model.json: {error}") from error
    return SavedModel(
        network=network.to(device),
        architecture=architecture,
        classes=tuple(document["classes"]),
        mean=torch.tensor(document["mean"], device=device),
        std=torch.tensor(document["std"], device=device),
        flip=document["flip"],
        temperature=_temperature(document, folder / "model.json"),
    )


def _temperature(document: dict[str, Any], file: Path) -> float:
    """The model's temperature; 1 in files that were written before there was one."""
    temperature = document.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not temperature > 0:
        raise UserError(f"{file}: expected a temperature above 0, got {temperature!r}")
    return float(temperature)

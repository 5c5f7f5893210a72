"""Going on from a trained classifier on other data."""

import dataclasses

import torch
from torch import nn

from trialwise.base.errors import UserError
from trialwise.images.networks import build_network
from trialwise.images.saved import SavedModel
from trialwise.images.store import DataDescription


def continued(trained: SavedModel, data: DataDescription, *, flip: bool, seed: int) -> SavedModel:
    """A copy of the model that is ready to learn the data's classes: with a new head, unless they are its own.

    Args:
        trained: What to go on from; it stays as it is.
        data: What is to be learnt.
        flip: Whether training flips.
        seed: Seeds the new head.

    Raises:
        UserError: The data's images are not of the model's shape.
    """
    shape = trained.architecture
    if (data.channels, data.height) != (shape.channels, shape.image_size):
        raise UserError(
            f"{data.name} has {data.channels}-channel images of {data.height} pixels, and the model takes "
            f"{shape.channels}-channel images of {shape.image_size} pixels",
            hint=f"--image-size {shape.image_size}" if data.channels == shape.channels else "",
        )
    architecture = dataclasses.replace(shape, n_classes=len(data.classes))
    network = build_network(architecture, seed=seed)
    weights = trained.network.state_dict()
    if data.classes != trained.classes:
        head = network.head
        assert isinstance(head, nn.Linear)
        weights = weights | {"head.weight": head.weight, "head.bias": head.bias}
    network.load_state_dict({name: tensor.detach() for name, tensor in weights.items()})
    return dataclasses.replace(
        trained,
        network=network.to(memory_format=torch.channels_last),  # type: ignore[no-matching-overload]
        architecture=architecture,
        classes=data.classes,
        flip=flip,
    )

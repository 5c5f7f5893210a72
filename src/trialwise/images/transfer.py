"""Going on from a trained classifier on other data: the whole network, its head alone, or layer after layer."""

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import nn

from trialwise.base.errors import UserError
from trialwise.images.networks import build_network
from trialwise.images.saved import SavedModel
from trialwise.images.settings import Freeze
from trialwise.images.store import DataDescription

Batches = Callable[[int], Iterator[tuple[torch.Tensor, torch.Tensor]]]


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


def freezing(network: nn.Module, batches: Batches, freeze: Freeze, *, n_epochs: int) -> Batches:
    """The batches of an epoch, before which the layers that do not learn in that epoch are frozen.

    A frozen layer does as in prediction: its weights stay, its BatchNorm keeps its statistics, it drops nothing.
    Thawing from the top, so that what is general changes last: Howard & Ruder 2018, "Universal Language Model
    Fine-tuning for Text Classification", section 3.3. What is frozen follows from the epoch alone, so a training that
    was stopped goes on as it would have.

    Args:
        network: In training; all of it that may learn is learning now.
        batches: The batches of an epoch (from 1).
        freeze: See `images.settings.TrainSettings`.
        n_epochs: Of the whole training.
    """
    if freeze == "none":
        return batches
    stages = network.stages
    assert isinstance(stages, nn.Sequential)
    learning = [(stage, [p for p in stage.parameters() if p.requires_grad]) for stage in stages]
    layers = [(stage, parameters) for stage, parameters in learning if parameters]

    def batches_of(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n_frozen = len(layers) - (n_thawed(epoch, n_epochs, len(layers)) if freeze == "gradual" else 0)
        for i, (stage, parameters) in enumerate(layers):
            for parameter in parameters:
                parameter.requires_grad_(i >= n_frozen)
            stage.train(i >= n_frozen)
        yield from batches(epoch)

    return batches_of


def n_thawed(epoch: int, n_epochs: int, n_layers: int) -> int:
    """How many layers below the head learn in `epoch` (from 1): none in the first, all after half of the epochs."""
    return min(n_layers, 2 * (epoch - 1) * n_layers // n_epochs)

"""The weights of the best epoch so far, kept while training goes on."""

import copy
from typing import Any

from torch import nn


class BestWeights:
    """Holds the weights with the lowest loss that was offered; part of a checkpoint, so a pause forgets nothing.

    Attributes:
        loss: The lowest loss so far.
        epoch: The epoch that gave it; 0 for the untrained model.
    """

    def __init__(self, model: nn.Module, loss: float) -> None:
        """Begin with the untrained model's weights and loss."""
        self._model = model
        self._keep(loss, 0)

    def offer(self, loss: float, epoch: int) -> None:
        """Keep a copy of the model's weights where their loss is lower than any before."""
        if loss < self.loss:
            self._keep(loss, epoch)

    def restore(self) -> None:
        """Put the best weights back into the model."""
        self._model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"weights": self._weights, "loss": self.loss, "epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what a checkpoint held."""
        self._weights, self.loss, self.epoch = state_dict["weights"], state_dict["loss"], state_dict["epoch"]

    def _keep(self, loss: float, epoch: int) -> None:
        self.loss, self.epoch = loss, epoch
        self._weights = copy.deepcopy(self._model.state_dict())

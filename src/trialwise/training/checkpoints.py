"""The state of a training between two epochs, on disk, whole or not at all."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trialwise.base.errors import UserError
from trialwise.base.files import replacing


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """One checkpoint file: model, optimizer and the results of the epochs done. Loaded with `weights_only=True`."""

    path: Path

    def save(self, model: nn.Module, optimizer: torch.optim.Optimizer, history: list[dict[str, Any]]) -> None:
        """Replace the saved state by the one after `len(history)` epochs."""
        state = {"history": history, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        with replacing(self.path) as partial:
            torch.save(state, partial)

    def load(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
        """Put the saved state into `model` and `optimizer`; the results of the epochs done, [] where none was saved.

        Raises:
            UserError: The file is not a checkpoint of this model.
        """
        if not self.path.exists():
            return []
        device = next(model.parameters()).device
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
            model.load_state_dict(state["model"])
            peaks = [group["lr"] for group in optimizer.param_groups]
            optimizer.load_state_dict(state["optimizer"])
        except Exception as error:
            raise UserError(f"{self.path} is not a checkpoint of this model: {error}") from error
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak
        return state["history"]

    def results(self) -> list[dict[str, Any]]:
        """The results of the epochs done, oldest first."""
        return torch.load(self.path, map_location="cpu", weights_only=True)["history"]

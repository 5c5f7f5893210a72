"""The state of a training between two epochs, on disk, whole or not at all."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from trialwise.base.errors import UserError
from trialwise.base.files import replacing


class Stateful(Protocol):
    """What a checkpoint can hold: a module, an optimizer, an average of weights."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """One checkpoint file: the parts of a training and the results of its epochs. Loaded with `weights_only=True`."""

    path: Path

    def save(self, parts: Mapping[str, Stateful], history: list[dict[str, Any]]) -> None:
        """Replace the saved state by the one after `len(history)` epochs."""
        state = {"history": history} | {name: part.state_dict() for name, part in parts.items()}
        with replacing(self.path) as partial:
            torch.save(state, partial)

    def load(self, parts: Mapping[str, Stateful], device: torch.device) -> list[dict[str, Any]]:
        """Put the saved state into the parts; the results of the epochs done, [] where none was saved.

        Raises:
            UserError: The file is not a checkpoint of these parts.
        """
        if not self.path.exists():
            return []
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
            for name, part in parts.items():
                part.load_state_dict(state[name])
        except Exception as error:
            raise UserError(f"{self.path} is not a checkpoint of this model: {error}") from error
        return state["history"]

    def results(self) -> list[dict[str, Any]]:
        """The results of the epochs done, oldest first."""
        return torch.load(self.path, map_location="cpu", weights_only=True)["history"]

"""What samplers see of a study: a paused trial with its scores, not one about which nothing is known."""

import copy
from collections.abc import Callable, Container
from typing import Any

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState


def _delegated(name: str) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.storage, name)(*args, **kwargs)

    call.__name__ = name
    return call


_NAMES = [name for name in vars(BaseStorage) if not name.startswith("_") and callable(getattr(BaseStorage, name))]
_Delegating = type("_Delegating", (BaseStorage,), {name: _delegated(name) for name in _NAMES})


class PausedAsPruned(_Delegating):  # type: ignore[misc, valid-type]
    """A storage whose paused trials read as pruned ones; everything else is the storage's own.

    On record a paused trial is running, for it may go on. TPE takes running trials for bad ones ("constant liar",
    which keeps workers apart); a paused trial has scores, and those are what it should learn from.
    """

    def __init__(self, storage: BaseStorage, is_paused: Callable[[int], bool]) -> None:
        """Wrap `storage`; `is_paused` says it of a trial's number."""
        self.storage = storage
        self._is_paused = is_paused

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials of the study, or those in `states`."""
        trials = [self._seen(trial) for trial in self.storage.get_all_trials(study_id, deepcopy=False)]
        found = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _seen(self, trial: FrozenTrial) -> FrozenTrial:
        if trial.state != TrialState.RUNNING or not trial.intermediate_values or not self._is_paused(trial.number):
            return trial
        seen = copy.copy(trial)
        seen.state = TrialState.PRUNED
        return seen

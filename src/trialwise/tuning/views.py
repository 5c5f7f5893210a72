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

    def __init__(
        self,
        storage: BaseStorage,
        is_paused: Callable[[int], bool],
        scores_by_rung: Callable[[int], dict[int, float]] | None = None,
    ) -> None:
        """Wrap `storage`.

        Args:
            storage: What is on record.
            is_paused: Says it of a trial's number.
            scores_by_rung: The scores of a trial, by number, as samplers are to see them instead of those by epoch:
                TPE takes for better what has come to a later step, and where epochs differ in what they cost, rungs are
                what can be compared. None for those by epoch.
        """
        self.storage = storage
        self._is_paused = is_paused
        self._scores_by_rung = scores_by_rung

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials of the study, or those in `states`."""
        trials = [self._seen(trial) for trial in self.storage.get_all_trials(study_id, deepcopy=False)]
        found = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _seen(self, trial: FrozenTrial) -> FrozenTrial:
        is_paused = (
            trial.state == TrialState.RUNNING and bool(trial.intermediate_values) and self._is_paused(trial.number)
        )
        is_by_rung = self._scores_by_rung is not None and (is_paused or trial.state == TrialState.PRUNED)
        if not is_paused and not is_by_rung:
            return trial
        seen = copy.copy(trial)
        seen.state = TrialState.PRUNED
        if self._scores_by_rung is not None:
            seen.intermediate_values = self._scores_by_rung(trial.number)
        return seen

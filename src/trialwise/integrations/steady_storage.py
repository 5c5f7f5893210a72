"""An Optuna storage whose calls wait until a lost database is back, and do nothing twice."""

import time
from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trialwise.base.errors import WorkError

FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0


class ConnectionLost(Exception):
    """The database went away in the middle of a call, or cannot be reached."""


class SteadyStorage(BaseStorage):
    """The storage `inner`, whose calls are repeated while `ConnectionLost` says that the database is away.

    What a lost call had already done is looked up before it is repeated, so that nothing is recorded twice. That
    holds for one driver at a time, which a lock sees to.
    """

    def __init__(
        self, inner: BaseStorage, *, place: str, patience_seconds: float, say: Callable[[str], None], hint: str
    ) -> None:
        """Wrap `inner`.

        Args:
            inner: The storage.
            place: What people call it.
            patience_seconds: How long one call waits for the database; 0 for not at all.
            say: Told when the database is lost and when it is back.
            hint: What to do once patience ran out.
        """
        self._inner = inner
        self._place = place
        self._patience_seconds = patience_seconds
        self._say = say
        self._hint = hint

    def _steadily(self, name: str, *arguments: Any, done_before: Callable[[], Any] | None = None) -> Any:
        """What the call gives; after a loss, first what `done_before` finds that the lost call had done."""
        lost_at: float | None = None
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                found = done_before() if lost_at is not None and done_before is not None else None
                result = getattr(self._inner, name)(*arguments) if found is None else found
            except ConnectionLost as lost:
                now = time.monotonic()
                if lost_at is None and self._patience_seconds:
                    self._say(f"{self._place} is away ({lost}); trying again for {self._patience_seconds:.0f} s")
                lost_at = lost_at or now
                self._wait_or_give_up(lost, now - lost_at, wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
            except StorageInternalError as error:
                raise WorkError(f"{self._place}: {_first_line(error.__cause__ or error)}", hint=self._hint) from None
            else:
                if lost_at is not None:
                    self._say(f"{self._place} is back after {time.monotonic() - lost_at:.0f} s; nothing was lost")
                return result

    def _wait_or_give_up(self, lost: ConnectionLost, seconds: float, wait: float) -> None:
        if seconds >= self._patience_seconds:
            for_how_long = f" for {seconds:.0f} s" if self._patience_seconds else ""
            self._patience_seconds = 0  # what is still to be saved must not wait as long again
            raise WorkError(f"{self._place} cannot be reached{for_how_long}: {lost}", hint=self._hint) from None
        try:
            time.sleep(wait)
        except KeyboardInterrupt:
            self._patience_seconds = 0
            raise

    # Calls that make something: a lost one may have made it.

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        def made() -> int | None:
            known = {study.study_name: study._study_id for study in self._inner.get_all_studies()}
            return known.get(study_name) if study_name is not None else None

        return self._steadily("create_new_study", directions, study_name, done_before=made)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        began = datetime.now()

        def made() -> int | None:
            trials = self._inner.get_all_trials(study_id, deepcopy=False)
            return trials[-1]._trial_id if trials and _is_new(trials[-1], template_trial, began) else None

        return self._steadily("create_new_trial", study_id, template_trial, done_before=made)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        def set_already() -> bool | None:
            return True if self._inner.get_trial(trial_id).state == state else None

        return self._steadily("set_trial_state_values", trial_id, state, values, done_before=set_already)

    # Calls that end in the same record however often they are made.

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        self._steadily("set_trial_param", trial_id, param_name, param_value_internal, distribution)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self._steadily("set_trial_intermediate_value", trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._steadily("set_trial_user_attr", trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._steadily("set_trial_system_attr", trial_id, key, value)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._steadily("set_study_user_attr", study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._steadily("set_study_system_attr", study_id, key, value)

    def delete_study(self, study_id: int) -> None:
        self._steadily("delete_study", study_id)

    # Calls that read.

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._steadily("get_study_id_from_name", study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._steadily("get_study_name_from_id", study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._steadily("get_study_directions", study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._steadily("get_study_user_attrs", study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._steadily("get_study_system_attrs", study_id)

    def get_all_studies(self) -> list[Any]:
        return self._steadily("get_all_studies")

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._steadily("get_trial_id_from_study_id_trial_number", study_id, trial_number)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._steadily("get_trial", trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return self._steadily("get_all_trials", study_id, deepcopy, states)

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        return self._steadily("get_best_trial", study_id)

    def remove_session(self) -> None:
        self._inner.remove_session()


def _is_new(newest: FrozenTrial, template: FrozenTrial | None, began: datetime) -> bool:
    """Whether the newest trial on record is the one that a lost call made."""
    if template is None:
        started = newest.datetime_start
        return newest.state == TrialState.RUNNING and not newest.params and started is not None and started >= began
    return newest.state == template.state and newest.system_attrs == template.system_attrs


def _first_line(error: BaseException) -> str:
    """What the database itself said, in one line; without the statement and the values that SQLAlchemy adds."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0] if said else type(error).__name__

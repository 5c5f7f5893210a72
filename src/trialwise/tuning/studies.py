"""A study on record: in an Optuna journal in its run folder or in a database, written by one driver at a time."""

import contextlib
import copy
import dataclasses
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trialwise.base.errors import UserError
from trialwise.tuning.journals import Journal
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import Space, distributions, is_active

JOURNAL = "study.journal"
_LOCK = ".driver.lock"
_SECONDS = "trialwise:seconds"  # the attribute of a study that says how long it was worked on
STATES = {
    TrialState.RUNNING: "paused",
    TrialState.WAITING: "paused",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as it stands on record.

    Attributes:
        number: 0 for the first.
        state: "complete", "pruned", "failed", or "paused" where it may still go on.
        params: The configuration.
        value: The last score of a complete or pruned trial; None without a score.
        scores: The score after each epoch, by epoch from 1.
        seconds: Wall time from proposal to end; None where it has not ended.
        notes: What the objective put on record, and "reason" where the trial failed.
    """

    number: int
    state: str
    params: dict[str, Any]
    value: float | None
    scores: dict[int, float]
    seconds: float | None
    notes: dict[str, Any]

    def to_document(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return dataclasses.asdict(self)


class Study:
    """An Optuna study, and the few calls that the driver makes on it; its folder holds everything else.

    Attributes:
        folder: The run folder.
        storage: Where Optuna keeps it.
        optuna: The study as Optuna sees it.
        direction: Which scores are better.
    """

    def __init__(
        self,
        folder: Path,
        direction: Direction | None = None,
        *,
        storage: BaseStorage | None = None,
        name: str | None = None,
    ) -> None:
        """Open the study of `folder`; where there is none, make one that goes in `direction`.

        Args:
            folder: The run folder; without a `storage`, the journal in it is the study.
            direction: For a study that may have to be made.
            storage: The database that holds the study, opened.
            name: The study's name in that database.

        Raises:
            UserError: There is none, and no direction was given; or it is one of several goals, not made by trialwise.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder = folder
        if storage is None:
            self.storage, known = _open_journal(folder, must_exist=direction is None)
            name = known[0] if known else folder.absolute().name
        else:
            assert name is not None, "a study in a database has a name"
            self.storage, known = storage, [s.study_name for s in storage.get_all_studies() if s.study_name == name]
        if not known:
            if direction is None:
                if storage is None:
                    raise UserError(f"{folder / JOURNAL} holds no study yet")
                raise UserError(f"the database holds no study {name}", hint="is it the right one? --storage names it")
            optuna.create_study(storage=self.storage, study_name=name, direction=direction)
        self.optuna = optuna.load_study(storage=self.storage, study_name=name)
        if len(self.optuna.directions) > 1:
            raise UserError(f"the study {name} has {len(self.optuna.directions)} goals: trialwise did not make it")
        self.direction: Direction = "minimize" if self.optuna.direction == StudyDirection.MINIMIZE else "maximize"
        self._n_asked: int | None = None
        self._study_id = self.storage.get_study_id_from_name(self.optuna.study_name)
        self._notes: dict[int, dict[str, Any]] = {}  # by trial number: what is on record already

    def ask(self, number: int, sampler: BaseSampler, space: Space) -> None:
        """Let the sampler propose trial `number`, the next one, or the one that a killed driver was proposing."""
        self.optuna.sampler = sampler
        if number < self.n_asked():
            trial = optuna.trial.Trial(self.optuna, self._trial_id(number))
        else:
            trial = self.optuna.ask()
            assert trial.number == number, f"expected trial {number}, Optuna numbered it {trial.number}"
            self._n_asked = number + 1
        params: dict[str, Any] = {}
        for name, distribution in distributions(space).items():
            if is_active(space[name], params):
                params[name] = _suggest(trial, name, distribution)

    def n_asked(self) -> int:
        """The number of trials that were proposed so far."""
        if self._n_asked is None:  # counted once: going through all trials for each would make long studies slow
            trials = self.optuna.get_trials(deepcopy=False)
            self._n_asked = sum(trial.state != TrialState.WAITING for trial in trials)
        return self._n_asked

    @property
    def seconds(self) -> float:
        """The working time of all sessions, as it was noted last; 0 before that."""
        return float(self.optuna.user_attrs.get(_SECONDS, 0.0))

    def note_seconds(self, seconds: float) -> None:
        """Put the working time of all sessions on record."""
        self.optuna.set_user_attr(_SECONDS, seconds)

    def enqueue(self, params: dict[str, Any]) -> None:
        """Make `params` the next trial that is proposed, unless it waits already."""
        self.optuna.enqueue_trial(params, skip_if_exists=True)

    def report(self, number: int, epoch: int, score: float, notes: dict[str, Any]) -> None:
        """Put a score on record, and before it the notes that came with it: a score is never there without them."""
        trial_id = self._trial_id(number)
        if number not in self._notes:
            self._notes[number] = dict(self.storage.get_trial(trial_id).user_attrs)
        known = self._notes[number]
        for key, value in notes.items():
            if key not in known or known[key] != value:
                self.storage.set_trial_user_attr(trial_id, key, value)
                known[key] = copy.deepcopy(value)  # an objective may change it in place
        self.storage.set_trial_intermediate_value(trial_id, epoch, score)

    def note(self, number: int, name: str, value: Any) -> None:
        """Put a note of the trial on record."""
        self.storage.set_trial_user_attr(self._trial_id(number), name, value)

    def tell(self, number: int, state: TrialState, *, value: float | None = None, reason: str = "") -> None:
        """End a trial."""
        if reason:
            self.note(number, "reason", reason)
        self._notes.pop(number, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns of a pruned trial whose last score is not a number
            self.optuna.tell(number, value, state=state)

    def records(self, numbers: range | None = None) -> list[TrialRecord]:
        """The trials of these numbers, or all that were proposed, by number."""
        if numbers is not None:
            return [_record(self.storage.get_trial(self._trial_id(number))) for number in numbers]
        # Not from `self.optuna`, which may show samplers another state of paused trials.
        trials = self.storage.get_all_trials(self._study_id, deepcopy=False)
        return [_record(trial) for trial in trials if trial.state != TrialState.WAITING]

    def _trial_id(self, number: int) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def _open_journal(folder: Path, *, must_exist: bool) -> tuple[BaseStorage, list[str]]:
    """The journal of a run folder, and the names of the studies in it: one, or none yet."""
    path = folder / JOURNAL
    if must_exist and not path.exists():
        raise UserError(f"{folder} holds no study: it has no {JOURNAL}")
    try:
        storage = JournalStorage(Journal(path))
        return storage, [study.study_name for study in storage.get_all_studies()]
    except Exception as error:  # whatever a damaged line makes of Optuna's replay
        raise UserError(f"{path} is damaged: {error}", hint="restore it from a copy, or start again") from error


def _suggest(trial: optuna.trial.Trial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case FloatDistribution(low=low, high=high, log=log):
            return trial.suggest_float(name, low, high, log=log)
        case IntDistribution(low=low, high=high, log=log):
            return trial.suggest_int(name, low, high, log=log)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)


def _record(trial: FrozenTrial) -> TrialRecord:
    value = trial.value if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) else None
    return TrialRecord(
        number=trial.number,
        state=STATES[trial.state],
        params=trial.params,
        value=value,
        scores=dict(sorted(trial.intermediate_values.items())),
        seconds=trial.duration.total_seconds() if trial.duration else None,
        notes=trial.user_attrs,
    )


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the study's lock for the length of the block; the lock of a killed driver frees itself.

    Raises:
        UserError: Another driver runs this study now.
    """
    try:
        import fcntl
    except ImportError:  # Windows: no such lock, one driver at a time is up to the user
        yield
        return
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"the work in {folder} is running now", hint="wait for it, or stop it with Ctrl-C"
            ) from None
        # A driver that was killed while it wrote leaves Optuna's own lock and half a line behind.
        (folder / f"{JOURNAL}.lock").unlink(missing_ok=True)
        _drop_torn_line(folder / JOURNAL)
        yield


def is_running(folder: Path) -> bool:
    """Whether a driver holds the study's lock now; needs no leave to write there, and leaves everything as it is."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # it is held, or nobody can tell
        return True
    return False


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line without its end: a writer was killed in the middle of it, and its record never counted."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as journal:
        content = journal.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            journal.truncate(whole)
            os.fsync(journal.fileno())

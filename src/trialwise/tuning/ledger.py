"""The trials of a study in memory, written through to its record: nothing is read back while a study runs."""

import dataclasses
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from trialwise.tuning.rungs import Direction, RungUnit, rank_key
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.tasks import Score
from trialwise.tuning.trials import Config

AT_END = "trialwise:at_end"  # the note of a trial that says what the study had begun and used when it was complete
ENDS = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


@dataclasses.dataclass(kw_only=True)
class LedgerTrial:
    """One trial as it stands: `state` is that of `TrialRecord`, `scores` are by epoch from 1.

    `spent` is what it had spent in all after each epoch, in the unit of the study's rungs; empty where that is epochs.
    """

    number: int
    config: Config
    state: str = "paused"
    scores: dict[int, float] = dataclasses.field(default_factory=dict)
    spent: list[float] = dataclasses.field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The epochs on record."""
        return len(self.scores)

    @property
    def last_score(self) -> float | None:
        """The score after the last of them."""
        return self.scores[self.epochs] if self.scores else None


class Ledger:
    """All trials of a study by number, what they used, which are open and which is the best."""

    def __init__(
        self,
        study: Study,
        direction: Direction,
        *,
        unit: RungUnit = "epochs",
        kept: Collection[int] = (),
        notes_end: bool = False,
    ) -> None:
        """Read the record.

        Args:
            study: Where it is.
            direction: Whether the lowest or the highest value is the best.
            unit: What the study's rungs are counted in.
            kept: The trials whose folders stay once they are complete, even where they are not the best.
            notes_end: Whether trials that wait for each other's scores do not come to their end in the order of their
                numbers, so that what the study had used by then is put on record.
        """
        self._study = study
        self._kept, self._notes_end = kept, notes_end
        self._spent_note = f"trialwise:{unit}"
        self._direction: Direction = direction
        self.trials: dict[int, LedgerTrial] = {}
        self.open: set[int] = set()
        self.n_epochs = 0
        self.best: tuple[int, float] | None = None
        self._begun_at_end: dict[int, int] = {}  # of the best trial, and of the two that were complete first
        self.n_complete = 0
        self.failures: list[str] = []
        for record in study.records():
            trial = LedgerTrial(
                number=record.number, config=record.params, state=record.state, scores=dict(record.scores)
            )
            # What an epoch spent is there before its score.
            trial.spent = list(record.notes.get(self._spent_note, ()))[: trial.epochs]
            self.trials[record.number] = trial
            self.n_epochs += trial.epochs
            if trial.state == "paused":
                self.open.add(trial.number)
            elif trial.state == "failed":
                self.failures.append(str(record.notes.get("reason")))
            elif trial.state == "complete" and record.value is not None:
                self._offer(trial.number, record.value, begun_at_end(record))
        self._sweep()

    def propose(self, number: int, sampler: BaseSampler, space: Space, *, default: Config | None) -> LedgerTrial:
        """Let the sampler propose trial `number`, or the rest of one that a killed driver was proposing."""
        if number == 0 and default is not None and not self.trials:
            self._study.enqueue(default)
        self._study.ask(number, sampler, space)
        (record,) = self._study.records(range(number, number + 1))
        self.trials[number] = LedgerTrial(number=number, config=record.params)
        self.open.add(number)
        return self.trials[number]

    def score(self, message: Score) -> bool:
        """Put a score on record; False where it is there already."""
        trial = self.trials[message.number]
        if message.epoch in trial.scores:
            return False
        notes = message.notes
        if message.spent is not None:
            trial.spent.append((trial.spent[-1] if trial.spent else 0.0) + message.spent)
            notes = {**notes, self._spent_note: list(trial.spent)}
        self._study.report(message.number, message.epoch, message.score, notes)
        trial.scores[message.epoch] = message.score
        self.n_epochs += 1
        return True

    def end(self, number: int, state: str, *, reason: str = "") -> LedgerTrial:
        """Put the end of a trial on record, and delete the checkpoints that are needed no more."""
        trial = self.trials[number]
        value = trial.last_score if state == "complete" else None
        begun = len(self.trials) if self._notes_end else number + 1
        if value is not None and self._notes_end:
            self._study.note(number, AT_END, {"begun": begun, "epochs": self.n_epochs})
        self._study.tell(number, ENDS[state], value=value, reason=reason)
        trial.state = state
        self.open.discard(number)
        before = self.best
        if value is not None:
            self._offer(number, value, begun)
        if state == "failed":
            self.failures.append(reason)
        if self.best is None or self.best[0] != number:
            self._delete(number)
        elif before is not None and before != self.best:
            self._delete(before[0])
        return trial

    def since_best(self, default: int | None) -> int | None:
        """See `since_best`."""
        best = None if self.best is None else self.best[0]
        return since_best(len(self.trials), self._begun_at_end, best=best, default=default)

    def _offer(self, number: int, value: float, begun: int) -> None:
        self.n_complete += 1
        key = rank_key(value, number, self._direction)
        if self.best is None or key < rank_key(self.best[1], self.best[0], self._direction):
            self.best = (number, value)
        ends = self._begun_at_end | {number: begun}
        first = sorted(ends, key=lambda n: (ends[n], n))[:2]
        self._begun_at_end = {n: ends[n] for n in {*first, self.best[0]}}

    def _delete(self, number: int) -> None:
        if number in self._kept and self.trials[number].state == "complete":
            return
        with suppress(FileNotFoundError):
            shutil.rmtree(trial_folder(self._study.folder, number))

    def _sweep(self) -> None:
        """Delete what a killed driver had no time to delete."""
        kept = self.open | ({self.best[0]} if self.best else set())
        for path in (self._study.folder / "trials").glob("*"):
            if path.name.isdigit() and int(path.name) in self.trials.keys() - kept:
                self._delete(int(path.name))


def begun_at_end(record: TrialRecord) -> int:
    """How many trials the study had begun when this one was complete."""
    return record.notes.get(AT_END, {}).get("begun", record.number + 1)


def since_best(n_begun: int, begun_at_end: Mapping[int, int], *, best: int | None, default: int | None) -> int | None:
    """How many trials were begun after the best one was complete, and after the first one besides the default was.

    Args:
        n_begun: In all.
        begun_at_end: Of complete trials by number; the best one and the first two are enough.
        best: The best trial.
        default: The untuned default's number.

    Returns:
        None where none but the default is complete: what is paused at its first rungs says nothing of it yet.
    """
    tuned = [begun for number, begun in begun_at_end.items() if number != default]
    return None if best is None or not tuned else n_begun - max(begun_at_end[best], min(tuned))


def trial_folder(folder: Path, number: int) -> Path:
    """Where trial `number` of the study in `folder` keeps its checkpoint."""
    return folder / "trials" / f"{number:04d}"

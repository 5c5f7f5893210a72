"""The trials of a study in memory, written through to its record: nothing is read back while a study runs."""

import dataclasses
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from trialwise.tuning.rungs import Direction, RungUnit, rank_key
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import Study
from trialwise.tuning.tasks import Score
from trialwise.tuning.trials import Config

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
        self, study: Study, direction: Direction, *, unit: RungUnit = "epochs", kept: Collection[int] = ()
    ) -> None:
        """Read the record.

        Args:
            study: Where it is.
            direction: Whether the lowest or the highest value is the best.
            unit: What the study's rungs are counted in.
            kept: The trials whose folders stay once they are complete, even where they are not the best.
        """
        self._study = study
        self._kept = kept
        self._spent_note = f"trialwise:{unit}"
        self._direction: Direction = direction
        self.trials: dict[int, LedgerTrial] = {}
        self.open: set[int] = set()
        self.n_epochs = 0
        self.best: tuple[int, float] | None = None
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
                self._offer(trial.number, record.value)
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
        self._study.tell(number, ENDS[state], value=value, reason=reason)
        trial.state = state
        self.open.discard(number)
        before = self.best
        if value is not None:
            self._offer(number, value)
        if state == "failed":
            self.failures.append(reason)
        if self.best is None or self.best[0] != number:
            self._delete(number)
        elif before is not None and before != self.best:
            self._delete(before[0])
        return trial

    def _offer(self, number: int, value: float) -> None:
        self.n_complete += 1
        key = rank_key(value, number, self._direction)
        if self.best is None or key < rank_key(self.best[1], self.best[0], self._direction):
            self.best = (number, value)

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


def trial_folder(folder: Path, number: int) -> Path:
    """Where trial `number` of the study in `folder` keeps its checkpoint."""
    return folder / "trials" / f"{number:04d}"

"""A trial is a generator: what an objective is given and what it yields."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from trialwise.tuning.validation_rows import keep_rows

Config = dict[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """What an objective knows of the trial it runs.

    Attributes:
        number: 0 for the first trial of the study.
        seed: Depends on the study's seed and the trial's number, never on the worker.
        max_epochs: The epochs of a trial that is never pruned.
        epochs_done: Scores already on record; the objective yields the ones after them.
        folder: Where the objective may keep a checkpoint between yields, to go on after a pause or a crash.
        notes: What the objective wants on record beside its scores, e.g. the number of parameters.
    """

    number: int
    seed: int
    max_epochs: int
    epochs_done: int = 0
    folder: Path | None = None
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    _samples: list[int] = dataclasses.field(default_factory=list, init=False, repr=False, compare=False)

    def remaining_epochs(self) -> range:
        """The epochs still to be run and scored, counted from 1."""
        return range(self.epochs_done + 1, self.max_epochs + 1)

    def saw(self, n_samples: int) -> None:
        """Say that the epoch whose score is yielded next has trained on so many samples (more).

        A study whose rungs are counted in samples needs it (`--first-rung 4000samples`); to others it means nothing.
        Of an epoch that is read back from a checkpoint it is said too.
        """
        self._samples.append(n_samples)

    def take_samples(self) -> int:
        """What was said of since this was last asked."""
        n_samples = sum(self._samples)
        self._samples.clear()
        return n_samples

    def keep_rows(
        self, epoch: int, scores_N: ArrayLike, *, baseline_N: ArrayLike | None = None, block_length: int = 1
    ) -> None:
        """Keep what the trial scored on each validation row, so that the study can tell how much of it is luck.

        Call it before the score of `epoch` is yielded. Without it, the optimism of the best score stays unknown.

        Args:
            epoch: Whose score is yielded next.
            scores_N: (N,) a number for each validation row, in an order that is the same for all trials: right or
                wrong, a loss, an error. Their mean is the score; where it is not, in its unit too, rows say nothing.
            baseline_N: (N,) the same of what needs no training: chance, the naive forecast.
            block_length: Neighbouring rows that are alike, e.g. 20 for days; 1 where the order means nothing.
        """
        if self.folder is not None:
            keep_rows(self.folder, scores_N, baseline_N=baseline_N, block_length=block_length, epoch=epoch)


# One score an epoch. Closing the iterator prunes the trial; not calling next pauses it; a paused trial may be
# called again in another process, with `epochs_done` and `folder` as they were left.
Objective = Callable[[Config, Trial], Iterator[float]]

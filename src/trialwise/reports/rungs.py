"""The trials of a study as they can be compared fairly: by their scores after equally many epochs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.tuning.winner import MIN_TRIALS_FOR_IMPORTANCES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Trials with a score at the same rung.

    Attributes:
        epochs: The epochs after which they are compared.
        trials: Those that came as far, each with its "score" there, the worst first and the best last.
        n_ended_before: Trials that have scores, but ended or wait before they came as far.
        n_failed: Trials without a score that can be compared.
        direction: Whether the lowest or the highest score wins.
    """

    epochs: int
    trials: tuple[Mapping[str, Any], ...]
    n_ended_before: int
    n_failed: int
    direction: str

    def left_out(self) -> str:
        """What is not shown, in a sentence with a space in front; nothing where everything is."""
        told = [
            f"{n} {words}"
            for n, words in (
                (self.n_ended_before, f"ended or wait before epoch {self.epochs}"),
                (self.n_failed, "have no score"),
            )
            if n
        ]
        return f" Not shown: {' and '.join(told)}." if told else ""

    def of(self) -> str:
        """Which trials, and after how many epochs, in words."""
        return f"{len(self.trials)} trials" + (f" after {self.epochs} epochs each" if self.epochs > 1 else "")


def compared(trials: Sequence[Mapping[str, Any]], direction: str, epochs: int | None = None) -> Compared | None:
    """The trials with a score after `epochs` epochs, by default the most that at least 8 of them reached.

    None where too few trials have a score to be compared at all.
    """
    scores = {trial["number"]: _finite(trial["scores"]) for trial in trials}
    reached = sorted({epoch for found in scores.values() for epoch in found})
    if epochs is None:
        common = [
            epoch for epoch in reached if sum(epoch in found for found in scores.values()) >= MIN_TRIALS_FOR_IMPORTANCES
        ]
        if not common:
            return None
        epochs = common[-1]
    shown = [
        {**trial, "score": scores[trial["number"]][epochs]} for trial in trials if epochs in scores[trial["number"]]
    ]
    if not shown:
        return None
    sign = -1 if direction == "minimize" else 1
    shown.sort(key=lambda trial: (sign * trial["score"], -trial["number"]))  # of equals the earlier one is better
    n_scored = sum(bool(found) for found in scores.values())
    return Compared(
        epochs=epochs,
        trials=tuple(shown),
        n_ended_before=n_scored - len(shown),
        n_failed=len(trials) - n_scored,
        direction=direction,
    )


def _finite(scores: Mapping[str, float | None]) -> dict[int, float]:
    return {int(epoch): score for epoch, score in scores.items() if score is not None and math.isfinite(score)}

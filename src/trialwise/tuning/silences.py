"""When running trials were last heard of, and how often they died: how long epochs take, and when one is given up."""

import time
from collections import Counter

from trialwise.tuning.tasks import Begun, Failure, Message, Score

MAX_LOSSES = 3  # a trial whose process died this often in a row without a new score is given up
MAX_KILLS = 20  # the same where somebody else killed it


class Silences:
    """Which trials have been silent for longer than `--trial-minutes`, and how long an epoch takes.

    A trial's time begins with its `Begun`: while a process starts, or a cluster has no room, there is no trial yet.
    """

    def __init__(self, limit_minutes: float | None) -> None:
        """Allow silence of so many minutes; None for any length."""
        self._limit_minutes = limit_minutes
        self._last: dict[int, float] = {}
        self._epochs, self._epoch_seconds = 0, 0.0

    def hear(self, message: Message) -> None:
        """Take note of a sign of life, or of an end."""
        if not isinstance(message, Begun | Score):
            self.forget(message.number)
            return
        now = time.monotonic()
        if isinstance(message, Score) and message.number in self._last:
            self._epochs += 1
            self._epoch_seconds += now - self._last[message.number]
        self._last[message.number] = now

    @property
    def seconds_per_epoch(self) -> float | None:
        """What an epoch has taken on average, without the start of a process; None before the first one."""
        return self._epoch_seconds / self._epochs if self._epochs else None

    def forget(self, number: int) -> None:
        """Expect nothing of this trial before it begins."""
        self._last.pop(number, None)

    def seconds_left(self) -> float | None:
        """Until the first trial has been silent for too long; None where none can be."""
        if self._limit_minutes is None or not self._last:
            return None
        return max(0.0, min(self._last.values()) + 60 * self._limit_minutes - time.monotonic())

    def too_long(self) -> list[int]:
        """The trials that have been silent for too long."""
        if self._limit_minutes is None:
            return []
        now = time.monotonic()
        return [number for number, last in self._last.items() if now - last >= 60 * self._limit_minutes]

    def failure(self, number: int, epochs: int) -> Failure:
        """What becomes of such a trial after so many epochs."""
        reason = f"no sign of life for {self._limit_minutes:g} minutes, after epoch {epochs} (--trial-minutes)"
        return Failure(number=number, reason=reason)


class Losses:
    """How often in a row trials lost their process without a new score."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, bool]] = Counter()

    def reason_to_end(self, failure: Failure) -> str | None:
        """Why the trial ends with this failure; None where it is worth another start, from its checkpoint."""
        if not failure.lost:
            return failure.reason
        most = MAX_KILLS if failure.blameless else MAX_LOSSES
        self._counts[failure.number, failure.blameless] += 1
        if self._counts[failure.number, failure.blameless] < most:
            return None
        return f"{failure.reason}, {most} times in a row"

    def forget(self, number: int) -> None:
        """The trial has a new score."""
        self._counts[number, True] = self._counts[number, False] = 0

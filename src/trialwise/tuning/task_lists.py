"""A list of tasks run from the first to the last, as many at once as a pool has places for."""

from collections.abc import Iterator

from trialwise.tuning.silences import Silences
from trialwise.tuning.tasks import Begun, Done, Failure, Pool, Score, Task


def run_all(pool: Pool, tasks: list[Task], *, trial_minutes: float | None = None) -> Iterator[Score | Done | Failure]:
    """The scores and the ends of all tasks as they come in.

    Args:
        pool: What runs them.
        tasks: Begun in this order.
        trial_minutes: A task that gives no sign of life for so long is ended, and fails; None for no limit.
    """
    waiting = list(reversed(tasks))
    epochs: dict[int, int] = {}  # of those that run
    silences = Silences(trial_minutes)
    while waiting or epochs:
        while waiting and len(epochs) < pool.capacity:
            task = waiting.pop()
            epochs[task.trial.number] = task.trial.epochs_done
            pool.start(task)
        message = pool.receive(silences.seconds_left())
        if message is not None:
            silences.hear(message)
            if isinstance(message, Score):
                epochs[message.number] = message.epoch
            elif not isinstance(message, Begun):
                del epochs[message.number]
            if not isinstance(message, Begun):
                yield message
        for number in silences.too_long():
            pool.stop(number)
            silences.forget(number)
            yield silences.failure(number, epochs.pop(number))

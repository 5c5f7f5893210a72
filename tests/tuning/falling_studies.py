"""Studies of an objective that needs no training, for the tests of who runs next and of budgets."""

import dataclasses
import math
import time
from collections.abc import Iterator
from contextlib import closing

from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.spaces import Float
from trialwise.tuning.studies import Study
from trialwise.tuning.workers import InlinePool

SPACE = {"x": Float(low=-1, high=1), "y": Float(low=-1, high=1)}
DEFAULT = {"x": 0.9, "y": 0.5}
PLAN = StudyPlan(budget=Budget(trials=30), max_epochs=9, direction="minimize", sampler="tpe", seed=3)


@dataclasses.dataclass
class Falling:
    """Scores that fall to x^2 + y^2; the checkpoint is the epoch in a file."""

    hang: int | None = None
    seconds: float = 0.0

    def __call__(self, config, trial) -> Iterator[float]:
        trial.folder.mkdir(parents=True, exist_ok=True)
        state = trial.folder / "epoch"
        assert int(state.read_text() if state.exists() else 0) >= trial.epochs_done
        for epoch in trial.remaining_epochs():
            if self.hang == trial.number and epoch == 2:
                time.sleep(600)
            time.sleep(self.seconds)
            state.write_text(str(epoch))
            yield config["x"] ** 2 + config["y"] ** 2 + 1 / epoch


def table(study):
    return [(r.number, r.state, r.params, r.value, r.scores) for r in study.records()]


def run(folder, plan=PLAN, *, objective=None, pool=None, stop_after=math.inf, default=DEFAULT):
    folder.mkdir(parents=True, exist_ok=True)
    study, over, events = Study(folder, plan.direction), None, []
    with (
        closing(pool or InlinePool(objective or Falling())) as pool,
        closing(run_study(study, SPACE, plan, pool, default=default)) as happening,
    ):
        for event in happening:
            if isinstance(event, StudyOver):
                over = event
            else:
                events.append(event)
            if len(events) >= stop_after:
                break
    return study, over, events


def epochs(study):
    return sum(len(record.scores) for record in study.records())

"""Rungs in epochs, samples and minutes: who is compared when, and that a stopped study ends like an unstopped one."""

import dataclasses
import math
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from falling_studies import DEFAULT, PLAN, SPACE, table
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.tuning import tasks
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, run_study
from trialwise.tuning.ladders import ladder
from trialwise.tuning.ledger import Ledger, LedgerTrial
from trialwise.tuning.rungs import FirstRung, parse_first_rung
from trialwise.tuning.studies import Study
from trialwise.tuning.tasks import Begun, Done, Failure, Limit, Score, Task, run_task
from trialwise.tuning.trials import Trial
from trialwise.tuning.winner import counts
from trialwise.tuning.workers import InlinePool, ProcessPool

SAMPLES = dataclasses.replace(PLAN, budget=Budget(trials=24), first_rung=100, rung_unit="samples")


class Clock:
    """Seconds that pass when an epoch says so."""

    def __init__(self):
        self.seconds = 0.0

    def perf_counter(self):
        return self.seconds


CLOCK = Clock()


def cost(config):
    """What an epoch of a configuration costs: from 20 to 120 samples, or seconds."""
    return 20 + int(50 * (config["x"] + 1))


@dataclasses.dataclass(frozen=True)
class Costly:
    """Falls to x^2 + y^2; an epoch costs what the configuration says; the checkpoint is the epoch in a file."""

    def __call__(self, config, trial):
        trial.folder.mkdir(parents=True, exist_ok=True)
        state = trial.folder / "epoch"
        done = int(state.read_text()) if state.exists() else 0
        assert done >= trial.epochs_done
        for epoch in trial.remaining_epochs():
            CLOCK.seconds += cost(config)
            state.write_text(str(epoch))
            trial.saw(cost(config) - 5)
            trial.saw(5)
            yield config["x"] ** 2 + config["y"] ** 2 + 1 / epoch


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(tasks, "time", CLOCK)


def run(folder, plan, *, stop_after=math.inf, pool=None):
    folder.mkdir(parents=True, exist_ok=True)
    study, events = Study(folder, plan.direction), []
    with (
        closing(pool or InlinePool(Costly())) as pool,
        closing(run_study(study, SPACE, plan, pool, default=DEFAULT)) as happening,
    ):
        for event in happening:
            if not isinstance(event, StudyOver):
                events.append(event)
            if len(events) >= stop_after:
                break
    return study, events


def check_rungs(study, plan):
    """Every trial that ended early did so with the epoch that reached a rung; all that it spent is on record."""
    rungs = ladder(plan.rung_unit, first=plan.first_rung, eta=plan.eta, max_epochs=plan.max_epochs)
    trials = Ledger(study, plan.direction, unit=plan.rung_unit).trials
    at_rungs = set()
    for trial in trials.values():
        each = cost(trial.config) / (60 if plan.rung_unit == "minutes" else 1)
        assert trial.spent == pytest.approx([each * epoch for epoch in trial.scores])
        if trial.state == "pruned":
            rung = rungs.n_reached(trial) - 1
            assert trial.spent[-1] >= rungs.amounts[rung]
            assert trial.epochs == 1 or trial.spent[-2] < rungs.amounts[rung]
            at_rungs.add(rung)
    states = counts(study.records())
    assert (states["paused"], states["failed"]) == (0, 0)
    assert states["complete"] >= 2
    assert states["pruned"] >= len(trials) // 2
    return at_rungs


@pytest.mark.parametrize("lockstep", [False, True])
def test_trials_are_compared_once_they_saw_the_samples_of_a_rung(tmp_path, lockstep):
    plan = dataclasses.replace(SAMPLES, lockstep=lockstep)
    study, _ = run(tmp_path, plan)
    assert len(check_rungs(study, plan)) > 1
    first = [len(r.scores) for r in study.records() if r.state == "pruned"]
    assert len(set(first)) > 2, "cheap trials have more epochs at a rung than costly ones"


@pytest.mark.parametrize("stop_after", [1, 4, 13, 22, 31, 47, 64])
@pytest.mark.parametrize("lockstep", [False, True])
def test_a_stopped_study_goes_on_to_the_table_of_an_unstopped_one(tmp_path, stop_after, lockstep):
    plan = dataclasses.replace(SAMPLES, lockstep=lockstep)
    whole = table(run(tmp_path / "whole", plan)[0])
    run(tmp_path / "part", plan, stop_after=stop_after)
    study, _ = run(tmp_path / "part", plan)
    assert table(study) == whole
    check_rungs(study, plan)


def test_in_lockstep_the_table_does_not_depend_on_the_workers(tmp_path):
    plan = dataclasses.replace(SAMPLES, lockstep=True)
    one = table(run(tmp_path / "1", plan)[0])
    assert table(run(tmp_path / "3", plan, pool=ProcessPool(Costly(), 3))[0]) == one


def test_minutes_are_those_that_a_trials_epochs_took_in_its_worker(tmp_path, clock):
    plan = dataclasses.replace(SAMPLES, first_rung=100 / 60, rung_unit="minutes")
    study, _ = run(tmp_path, plan)
    check_rungs(study, plan)
    samples, _ = run(tmp_path / "samples", SAMPLES)
    assert table(study) == table(samples), "a second a sample: the same rungs"
    run(tmp_path / "part", plan, stop_after=29)
    assert table(run(tmp_path / "part", plan)[0]) == table(study)


def test_minutes_of_a_real_clock_do_not_count_the_time_of_a_pause(tmp_path):
    task = Task(
        trial=Trial(number=1, seed=1, max_epochs=3, folder=tmp_path / "1"),
        config={"x": 0, "y": 0},
        until_epoch=3,
        limit=Limit(unit="minutes", until=5.0, spent=0.0, epoch=0),
    )
    messages = []
    for message in run_task(Costly(), task):
        messages.append(message)
        time.sleep(0.3)
    assert [type(message) for message in messages] == [Begun, Score, Score, Score, Done]
    assert all(0 < message.spent < 0.25 / 60 for message in messages[1:-1])


@settings(max_examples=15)
@given(
    first=st.integers(1, 400),
    eta=st.integers(2, 4),
    n_trials=st.integers(2, 14),
    stop_after=st.integers(1, 70),
    lockstep=st.booleans(),
)
@example(first=273, eta=2, n_trials=12, stop_after=1, lockstep=True)  # all beaten in the last batch
def test_any_ladder_brings_every_trial_to_an_end_and_any_stop_to_the_same_table(
    first, eta, n_trials, stop_after, lockstep
):
    plan = dataclasses.replace(
        SAMPLES, first_rung=first, eta=eta, budget=Budget(trials=n_trials), lockstep=lockstep, sampler="random"
    )
    with tempfile.TemporaryDirectory() as folder:
        study, events = run(Path(folder) / "whole", plan)
        states = counts(study.records())
        assert (states["paused"], states["failed"]) == (0, 0)
        assert study.records()[0].state == "complete"
        assert states["complete"] >= 2
        for number in range(n_trials):
            epochs = [event.epoch for event in events if event.kind == "score" and event.number == number]
            assert epochs == list(range(1, len(epochs) + 1))
        run(Path(folder) / "part", plan, stop_after=stop_after)
        assert table(run(Path(folder) / "part", plan)[0]) == table(study)


@given(st.lists(st.floats(0.01, 1e3), min_size=2, max_size=12), st.floats(0.1, 1e3), st.integers(2, 5))
def test_a_rung_is_reached_with_the_first_epoch_that_spends_it(epochs, first, eta):
    spent = [sum(epochs[:n]) for n in range(1, len(epochs) + 1)]
    scores = {n: float(n) for n in range(1, len(epochs) + 1)}
    trial = LedgerTrial(number=1, config={}, scores=scores, spent=spent)
    rungs = ladder("minutes", first=first, eta=eta, max_epochs=13)
    for rung in range(rungs.n_reached(trial)):
        epoch = rungs.epoch_at(trial, rung)
        assert spent[epoch - 1] >= rungs.amounts[rung]
        assert epoch == 1 or spent[epoch - 2] < rungs.amounts[rung]
    at_its_end = ladder("minutes", first=first, eta=eta, max_epochs=len(epochs))
    assert at_its_end.n_reached(trial) == at_its_end.top
    assert at_its_end.score_at(trial, at_its_end.top - 1) == scores[len(epochs)]


def test_epochs_whose_scores_are_on_record_count_with_what_is_on_record(tmp_path):
    """The trial begins anew, for it left nothing; what it spent by the record is 250 after two epochs, not 140."""
    trial = Trial(number=1, seed=1, max_epochs=9, epochs_done=2, folder=tmp_path / "1")
    limit = Limit(unit="samples", until=300, spent=250, epoch=2)
    task = Task(trial=trial, config={"x": 0, "y": 0}, until_epoch=9, limit=limit)
    messages = list(run_task(Costly(), task))
    assert [message.epoch for message in messages[1:-1]] == [1, 2, 3]
    spent = dataclasses.replace(task, limit=dataclasses.replace(limit, spent=300))
    assert list(run_task(Costly(), spent)) == [Begun(number=1), Done(number=1)]


def test_an_objective_that_says_of_no_samples_fails_with_what_to_do(tmp_path):
    def silent(config, trial):
        yield from (1.0, 2.0)

    trial = Trial(number=1, seed=1, max_epochs=9, folder=tmp_path / "1")
    limit = Limit(unit="samples", until=300, spent=0, epoch=0)
    messages = list(run_task(silent, Task(trial=trial, config={}, until_epoch=9, limit=limit)))
    assert isinstance(messages[-1], Failure)
    assert "trial.saw(n_samples)" in messages[-1].reason


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2", 2, "epochs"),
        ("1 epoch", 1, "epochs"),
        ("4000samples", 4000, "samples"),
        ("0.5minutes", 0.5, "minutes"),
        (".25 minute", 0.25, "minutes"),
    ],
)
def test_a_first_rung_in_words(text, amount, unit):
    assert parse_first_rung(text) == FirstRung(amount=amount, unit=unit)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "0.5samples", "3hours", "samples", "1e3", "nan"])
def test_what_is_no_first_rung_is_refused(text):
    with pytest.raises(UserError, match="expected a number of epochs, samples or minutes"):
        parse_first_rung(text)

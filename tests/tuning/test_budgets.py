"""A study that goes on with another budget than it was made with."""

import dataclasses
import time

import pytest
from falling_studies import PLAN, Falling, epochs, run, table

from trialwise.tuning.budgets import Budget, Spent, used_up
from trialwise.tuning.winner import counts
from trialwise.tuning.workers import InlinePool


def plan_with(lockstep=False, **budget):
    return dataclasses.replace(PLAN, budget=Budget(**budget), lockstep=lockstep)


@pytest.mark.parametrize("lockstep", [False, True])
@pytest.mark.parametrize(
    ("first", "more"),
    [
        ({"trials": 9}, {"trials": 20}),
        ({"epochs": 60}, {"epochs": 120}),
        ({"plateau": 5}, {"plateau": 40}),
        ({"trials": 200, "target": 0.6}, {"trials": 200, "target": 0.2}),
        ({"trials": 9}, {"epochs": 120}),
        ({"epochs": 60}, {"trials": 40, "epochs": 120}),
    ],
)
def test_with_a_larger_limit_a_study_that_ended_goes_on(tmp_path, lockstep, first, more):
    study, over, _ = run(tmp_path, plan_with(lockstep, **first))
    before = table(study)
    study, over, _ = run(tmp_path, plan_with(lockstep, **more))
    assert over.stopped_by in more
    assert len(study.records()) > len(before)
    assert table(study)[: len(before)] == before, "what had ended stays as it was"
    assert counts(study.records())["paused"] == 0
    assert epochs(study) <= more.get("epochs", 10**9)


@pytest.mark.parametrize("lockstep", [False, True])
@pytest.mark.parametrize("stop_after", [3, 12, 20, 40])
@pytest.mark.parametrize("less", [{"trials": 1}, {"trials": 2}, {"epochs": 9}, {"epochs": 25}, {"minutes": 1e-9}])
def test_with_less_than_was_used_it_comes_to_its_end_and_begins_nothing(tmp_path, lockstep, stop_after, less):
    study, _, _ = run(tmp_path, plan_with(lockstep, trials=30), stop_after=stop_after)
    n_begun, n_epochs = len(study.records()), epochs(study)
    study, over, _ = run(tmp_path, plan_with(lockstep, **less))
    if n_begun >= less.get("trials", 0) and n_epochs >= less.get("epochs", 0):
        assert len(study.records()) == n_begun
    states = counts(study.records())
    assert (states["paused"], states["failed"]) == (0, 0)
    assert study.records()[0].state == "complete"
    assert over.stopped_by in less


@pytest.mark.parametrize(
    "stop_after", [20, 26, 27, 30, 34]
)  # trial 0 is complete with event 26, three others with 29 to 35
@pytest.mark.parametrize("ends", [{"target": 1.4}, {"plateau": 3}])
def test_in_lockstep_a_target_reached_inside_a_batch_waits_for_its_end_after_a_kill_too(tmp_path, stop_after, ends):
    plan = dataclasses.replace(plan_with(True, trials=40, **ends), max_epochs=3)
    whole = run(tmp_path / "whole", plan)[0]
    run(tmp_path / "part", plan, stop_after=stop_after)
    assert table(run(tmp_path / "part", plan)[0]) == table(whole)


def test_minutes_given_later_count_what_earlier_sessions_took(tmp_path):
    study, over, _ = run(tmp_path, plan_with(trials=3), objective=Falling(seconds=0.01))
    assert study.seconds == pytest.approx(over.seconds, abs=0.1)
    again, later, _ = run(tmp_path, plan_with(minutes=over.seconds / 60 - 1e-4))
    assert later.stopped_by == "minutes"
    assert table(again) == table(study)


@pytest.mark.parametrize(
    ("budget", "is_open", "words"),
    [
        ({"trials": 20}, False, "20 trials are begun and --trials is 20: no new trial begins; another --trials lets"),
        ({"trials": 20}, True, None),
        ({"trials": 19}, True, "20 trials are begun and --trials is 19"),
        ({"trials": 21}, False, None),
        ({"epochs": 80}, True, "90 epochs are used and --epochs-total is 80: no new trial begins"),
        ({"epochs": 90}, True, None),
        ({"epochs": 92}, False, "90 epochs are used and --epochs-total is 92"),
        ({"epochs": 93}, False, None),
        ({"minutes": 2.0}, False, "2.5 minutes are used and --minutes is 2.0"),
        (
            {"trials": 99, "target": 0.3},
            False,
            "trial 7 reached 0.25 and --target is 0.3: no new trial begins; another",
        ),
        ({"trials": 99, "target": 0.2}, False, None),
        ({"plateau": 12}, False, "12 trials after trial 7 were no better and --until-plateau is 12"),
        ({"plateau": 13}, False, None),
    ],
)
def test_what_is_used_up_is_said_in_one_sentence(budget, is_open, words):
    spent = Spent(trials=20, epochs=90, seconds=150.0, best=(7, 0.25), since_best=12)
    said = used_up(Budget(**budget), spent, "minimize", is_open=is_open, first_rung=3)
    assert (said is None) if words is None else said.startswith(words)


class SlowStart(InlinePool):
    """A pool whose first task waits for its process, as spawned ones do."""

    def start(self, task):
        if task.trial.number == 0:
            time.sleep(1.0)
        super().start(task)


def test_minutes_are_not_given_up_for_a_slow_start(tmp_path):
    """The first epoch was on record after a second: 26 more of the kind would have been too many for the budget."""
    study, over, _ = run(tmp_path, plan_with(minutes=0.05), pool=SlowStart(Falling(seconds=0.001)))
    assert over.stopped_by == "minutes"
    assert len(study.records()) > 5

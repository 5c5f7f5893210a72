"""The front of a score and a second goal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.tuning.goals import Goal, check_note, pareto_front, parse_goal
from trialwise.tuning.studies import TrialRecord


def record(number, value, note, state="complete"):
    notes = {} if note is None else {"size": note}
    return TrialRecord(number=number, state=state, params={}, value=value, scores={}, seconds=None, notes=notes)


def beats(one, other, signs):
    """Whether a trial is at least as good in both and better in one."""
    a, b = ([sign * x for sign, x in zip(signs, pair, strict=True)] for pair in (one, other))
    return a[0] <= b[0] and a[1] <= b[1] and a != b


pairs = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), max_size=30)
directions = st.sampled_from(["minimize", "maximize"])


@given(pairs, directions, directions)
def test_the_front_is_what_no_trial_beats_and_nothing_else(points, direction, note_direction):
    records = [record(i, float(value), note) for i, (value, note) in enumerate(points)]
    front = pareto_front(records, direction, Goal(name="size", direction=note_direction))
    signs = [1 if d == "minimize" else -1 for d in (direction, note_direction)]
    unbeaten = {pair for pair in points if not any(beats(other, pair, signs) for other in points)}
    assert [(row["value"], row["size"]) for row in front] == sorted(unbeaten, key=lambda pair: signs[1] * pair[1])
    assert all(points[row["number"]] == (row["value"], row["size"]) for row in front)


def test_trials_that_are_not_complete_or_lack_the_number_are_not_on_it():
    records = [
        record(0, 0.5, 10),
        record(1, 0.9, 1, state="pruned"),
        record(2, 0.9, None),
        record(3, float("nan"), 1),
        record(4, 0.9, "small"),
        record(5, 0.5, 10),
    ]
    assert pareto_front(records, "maximize", Goal(name="size")) == [{"number": 0, "value": 0.5, "size": 10}]


def test_a_goal_in_a_word():
    assert parse_goal("n_params") == Goal(name="n_params", direction="minimize")
    assert parse_goal("recall:max") == Goal(name="recall", direction="maximize")
    for text in ("", ":max", "recall:up"):
        with pytest.raises(UserError, match="expected NAME, NAME:min or NAME:max"):
            parse_goal(text)


@pytest.mark.parametrize(
    ("notes", "message", "hint"),
    [
        ({"n_params": 3, "loss": 0.1}, "unknown note 'n_parms'", r"did you mean 'n_params'\? \(.*loss, n_params"),
        ({"loss": 0.1, "done": True}, "unknown note 'n_parms'", "notes that are numbers: loss"),
        ({"n_parms": "many", "loss": 0.1}, "expected a number, got 'many'", "notes that are numbers: loss"),
        ({}, "puts no number on record", r"trial.notes\['n_parms'\] = "),
    ],
)
def test_a_note_that_is_not_there_is_an_error_that_names_those_that_are(notes, message, hint):
    with pytest.raises(UserError, match=message) as error:
        check_note(Goal(name="n_parms"), notes)
    assert re.search(hint, error.value.hint)
    check_note(Goal(name="n_parms"), {"n_parms": 3})

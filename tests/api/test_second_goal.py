"""A second goal is asked for once a trial has its number, and one trial without it ends nothing."""

import math
from types import SimpleNamespace

import pytest

from trialwise.api.second_goal import minding
from trialwise.base.errors import UserError
from trialwise.tuning.goals import Goal


def study_of(*notes):
    records = [SimpleNamespace(number=number, state="complete", notes=note) for number, note in enumerate(notes)]
    return SimpleNamespace(records=lambda numbers=None: records if numbers is None else [records[numbers[0]]])


def complete(number):
    return SimpleNamespace(kind="complete", number=number)


def test_a_number_that_is_none_this_time_ends_no_study():
    see = minding(Goal(name="recall"), study_of({"recall": math.nan}, {"recall": None}, {"recall": 0.5}, {}), print)
    for number in range(4):
        see(complete(number))


def test_a_name_that_no_trial_has_is_refused_and_one_that_some_have_is_not():
    watched = minding(Goal(name="recal"), study_of({"recall": math.nan}), print)
    with pytest.raises(UserError, match="recal"):
        watched(complete(0))
    minding(Goal(name="recall"), study_of({"recall": 0.5}, {}), print)(complete(1))

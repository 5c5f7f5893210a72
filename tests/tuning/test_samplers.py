from typing import get_args

import optuna
import pytest

from trialwise.base.errors import UserError
from trialwise.tuning.samplers import SamplerName, build_sampler, choose_sampler, sampler_for_each_trial
from trialwise.tuning.spaces import Choice, Float, Int

NUMBERS = {"x": Float(low=0, high=1), "y": Float(low=0, high=1)}


def chosen(name, space, *, pruning=False, has_default=False):
    return choose_sampler(name, space, pruning=pruning, has_default=has_default)


def test_auto_says_what_fits_and_why():
    assert chosen("auto", NUMBERS).name == "gp-polish"
    assert chosen("auto", NUMBERS | {"n": Int(low=1, high=9)}).name == "gp"
    assert chosen("auto", NUMBERS, pruning=True).name == "tpe"
    assert chosen("auto", NUMBERS | {"c": Choice(choices=("a", "b"))}).name == "tpe"
    assert chosen("auto", {f"x{i}": Float(low=0, high=1) for i in range(11)}).name == "tpe"
    assert "pruned" in chosen("auto", NUMBERS, pruning=True).reason
    assert chosen("random", NUMBERS, pruning=True).name == "random"


def test_auto_begins_around_the_default_where_tpe_fits_and_there_is_one():
    assert chosen("auto", NUMBERS, pruning=True, has_default=True).name == "tpe-near-default"
    assert chosen("auto", NUMBERS, has_default=True).name == "gp-polish"
    assert chosen("tpe", NUMBERS, has_default=True).name == "tpe"
    with pytest.raises(UserError, match="there is no default"):
        chosen("tpe-near-default", NUMBERS)


@pytest.mark.parametrize("name", [name for name in get_args(SamplerName) if name != "auto"])
def test_every_name_can_be_built(name):
    build_sampler(name, 0, 0)


@pytest.mark.parametrize("name", ["gp-polish", "cmaes"])
def test_a_sampler_of_numbers_refuses_choices(name):
    with pytest.raises(UserError, match=f"--sampler {name}"):
        chosen(name, {"c": Choice(choices=("a", "b"))})


@pytest.mark.parametrize("name", ["gp-polish", "gp", "tpe", "tpe-near-default", "cmaes", "nsga2", "sobol", "random"])
def test_a_trial_that_a_killed_driver_left_half_proposed_gets_the_same_values(name):
    def proposed(*, killed_at):
        study = optuna.create_study()
        propose = sampler_for_each_trial(name, 5, deterministic=True, default={"x": 0.25, "y": 0.5})
        for number in range(4):
            study.sampler = propose(number)
            trial = study.ask()
            x = trial.suggest_float("x", 0, 1)
            if number == killed_at:  # another driver goes on
                propose = sampler_for_each_trial(name, 5, deterministic=True, default={"x": 0.25, "y": 0.5})
                study.sampler = propose(number)
                trial = optuna.trial.Trial(study, trial._trial_id)
                assert trial.suggest_float("x", 0, 1) == x
            study.tell(trial, x + trial.suggest_float("y", 0, 1))
        return [trial.params for trial in study.trials]

    whole = proposed(killed_at=None)
    assert all(params["x"] != params["y"] for params in whole), "no parameter copies another"
    assert all(proposed(killed_at=number) == whole for number in range(4))


@pytest.mark.parametrize("name", ["gp", "gp-polish"])
def test_what_learns_nothing_from_pruned_trials_is_refused_where_trials_are_pruned(name):
    with pytest.raises(UserError, match=f"--sampler {name} learns nothing from pruned trials") as refused:
        chosen(name, NUMBERS, pruning=True)
    assert "tpe" in refused.value.hint
    assert chosen(name, NUMBERS).name == name

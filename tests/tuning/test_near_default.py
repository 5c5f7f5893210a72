import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trialwise.tuning.samplers import N_NEAR_DEFAULT, sampler_for_each_trial
from trialwise.tuning.unit_scale import from_unit, to_unit

SPACE = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "layers": IntDistribution(1, 3),
    "kind": CategoricalDistribution(("a", "b", 1, True)),
}
DEFAULT = {"rate": 1e-2, "layers": 2, "kind": 1}


def proposed(seed, space=SPACE, default=DEFAULT, n=N_NEAR_DEFAULT):
    study = optuna.create_study()
    samplers = sampler_for_each_trial("tpe-near-default", seed, deterministic=False, default=default)
    found = []
    for number in range(n):
        study.sampler = samplers(number)
        trial = study.ask(space)
        study.tell(trial, float(number))
        found.append(trial.params)
    return found


def same(one, other):
    return one == other and type(one) is type(other)


def test_every_second_of_the_first_trials_keeps_some_of_the_default_and_changes_some():
    near = [params for seed in range(40) for params in proposed(seed)[1::2]]
    kept = [{name for name in DEFAULT if same(params[name], DEFAULT[name])} for params in near]
    assert all(len(names) < len(DEFAULT) for names in kept)
    assert all(any(name in names for names in kept) and any(name not in names for names in kept) for name in DEFAULT)
    assert {params["layers"] for params in near} == {1, 2, 3}
    kinds = [params["kind"] for params in near]
    assert all(any(same(kind, choice) for kind in kinds) for choice in SPACE["kind"].choices)


def test_a_changed_number_is_nearer_to_the_default_than_a_random_one():
    rates = [[to_unit(SPACE["rate"], params["rate"]) for params in proposed(seed)] for seed in range(40)]
    near = [share for shares in rates for share in shares[1::2] if share != pytest.approx(0.5)]
    anywhere = [share for shares in rates for share in shares[2::2]]
    assert all(0 <= share <= 1 for share in near)
    mean = {
        name: sum(abs(share - 0.5) for share in shares) / len(shares)
        for name, shares in {"near": near, "anywhere": anywhere}.items()
    }
    assert 0.1 < mean["near"] < 0.8 * mean["anywhere"]


def test_a_parameter_that_the_default_lacks_and_a_choice_of_one_are_no_trouble():
    space = {"only": CategoricalDistribution(("x",)), "more": FloatDistribution(0, 1)}
    assert {params["only"] for params in proposed(1, space, {"only": "x"})} == {"x"}
    assert len({params["more"] for params in proposed(1, space, {"only": "x"})}) == N_NEAR_DEFAULT


def test_after_the_first_trials_tpe_is_alone():
    after = {
        name: proposed(3, default=default, n=N_NEAR_DEFAULT + 4)
        for name, default in {"one": DEFAULT, "other": DEFAULT | {"rate": 0.5}}.items()
    }
    assert after["one"][:N_NEAR_DEFAULT] != after["other"][:N_NEAR_DEFAULT]
    samplers = sampler_for_each_trial("tpe-near-default", 3, deterministic=False, default=DEFAULT)
    plain = sampler_for_each_trial("tpe", 3, deterministic=False)
    number = N_NEAR_DEFAULT + 1
    assert type(samplers(number)) is type(plain(number))
    assert type(samplers(number - 2)) is not type(plain(number - 2))


@pytest.mark.parametrize("distribution", [*SPACE.values()][:2])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_places_in_a_range_come_back(distribution, share):
    value = from_unit(distribution, share)
    assert distribution.low <= value <= distribution.high
    assert from_unit(distribution, to_unit(distribution, value)) == pytest.approx(value)

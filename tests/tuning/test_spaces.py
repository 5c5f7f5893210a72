import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trialwise.base.errors import UserError
from trialwise.base.files import to_json
from trialwise.tuning.spaces import (
    Choice,
    Float,
    Int,
    check_space,
    default_config,
    distributions,
    is_numeric,
    missing,
    parse_parameter,
    read_space,
    space_document,
    space_from_document,
)


def test_a_space_reads_from_toml_in_its_own_order(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        '[rate]\nlow = 1e-4\nhigh = 0.1\nlog = true\n[n]\nlow = 1\nhigh = 8\n[kind]\nchoices = ["relu", "tanh"]\n'
    )
    space = read_space(path)
    assert list(space) == ["rate", "n", "kind"]
    assert distributions(space) == {
        "rate": FloatDistribution(1e-4, 0.1, log=True),
        "n": IntDistribution(1, 8),
        "kind": CategoricalDistribution(("relu", "tanh")),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no parameter"),
        ("[x]\nlow = 1.0\n", r"\[x\]: expected low and high"),
        ("[x]\nlow = 2.0\nhigh = 1.0\n", r"\[x\]: expected low < high"),
        ("[x]\nlow = 0.0\nhigh = 1.0\nlog = true\n", "low > 0 on a logarithmic scale"),
        ("[x]\nlow = 0.0\nhigh = 1.0\nlogg = true\n", "unknown option 'logg'"),
        ("[x]\nchoices = []\n", "at least one value"),
        ("[x]\nchoices = 3\n", "a list"),
        ("x = 3\n", "expected a table"),
    ],
)
def test_a_bad_space_names_the_file_and_the_parameter(tmp_path, text, message):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_space(path)
    assert "space.toml" in caught.value.message


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("x=-5:5", Int(low=-5, high=5)),
        ("x=-5.0:5", Float(low=-5, high=5)),
        ("x=1e-4:0.1:log", Float(low=1e-4, high=0.1, log=True)),
        ("x=relu,tanh", Choice(choices=("relu", "tanh"))),
        ("x=16,32", Choice(choices=(16, 32))),
        ("x=true,false", Choice(choices=(True, False))),
    ],
)
def test_a_parameter_in_one_word(text, parameter):
    assert parse_parameter(text) == ("x", parameter)


@pytest.mark.parametrize("text", ["x", "x=", "=1:2", "x=1:b", "x=2:1", "x=1:2:lin", "x=0:1:log", "2x=1:2"])
def test_a_bad_word_is_refused(text):
    with pytest.raises(UserError, match="--param"):
        parse_parameter(text)


numbers = st.floats(-1e6, 1e6)
parameters = st.one_of(
    st.tuples(numbers, numbers).filter(lambda b: b[0] < b[1]).map(lambda b: Float(low=b[0], high=b[1])),
    st.tuples(st.integers(), st.integers()).filter(lambda b: b[0] < b[1]).map(lambda b: Int(low=b[0], high=b[1])),
    st.lists(st.text() | st.integers() | st.booleans(), min_size=1, unique=True).map(
        lambda c: Choice(choices=tuple(c))
    ),
)


@given(st.dictionaries(st.text(min_size=1), parameters))
def test_a_space_survives_the_way_through_json(space):
    import json

    assert space_from_document(json.loads(to_json(space_document(space)))) == space


def test_a_range_of_reals_with_whole_bounds_stays_one():
    document = space_document({"x": Float(low=-5, high=5), "n": Int(low=1, high=3)})
    assert space_from_document(document) == {"x": Float(low=-5.0, high=5.0), "n": Int(low=1, high=3)}


@pytest.mark.parametrize(
    ("choices", "message"),
    [((1, True), "1 and True are one value"), ((0.0, "a", 0), "0.0 and 0 are one value"), (("a", "a"), "'a' .* twice")],
)
def test_choices_that_python_takes_for_one_are_refused(choices, message):
    with pytest.raises(UserError, match=message):
        Choice(choices=choices)


def test_whole_numbers_of_other_libraries_are_pythons_own_and_reals_are_none():
    found = Int(low=np.int64(1), high=np.int64(8), default=np.int64(3))
    assert [type(bound) for bound in (found.low, found.high, found.default)] == [int, int, int]
    with pytest.raises(UserError, match=r"high: expected a whole number, got 1000\.0"):
        Int(low=16, high=1e3)


def test_choices_are_not_numeric():
    assert is_numeric({"x": Float(low=0, high=1), "n": Int(low=0, high=1)})
    assert not is_numeric({"x": Choice(choices=(1, 2))})


CONDITIONAL = {
    "optimizer": Choice(choices=("sgd", "adam", "lion"), default="adam"),
    "momentum": Float(low=0, high=1, when={"optimizer": ("sgd",)}),
    "beta": Float(low=0, high=1, default=0.9, when={"optimizer": ("adam", "lion")}),
    "nesterov": Choice(choices=(True, False), when={"optimizer": ("sgd",)}),
    "damping": Float(low=0, high=1, when={"nesterov": (True,)}),
}


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, ["optimizer"]),
        ({"optimizer": "adam"}, ["beta"]),
        ({"optimizer": "sgd"}, ["momentum", "nesterov"]),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True}, ["damping"]),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": False}, []),
    ],
)
def test_a_parameter_exists_where_its_condition_holds(params, names):
    check_space(CONDITIONAL)
    assert missing(CONDITIONAL, params) == names


def test_the_default_configuration_holds_what_belongs_to_it():
    assert default_config(CONDITIONAL) == {"optimizer": "adam", "beta": 0.9}
    assert default_config({"x": Float(low=0, high=1)}) is None


def test_conditions_and_defaults_survive_json():
    assert space_from_document(json.loads(to_json(space_document(CONDITIONAL)))) == CONDITIONAL


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": Float(low=0, high=1, when={"optimiser": ("sgd",)})}, "unknown parameter 'optimiser'"),
        ({"x": Float(low=0, high=1, when={"y": ("a",)}), "y": Choice(choices=("a",))}, "must stand above"),
        ({"x": Float(low=0, high=1, when={"momentum": (0.5,)})}, "momentum is a range"),
        ({"x": Float(low=0, high=1, when={"optimizer": ("sdg",)})}, "never 'sdg'"),
        ({"x": Float(low=0, high=1, when={"nesterov": (1,)})}, "never 1"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check_space(CONDITIONAL | changes)


def test_a_default_outside_its_range_is_refused():
    with pytest.raises(UserError, match="default between 0 and 1, got 2"):
        Float(low=0, high=1, default=2)
    with pytest.raises(UserError, match="one of the choices"):
        Choice(choices=("a", "b"), default="c")

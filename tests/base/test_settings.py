import dataclasses
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.base.settings import (
    changed,
    check_range,
    fill,
    flat,
    flat_names,
    line_of_key,
    options_of,
    read_toml,
    to_toml,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    rate: float = 0.1
    epochs: int | None = None
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    folder: Path | None = None
    widths: tuple[int, ...] = ()


@given(
    st.builds(
        Example,
        rate=st.floats(allow_nan=False),
        epochs=st.none() | st.integers(),
        kind=st.sampled_from(["a", "b"]),
        flag=st.booleans(),
        widths=st.lists(st.integers()).map(tuple),
    )
)
def test_settings_survive_the_way_through_plain_values(example):
    assert fill(Example, dataclasses.asdict(example)) == example


def test_an_unknown_name_is_an_error_with_the_nearest_one():
    with pytest.raises(UserError, match=r"run.toml: unknown option 'rates'") as caught:
        fill(Example, {"rates": 1.0}, where="run.toml")
    assert caught.value.hint == "did you mean 'rate'?"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": "fast"}, "rate: expected float, got 'fast'"),
        ({"epochs": True}, "epochs: expected int, got True"),
        ({"epochs": 1.5}, "epochs: expected int, got 1.5"),
        ({"kind": "c"}, "kind: expected one of 'a', 'b', got 'c'"),
        ({"flag": 1}, "flag: expected bool, got 1"),
        ({"widths": 3}, "widths: expected a list, got 3"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(values, message):
    with pytest.raises(UserError) as caught:
        fill(Example, values)
    assert caught.value.message == message


def test_whole_numbers_and_texts_are_taken_where_they_fit():
    filled = fill(Example, {"rate": 1, "folder": "x/y"})
    assert filled.rate == 1.0
    assert isinstance(filled.rate, float)
    assert filled.folder == Path("x/y")


def test_the_line_of_a_key_is_found(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("# epochs = 3\n\nepochs = 4\n[x]\nlow = 1\n")
    assert line_of_key(path, "epochs") == 3
    assert line_of_key(path, "x") == 4
    assert line_of_key(path, "y") is None


@pytest.mark.parametrize(
    ("content", "message"), [(b"a = [", "is not TOML"), (b"\xff\xfe", "is not a text file")], ids=["syntax", "binary"]
)
def test_a_file_that_is_not_toml_is_named(tmp_path, content, message):
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_toml(path)
    with pytest.raises(UserError, match="no such file"):
        read_toml(tmp_path / "missing.toml")
    with pytest.raises(UserError, match="expected a TOML file: Is a directory"):
        read_toml(tmp_path)


@pytest.mark.parametrize("value", [0, 11, float("nan")])
def test_a_number_out_of_range_is_named_as_an_option(value):
    with pytest.raises(UserError, match="--n-trials: expected more than 0 and at most 10"):
        check_range("n_trials", value, low=0, high=10, low_open=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Example = dataclasses.field(default_factory=Example)
    seed: int = 0


def test_what_is_nested_is_given_by_its_own_name_or_in_a_table():
    wanted = Outer(inner=Example(rate=0.5, flag=True), seed=3)
    assert fill(Outer, {"rate": 0.5, "flag": True, "seed": 3}) == wanted
    assert fill(Outer, {"inner": {"rate": 0.5, "flag": True}, "seed": 3}) == wanted
    assert fill(Outer, {"inner": {"rate": 0.5}, "flag": True, "seed": 3}) == wanted
    assert flat_names(Outer, {"inner": {"rate": 0.5}, "seed": 3}) == {"rate": 0.5, "seed": 3}


@given(st.floats(allow_nan=False), st.booleans(), st.integers())
def test_flat_and_fill_are_each_others_inverse(rate, flag, seed):
    settings = Outer(inner=Example(rate=rate, flag=flag), seed=seed)
    assert fill(Outer, flat(settings)) == settings
    assert fill(Outer, dataclasses.asdict(settings)) == settings


def test_a_change_keeps_all_else():
    settings = Outer(inner=Example(rate=0.7), seed=3)
    assert changed(settings, {"flag": True}) == Outer(inner=Example(rate=0.7, flag=True), seed=3)
    assert next(iter(options_of(Outer))) == "rate"
    with pytest.raises(UserError, match="unknown option 'flagg'") as error:
        changed(settings, {"flagg": True})
    assert error.value.hint == "did you mean 'flag'?"


def test_toml_keeps_every_name_and_text(tmp_path):
    values = {"file": "C:\\data", "said": 'a "b"', "learning rate": 0.1, "optimizer.lr": 1, "odd": "\x7f\n\u00e9"}
    values[""] = 2
    path = tmp_path / "best.toml"
    path.write_text(to_toml(values, comment="of a run\nwith a break"), encoding="utf-8")
    assert tomllib.loads(path.read_text(encoding="utf-8")) == values

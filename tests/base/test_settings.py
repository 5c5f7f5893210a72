import dataclasses
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.base.settings import check_range, fill, line_of_key, read_toml


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

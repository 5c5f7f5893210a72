import dataclasses
from pathlib import Path

import pytest

from trialwise.base.errors import UserError
from trialwise.base.settings import setting
from trialwise.cli.options import merged, option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    rate: float = setting(0.5, "How fast")
    steps: int | None = setting(None, "How many; left out, enough")


def test_the_command_line_goes_before_the_file_and_the_file_before_the_default():
    Path("a.toml").write_text("rate = 0.25\nsteps = 7\n")
    assert merged(Example, None, {"rate": None, "steps": None}) == Example()
    assert merged(Example, Path("a.toml"), {"rate": None}) == Example(rate=0.25, steps=7)
    assert merged(Example, Path("a.toml"), {"rate": 0.75}) == Example(rate=0.75, steps=7)


def test_names_with_dashes_are_the_same_names():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Dashed:
        learning_rate: float = setting(0.5, "")

    Path("a.toml").write_text("learning-rate = 0.25\n")
    assert merged(Dashed, Path("a.toml"), {}).learning_rate == 0.25


def test_a_bad_value_names_the_file():
    Path("a.toml").write_text("rate = 'fast'\n")
    with pytest.raises(UserError, match=r"rate: expected float, got 'fast' \(with a.toml\)"):
        merged(Example, Path("a.toml"), {})


def test_help_is_the_sentence_and_the_default_of_the_setting():
    assert option(Example, "rate").help == "How fast [default: 0.5]"
    assert option(Example, "steps").help == "How many; left out, enough"

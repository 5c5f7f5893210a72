"""What may be tuned: named ranges and choices, from Python, a TOML file or the command line."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, read_toml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclasses.dataclass(frozen=True, kw_only=True)
class Float:
    """A real number in [low, high], searched on a logarithmic scale where `log`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):  # Float(low=0, high=1) stays a range of reals on its way through JSON
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_bounds(self.low, self.high, log=self.log)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Int:
    """A whole number in [low, high], both included, searched on a logarithmic scale where `log`."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, log=self.log)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values without an order."""

    choices: tuple[str | int | float | bool, ...]

    def __post_init__(self) -> None:
        if not self.choices:
            raise UserError("a choice needs at least one value", hint='e.g. choices = ["relu", "tanh"]')


Parameter = Float | Int | Choice
Space = Mapping[str, Parameter]


def _check_bounds(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"expected low < high, both finite, got low = {low:g} and high = {high:g}")
    if log and low <= 0:
        raise UserError(f"expected low > 0 on a logarithmic scale, got low = {low:g}")


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """The space in Optuna's terms, in the space's own order."""
    # Optuna takes a third of a second to import, and the command line's help needs this file without it.
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, parameter in space.items():
        match parameter:
            case Float(low=low, high=high, log=log):
                found[name] = FloatDistribution(low, high, log=log)
            case Int(low=low, high=high, log=log):
                found[name] = IntDistribution(low, high, log=log)
            case Choice(choices=choices):
                found[name] = CategoricalDistribution(choices)
    return found


def is_numeric(space: Space) -> bool:
    """Whether every parameter is a number with an order."""
    return not any(isinstance(parameter, Choice) for parameter in space.values())


def read_space(path: Path) -> dict[str, Parameter]:
    """The space in a TOML file: one table a parameter, `low` and `high` (and `log`), or `choices`.

    Whole numbers for both bounds make an Int, anything else a Float.

    Raises:
        UserError: The file is missing or is not TOML, or a table is not a parameter; with its name.
    """
    tables = read_toml(path)
    if not tables:
        raise UserError(f"{path} names no parameter", hint="a parameter is a table: [x] with low = -5.0 and high = 5.0")
    return {name: _parameter(table, f"{path}, [{name}]") for name, table in tables.items()}


def _parameter(table: Any, where: str) -> Parameter:
    if not isinstance(table, dict):
        raise UserError(
            f"{where}: expected a table with low and high, or choices", hint="[x] then low = -5.0, high = 5.0"
        )
    try:
        if "choices" in table:
            return Choice(choices=tuple(_only(table, {"choices"}, where)["choices"]))
        if "low" not in table or "high" not in table:
            raise UserError("expected low and high, or choices")
        whole = isinstance(table["low"], int) and isinstance(table["high"], int)
        return fill(Int if whole else Float, table, where=where)
    except UserError as error:
        message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
        raise UserError(message, hint=error.hint) from None


def _only(table: dict[str, Any], known: set[str], where: str) -> dict[str, Any]:
    for name in table:
        if name not in known:
            raise UserError(f"{where}: unknown option {name!r} beside choices")
    if not isinstance(table["choices"], list | tuple):
        raise UserError("expected choices to be a list")
    return table


def parse_parameter(text: str) -> tuple[str, Parameter]:
    """A parameter written in one word: `x=-5:5`, `lr=1e-4:0.1:log`, `n=1:8` or `act=relu,tanh`.

    Raises:
        UserError: The text is none of these.
    """
    name, equals, body = text.partition("=")
    wrong = UserError(
        f"--param {text}: expected NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A,B,C",
        hint="for example --param x=-5:5 --param rate=1e-4:0.1:log --param kind=a,b",
    )
    if not (name.isidentifier() and equals and body):
        raise wrong
    if ":" not in body:
        return name, Choice(choices=tuple(_value(word) for word in body.split(",")))
    low, high, *scale = body.split(":")
    if scale not in ([], ["log"]) or isinstance(_number(low), str) or isinstance(_number(high), str):
        raise wrong
    bounds = {"low": _number(low), "high": _number(high)}
    try:
        whole = all(isinstance(bound, int) for bound in bounds.values())
        return name, fill(Int if whole else Float, bounds | {"log": bool(scale)})
    except UserError as error:
        raise UserError(f"--param {text}: {error.message}") from None


def _value(word: str) -> str | int | float | bool:
    """A choice in its own type: true and false, numbers, words."""
    return {"true": True, "false": False}.get(word.lower(), _number(word))


def _number(word: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def space_document(space: Space) -> dict[str, dict[str, Any]]:
    """The space as plain JSON values; `space_from_document` reads it back."""
    return {name: dataclasses.asdict(parameter) for name, parameter in space.items()}


def space_from_document(document: dict[str, Any]) -> dict[str, Parameter]:
    """The space that `space_document` wrote."""
    return {name: _parameter(table, name) for name, table in document.items()}

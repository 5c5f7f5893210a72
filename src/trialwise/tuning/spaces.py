"""What may be tuned: named ranges and choices, from Python, a TOML file or the command line."""

import dataclasses
import math
import operator
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, read_toml, unknown_name

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


Value = str | int | float | bool
# The values of other parameters, of which each must have one of those named for this parameter to exist.
Condition = Mapping[str, tuple[Value, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Float:
    """A real number in [low, high], searched on a logarithmic scale where `log`.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Whether the search is on a logarithmic scale.
        default: The untuned value, if there is one.
        when: Which values of other parameters this one belongs to; always there where it is empty.
    """

    low: float
    high: float
    log: bool = False
    default: float | None = None
    when: Condition = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("low", "high"):  # Float(low=0, high=1) stays a range of reals on its way through JSON
            object.__setattr__(self, name, float(getattr(self, name)))
        _check_bounds(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Int:
    """A whole number in [low, high], both included; see `Float`."""

    low: int
    high: int
    log: bool = False
    default: int | None = None
    when: Condition = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("low", "high", "default"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _whole(name, value))
        _check_bounds(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values without an order; `default` and `when` as in `Float`."""

    choices: tuple[Value, ...]
    default: Value | None = None
    when: Condition = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.choices:
            raise UserError("a choice needs at least one value", hint='e.g. choices = ["relu", "tanh"]')
        for place, value in enumerate(self.choices):
            twin = next((other for other in self.choices[:place] if other == value), None)
            if twin is not None and type(twin) is type(value):
                raise UserError(f"choices: {value!r} stands there twice")
            if twin is not None:
                raise UserError(f"choices: {twin!r} and {value!r} are one value in Python", hint="write one as text")
        if self.default is not None and not is_one_of(self.default, self.choices):
            raise UserError(f"expected default to be one of the choices, got {self.default!r}")


Parameter = Float | Int | Choice
Space = Mapping[str, Parameter]


def _whole(name: str, value: Any) -> int:
    """The value as Python's own whole number, whatever library's it is."""
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(f"{name}: expected a whole number, got {value!r}", hint="Float is for real numbers") from None


def _check_bounds(given: Float | Int) -> None:
    low, high = given.low, given.high
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"expected low < high, both finite, got low = {low:g} and high = {high:g}")
    if given.log and low <= 0:
        raise UserError(f"expected low > 0 on a logarithmic scale, got low = {low:g}")
    if given.default is not None and not low <= given.default <= high:
        raise UserError(f"expected default between {low:g} and {high:g}, got {given.default:g}")


def is_one_of(value: Value, values: Iterable[Value]) -> bool:
    """Whether a value is among others, true and 1 being two things."""
    return any(value == other and type(value) is type(other) for other in values)


def check_space(space: Space) -> None:
    """Refuse conditions on parameters that are not there, stand further below, or can never be met.

    Raises:
        UserError: With the parameter's name.
    """
    above: dict[str, Parameter] = {}
    for name, parameter in space.items():
        for parent, values in parameter.when.items():
            if parent not in space:
                raise unknown_name("parameter", parent, [*space], where=f"[{name}] when")
            if parent not in above:
                raise UserError(
                    f"[{name}] when: {parent} must stand above {name}", hint="a parameter depends on earlier ones"
                )
            given = above[parent]
            if not isinstance(given, Choice):
                raise UserError(f"[{name}] when: {parent} is a range", hint="a parameter can depend on choices alone")
            for value in values:
                if not is_one_of(value, given.choices):
                    raise UserError(
                        f"[{name}] when: {parent} is never {value!r}", hint=f"its choices: {list(given.choices)}"
                    )
        above[name] = parameter


def is_active(parameter: Parameter, params: Mapping[str, Any]) -> bool:
    """Whether a parameter belongs to a configuration that has `params` for all that stands above it."""
    return all(parent in params and is_one_of(params[parent], values) for parent, values in parameter.when.items())


def missing(space: Space, params: Mapping[str, Any]) -> list[str]:
    """The parameters that the configuration `params` should have and has not yet."""
    return [name for name, parameter in space.items() if name not in params and is_active(parameter, params)]


def default_config(space: Space) -> dict[str, Any] | None:
    """The configuration of all defaults; None where no parameter names one.

    Raises:
        UserError: Some parameters name a default and others, which belong to that configuration, do not.
    """
    if all(parameter.default is None for parameter in space.values()):
        return None
    config: dict[str, Any] = {}
    for name, parameter in space.items():
        if is_active(parameter, config):
            config[name] = parameter.default
    without = [name for name, value in config.items() if value is None]
    if without:
        raise UserError(
            f"no default for {', '.join(without)}", hint="name a default for every parameter, or for none of them"
        )
    return config


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

    Whole numbers for both bounds make an Int, anything else a Float. `default` is the untuned value; with
    `when = {optimizer = "sgd"}`, or a list of values, the parameter exists only beside that choice.

    Raises:
        UserError: The file is missing or is not TOML, or a table is not a parameter; with its name.
    """
    tables = read_toml(path)
    if not tables:
        raise UserError(f"{path} names no parameter", hint="a parameter is a table: [x] with low = -5.0 and high = 5.0")
    space = {name: _parameter(table, f"{path}, [{name}]") for name, table in tables.items()}
    try:
        check_space(space)
    except UserError as error:
        raise UserError(f"{path}: {error.message}", hint=error.hint) from None
    return space


def _parameter(table: Any, where: str) -> Parameter:
    if not isinstance(table, dict):
        raise UserError(
            f"{where}: expected a table with low and high, or choices", hint="[x] then low = -5.0, high = 5.0"
        )
    try:
        values = dict(table) | {"when": _condition(table.get("when", {}))}
        if "choices" in table:
            return fill(Choice, values, where=where)
        if "low" not in table or "high" not in table:
            raise UserError("expected low and high, or choices")
        whole = isinstance(table["low"], int) and isinstance(table["high"], int)
        return fill(Int if whole else Float, values, where=where)
    except UserError as error:
        message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
        raise UserError(message, hint=error.hint) from None


def _condition(given: Any) -> dict[str, list[Any]]:
    if not isinstance(given, Mapping):
        raise UserError(f"expected when to be a table, got {given!r}", hint='when = {optimizer = "sgd"}')
    return {name: list(values) if isinstance(values, list | tuple) else [values] for name, values in given.items()}


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


def _value(word: str) -> Value:
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

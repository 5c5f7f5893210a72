"""The options that commands share, and their help, taken from the settings they fill."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, line_of_key, options_of, read_toml, unknown_name
from trialwise.tuning.settings import SearchSettings
from trialwise.tuning.spaces import Parameter as SpaceParameter
from trialwise.tuning.spaces import parse_parameter, read_space

Settings = TypeVar("Settings")


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What every command takes.

    Attributes:
        json: Print one JSON document on stdout; text for people goes to stderr.
        seed: The one seed; the same seed gives the same numbers.
        out: Where to write; a new folder. Left out, a folder in the runs folder.
    """

    json: Annotated[bool, Parameter(negative="", help="Print one JSON document on stdout; people's text on stderr")] = (
        False
    )
    seed: Annotated[int, Parameter(help="The same seed gives the same numbers")] = 0
    out: Annotated[Path | None, Parameter(help="New folder to write to; left out, a folder in ./runs")] = None


Config = Annotated[Path | None, Parameter(help="TOML file with options; those given here go first")]
Set = Annotated[
    list[str] | None,
    Parameter(negative="", help="NAME=VALUE for any other setting of a config file, e.g. cutout=8; may be repeated"),
]
DataDir = Annotated[
    Path | None, Parameter(help="Where the named data set lies already, a torchvision download included")
]


Params = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="A parameter's range, NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A,B,C; again for each"),
]
# How a study searches: the same options wherever something is tuned.
Search = Annotated[SearchSettings, Parameter(name="*", group="Study", negative="")]


def given_space(file: Path | None, params: Sequence[str]) -> dict[str, SpaceParameter]:
    """The space in a TOML file and the parameters of `--param` beside them.

    Raises:
        UserError: One of them cannot be used, or a name is given twice.
    """
    space = read_space(file) if file else {}
    for name, parameter in map(parse_parameter, params):
        if name in space:
            raise UserError(f"--param {name}: given twice", hint="one range for each parameter")
        space[name] = parameter
    return space


def option(cls: type, name: str) -> Parameter:
    """The help of an option that fills the field `name` of a settings dataclass, with the field's default."""
    field = options_of(cls)[name]
    default = "" if field.default is None else f" [default: {field.default}]"
    return Parameter(help=field.metadata["help"] + default, show_default=False)


def given_values(
    cls: type, config: Path | None, given: Mapping[str, Any], assignments: Sequence[str] | None = None
) -> dict[str, Any]:
    """Settings by name from a config file, with the options that were given on the command line on top.

    Args:
        cls: The settings dataclass that knows the names and the types.
        config: A TOML file.
        given: Options by name; None where they were left out.
        assignments: NAME=VALUE, VALUE as in TOML (text without quotes is taken as text).

    Raises:
        UserError: The file has an unknown option (with its line and the nearest name) or a bad value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values = {name.replace("-", "_"): value for name, value in read_toml(config).items()}
        known = options_of(cls)
        for name in values:
            if name not in known:
                line = line_of_key(config, name) or line_of_key(config, name.replace("_", "-"))
                raise unknown_name("option", name, known, where=f"{config}" + (f", line {line}" if line else ""))
    values |= {name: value for name, value in given.items() if value is not None}
    for assignment in assignments or ():
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"--set {assignment}: expected NAME=VALUE", hint="e.g. --set dropout=0.2")
        fill(cls, {name: _toml_value(value)}, where="--set")
        values[name.replace("-", "_")] = _toml_value(value)
    try:
        fill(cls, values)
    except UserError as error:
        if config is None:
            raise
        raise UserError(f"{error.message} (with {config})", hint=error.hint) from None
    return values


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def merged(cls: type[Settings], config: Path | None, given: Mapping[str, Any]) -> Settings:
    """Settings from a config file, with the options that were given on the command line on top.

    Raises:
        UserError: As `given_values`.
    """
    return fill(cls, given_values(cls, config, given))

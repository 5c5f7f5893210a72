"""The options that commands share, and their help, taken from the settings they fill."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, line_of_key, read_toml, unknown_name

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
DataDir = Annotated[
    Path | None, Parameter(help="Where the named data set lies already, a torchvision download included")
]


def option(cls: type, name: str) -> Parameter:
    """The help of an option that fills the field `name` of a settings dataclass, with the field's default."""
    field = next(field for field in dataclasses.fields(cls) if field.name == name)
    default = "" if field.default is None else f" [default: {field.default}]"
    return Parameter(help=field.metadata["help"] + default, show_default=False)


def merged(cls: type[Settings], config: Path | None, given: Mapping[str, Any]) -> Settings:
    """Settings from a config file, with the options that were given on the command line on top.

    Raises:
        UserError: The file has an unknown option (with its line and the nearest name) or a bad value.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values = {name.replace("-", "_"): value for name, value in read_toml(config).items()}
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                line = line_of_key(config, name) or line_of_key(config, name.replace("_", "-"))
                raise unknown_name("option", name, known, where=f"{config}" + (f", line {line}" if line else ""))
    try:
        return fill(cls, values | {name: value for name, value in given.items() if value is not None})
    except UserError as error:
        if config is None:
            raise
        raise UserError(f"{error.message} (with {config})", hint=error.hint) from None

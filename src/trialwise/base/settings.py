"""Plain dataclasses filled from TOML or JSON, where an unknown name is an error and not a surprise."""

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from trialwise.base.errors import UserError

Settings = TypeVar("Settings")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UserError: The file is missing, a folder, not text or not TOML (with the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path}: expected a TOML file: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file: expected TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from None


def line_of_key(path: Path, key: str) -> int | None:
    """The 1-based line on which a TOML file first sets or opens `key`; None where it is not found."""
    pattern = re.compile(rf"""^\s*\[?\s*["']?{re.escape(key)}["']?\s*[\]=]""")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if pattern.match(line):
            return number
    return None


def unknown_name(what: str, name: str, known: Iterable[str], *, where: str = "") -> UserError:
    """The error for a name that is not one of `known`, with the nearest one as its hint."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(known)}"
    return UserError(f"{where}{': ' if where else ''}unknown {what} {name!r}", hint=hint)


def setting(default: Any, description: str) -> Any:
    """A dataclass field with the sentence that documents it, shown as the option's help on the command line."""
    return dataclasses.field(default=default, metadata={"help": description})


def fill(cls: type[Settings], values: Mapping[str, Any], *, where: str = "") -> Settings:
    """An instance of the dataclass `cls` with `values` in its fields.

    Every value is checked against its field's annotation (int, float, str, bool, Path, Literal, optional,
    tuple of one type); an int is accepted where a float is meant.

    Args:
        cls: A dataclass; its own `__post_init__` checks ranges.
        values: Field names and values; names with dashes are read as underscores.
        where: Whose values these are, for the messages.

    Raises:
        UserError: A name that is no field (with the nearest one), or a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    annotations = typing.get_type_hints(cls)
    clean = {}
    for name, value in values.items():
        name = name.replace("-", "_")
        if name not in fields:
            raise unknown_name("option", name, fields, where=where)
        clean[name] = _checked(value, annotations[name], f"{where}{': ' if where else ''}{name}")
    return cls(**clean)


def _checked(value: Any, annotation: Any, name: str) -> Any:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _checked(value, typing.get_args(annotation)[0], name)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(annotation)
        if value is None and type(None) in options:
            return None
        inner = [option for option in options if option is not type(None)]
        return _checked(value, inner[0], name)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        if value not in choices:
            raise UserError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{name}: expected a list, got {value!r}")
        return tuple(_checked(item, typing.get_args(annotation)[0], name) for item in value)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if annotation is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, annotation) or (annotation is not bool and isinstance(value, bool)):
        raise UserError(f"{name}: expected {annotation.__name__}, got {value!r}")
    return value


def check_range(name: str, value: float, *, low: float, high: float = float("inf"), low_open: bool = False) -> None:
    """Refuse a number outside [low, high], or (low, high] where `low_open`.

    Raises:
        UserError: Naming the option as it is written on the command line.
    """
    if not (low < value if low_open else low <= value) or not value <= high:
        bound = f"more than {low:g}" if low_open else f"at least {low:g}"
        if high != float("inf"):
            bound += f" and at most {high:g}"
        raise UserError(f"--{name.replace('_', '-')}: expected {bound}, got {value:g}")

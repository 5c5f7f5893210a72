"""Plain dataclasses filled from TOML or JSON, where an unknown name is an error and not a surprise."""

import dataclasses
import difflib
import json
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


def options_of(cls: type) -> dict[str, dataclasses.Field]:
    """Every field of a settings dataclass by its name, those of the settings nested in it included."""
    annotations = typing.get_type_hints(cls)
    found: dict[str, dataclasses.Field] = {}
    for field in dataclasses.fields(cls):
        nested = annotations[field.name]
        if dataclasses.is_dataclass(nested):
            found |= options_of(nested)  # type: ignore[bad-argument-type]
        elif field.init:
            found[field.name] = field
    return found


def flat(settings: Any) -> dict[str, Any]:
    """The values of a settings dataclass by name, those of the settings nested in it side by side with its own."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        values |= flat(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return values


def to_toml(settings: Any, *, comment: str) -> str:
    """The settings, a dataclass or a mapping, as the text of a TOML file under one line of comment.

    `read_toml` and `fill` read it back.
    """
    named = settings if isinstance(settings, Mapping) else flat(settings)
    values = {name: value for name, value in named.items() if value is not None}
    head = f"# {' '.join(comment.split())}"
    return "\n".join([head, *(f"{_toml_key(name)} = {_toml_value(value)}" for name, value in values.items())]) + "\n"


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml_value(name)


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    # TOML's basic strings are JSON's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else repr(value)


def flat_names(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The given values by the names of the settings they are, tables opened and dashes read as underscores.

    Raises:
        UserError: As `fill`.
    """
    fill(cls, values)
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= value if isinstance(value, Mapping) else {name.replace("-", "_"): value}
    return found


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with `values` in place of their own, wherever the names lie.

    Raises:
        UserError: As `fill`.
    """
    return fill(type(settings), flat(settings) | dict(values))


def fill(cls: type[Settings], values: Mapping[str, Any], *, where: str = "") -> Settings:
    """An instance of the dataclass `cls` with `values` in its fields.

    Every value is checked against its field's annotation (int, float, str, bool, Path, Literal, optional or one of
    several, tuple of one type, mapping, a nested dataclass); an int is accepted where a float is meant. What lies in
    a nested dataclass may be given by its own name or in a table of the nested one's name.

    Args:
        cls: A dataclass; its own `__post_init__` checks ranges.
        values: Field names and values; names with dashes are read as underscores.
        where: Whose values these are, for the messages.

    Raises:
        UserError: A name that is no field (with the nearest one), or a value of the wrong type.
    """
    annotations = typing.get_type_hints(cls)
    nested = {name: inner for name, inner in annotations.items() if dataclasses.is_dataclass(inner)}
    homes = {name: home for home, inner in nested.items() for name in options_of(inner)}  # type: ignore[bad-argument-type]
    clean: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        name = name.replace("-", "_")
        if name in nested and isinstance(value, Mapping):
            inside.setdefault(name, {}).update(value)
        elif name in homes:
            inside.setdefault(homes[name], {})[name] = value
        elif name in options_of(cls):
            clean[name] = _checked(value, annotations[name], f"{where}{': ' if where else ''}{name}")
        else:
            raise unknown_name("option", name, options_of(cls), where=where)
    return cls(**clean, **{home: fill(nested[home], given, where=where) for home, given in inside.items()})


def _checked(value: Any, annotation: Any, name: str) -> Any:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _checked(value, typing.get_args(annotation)[0], name)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(annotation)
        if value is None and type(None) in options:
            return None
        inner = [option for option in options if option is not type(None)]
        fitting = next((option for option in inner if type(value) is option), inner[0])
        return _checked(value, fitting, name)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        if value not in choices:
            raise UserError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{name}: expected a list, got {value!r}")
        return tuple(_checked(item, typing.get_args(annotation)[0], name) for item in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise UserError(f"{name}: expected a table, got {value!r}")
        return {key: _checked(item, typing.get_args(annotation)[1], name) for key, item in value.items()}
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

"""The page of what Python code may use: `trialwise` and `trialwise.api`, read from the source without running it."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import trialwise
from trialwise import api

WIDTH = 100  # of a signature in one line
SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Examples?|Notes?):$")

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign


def page() -> str:
    """The whole page."""
    parts = [
        "# From Python\n",
        "Made from the code by `docs/reference/make_reference.py`: everything in `trialwise` and `trialwise.api` that "
        "is meant for use. Each verb is a command too ([commands](commands.md)).\n",
    ]
    own = set(trialwise.__all__)
    for name in sorted(own):
        parts += _entry("trialwise", name, trialwise._HOMES[name])
    for name in sorted(api.__all__):
        home = f"api.{api._HOMES[name]}"
        if name in own:
            parts.append(f"## api.{name}\n\nThe same as `trialwise.{name}`.\n")
        else:
            parts += _entry("api", name, home)
    return "\n".join(parts)


def _entry(package: str, name: str, home: str) -> Iterator[str]:
    """Heading, signature and docstring of one name, and of its public methods."""
    spec = importlib.util.find_spec(f"trialwise.{home}")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    definition = _definition(ast.parse(source), name)
    yield f"## {package}.{name}\n"
    if isinstance(definition, ast.Assign):
        yield _code(ast.unparse(definition))
        yield _comment_above(source, definition.lineno) + "\n"
        return
    yield _code(signature(definition))
    yield _prose(definition)
    if isinstance(definition, ast.ClassDef):
        for method in _public_methods(definition):
            yield f"### {name}.{method.name}\n"
            yield _code(signature(method))
            yield _prose(method)


def _definition(module: ast.Module, name: str) -> Definition:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            return node
    raise LookupError(f"{name} is not defined in the module that is named as its home")


def _public_methods(definition: ast.ClassDef) -> list[ast.FunctionDef]:
    methods = [node for node in definition.body if isinstance(node, ast.FunctionDef)]
    return [method for method in methods if not method.name.startswith("_")]


def signature(definition: ast.FunctionDef | ast.ClassDef) -> str:
    """As it is written in the code, in one line where it fits; of a class, how one is made."""
    if isinstance(definition, ast.FunctionDef):
        arguments = _arguments(definition.args)
        returns = f" -> {ast.unparse(definition.returns)}" if definition.returns is not None else ""
        decorators = {ast.unparse(decorator) for decorator in definition.decorator_list}
        before = "".join(f"@{name}\n" for name in ("property", "classmethod", "staticmethod") if name in decorators)
        return before + _call(definition.name, arguments, returns)
    made = next((m for m in definition.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None)
    if made:
        return _call(f"class {definition.name}", _arguments(made.args), "")
    fields = [ast.unparse(node) for node in definition.body if isinstance(node, ast.AnnAssign)]
    fields = [re.sub(r"dataclasses\.field\(default_factory=(\w+)\)", r"\1()", field) for field in fields]
    by_name = any("kw_only=True" in ast.unparse(decorator) for decorator in definition.decorator_list)
    return _call(f"class {definition.name}", ["*", *fields] if by_name and fields else fields, "")


def _call(name: str, arguments: list[str], returns: str) -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"


def _arguments(given: ast.arguments) -> list[str]:
    """Each argument with annotation and default, and the marks `/` and `*` between them; without `self` and `cls`."""
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    written = [_argument(argument, default) for argument, default in zip(plain, defaults, strict=True)]
    if given.posonlyargs:
        written.insert(len(given.posonlyargs), "/")
    if given.vararg:
        written.append(f"*{_argument(given.vararg, None)}")
    elif given.kwonlyargs:
        written.append("*")
    written += [_argument(argument, value) for argument, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        written.append(f"**{_argument(given.kwarg, None)}")
    return written[1:] if written and written[0] in ("self", "cls") else written


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    if default is None:
        return ast.unparse(argument)
    equals = " = " if argument.annotation else "="
    return f"{ast.unparse(argument)}{equals}{ast.unparse(default)}"


def _prose(definition: ast.FunctionDef | ast.ClassDef) -> str:
    """The docstring as Markdown: its paragraphs, and a list for each of its sections."""
    lines: list[str] = []
    section = ""
    for line in (ast.get_docstring(definition) or "").splitlines():
        heading = SECTION.match(line)
        if heading:
            section = heading[1]
            lines += [f"**{section}**", ""]
        elif not section or not line.strip():
            lines.append(line)
        elif section in ("Args", "Attributes", "Raises") and re.match(r" {4}\S", line):
            name, _, text = line.strip().partition(": ")
            lines.append(f"- `{name}`: {text}" if text else f"- `{name.removesuffix(':')}`:")
        else:
            in_list = section in ("Args", "Attributes", "Raises")
            lines.append(("  " if in_list else "") + line.strip())
    return "\n".join(lines).strip() + "\n"


def _comment_above(source: str, lineno: int) -> str:
    lines = source.splitlines()[: lineno - 1]
    comment: list[str] = []
    while lines and lines[-1].startswith("# "):
        comment.insert(0, lines.pop().removeprefix("# "))
    return "\n".join(comment)


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"

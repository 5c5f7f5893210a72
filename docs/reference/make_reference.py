"""Writes commands.md from the help of every command; a test keeps it current."""

import io
from pathlib import Path

from rich.console import Console

from trialwise.cli.app import app


def commands() -> list[str]:
    """Every command in full, e.g. "image train"; the ones without a group first."""
    found = []
    for name in app:
        if name.startswith("-"):
            continue
        group = app[name]
        inner = [inner for inner in group if not inner.startswith("-")]
        found += [f"{name} {command}" for command in inner] if inner else [name]
    return sorted(found, key=lambda command: (" " in command, command))


def help_of(command: str) -> str:
    """What `trialwise COMMAND --help` prints, 100 columns wide and without colour."""
    text = io.StringIO()
    console = Console(file=text, width=100, color_system=None, force_terminal=False)
    app.help_print(command.split(), console=console)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip() + "\n"


def page() -> str:
    """The whole page."""
    parts = ["# Commands\n", "Made from the commands' own help by `docs/reference/make_reference.py`.\n"]
    for command in commands():
        parts.append(f"## trialwise {command}\n\n```text\n{help_of(command)}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(page(), encoding="utf-8")

"""Writes what is made from code and results: commands, API, figures, the README's table; a test keeps them current."""

import io
from pathlib import Path

from rich.console import Console

import api_page
import figures_table
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


def commands_page() -> str:
    """The whole page of commands."""
    parts = ["# Commands\n", "Made from the commands' own help by `docs/reference/make_reference.py`.\n"]
    for command in commands():
        parts.append(f"## trialwise {command}\n\n```text\n{help_of(command)}```\n")
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """What each file that is made from the code should hold now."""
    here = Path(__file__).parent
    readme = here.parents[1] / "README.md"
    return {
        here / "commands.md": commands_page(),
        here / "api.md": api_page.page(),
        here / "figures.md": figures_table.page(),
        readme: figures_table.placed(readme.read_text(encoding="utf-8")),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")

"""What a user names to use a model on: files, folders, globs and archives -> a stream of image files."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.images.archives import is_archive_name
from trialwise.images.decoding import Content
from trialwise.images.sources import find_source


@dataclass(frozen=True, kw_only=True)
class Input:
    """One image file.

    Attributes:
        name: What people call it: its path as given, or below the folder or archive that was given.
        content: Its bytes, or where it lies; None where it was refused.
        reason: Why it was refused; empty where it was not.
    """

    name: str
    content: Content | None
    reason: str = ""


def find_inputs(paths: Sequence[str | Path]) -> Iterator[Input]:
    """The image files that the paths name, in the order given; nothing is decoded yet.

    A folder stands for all images below it, an archive for all inside it, and a file for itself, whatever its name.
    A path that does not exist may be a glob (`photos/*.jpg`, `photos/**/*.png`), for shells that expand none.

    Raises:
        UserError: Before the first input: a path leads nowhere, or there is none.
    """
    if not paths:
        raise UserError("expected at least one image file or folder of images", hint="for example: photos/ or cat.jpg")
    return _inputs([(str(name), found) for path in paths for name, found in _found(str(path))])


def _found(path: str) -> list[tuple[str, Path]]:
    """What a path names: itself, or what it matches."""
    real = Path(path).expanduser()
    if real.is_dir() or real.is_file():
        return [(path, real)]
    if real.exists():
        raise UserError(f"{path} is neither a file nor a folder")
    if not glob.has_magic(path):
        raise UserError(f"no such file or folder: {path!r}")
    matches = sorted(glob.glob(str(real), recursive=True))  # noqa: PTH207 - a Path cannot hold what a glob can
    files = [match for match in map(Path, matches) if match.is_file()]  # `**` matches the folders too
    if not files:
        raise UserError(f"no file matches {path!r}")
    return [(str(file), file) for file in files]


def _inputs(found: list[tuple[str, Path]]) -> Iterator[Input]:
    for name, path in found:
        if path.is_dir() or is_archive_name(path.name):
            for entry in find_source(str(path.absolute())).entries():
                if entry.content is not None or entry.reason:
                    inside = _readable(str(Path(name) / entry.file))
                    yield Input(name=inside, content=entry.content, reason=entry.reason)
        else:
            yield Input(name=_readable(name), content=path)


def _readable(name: str) -> str:
    """The name with bytes that are no text written out, so that it can go into any document."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")

"""A folder of class folders, or an archive of one, as a source of images."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trialwise.base.errors import UserError
from trialwise.images import archives
from trialwise.images.downloads import checked_sha256
from trialwise.images.entries import Entry, Source
from trialwise.images.layout import is_image_name, is_junk

_NO_FILE = -1  # the size given for what is there and is no file


class FoundFile(NamedTuple):
    """A file below a folder.

    Attributes:
        name: Its path relative to the folder, with "/" between the parts.
        path: Its real path.
        n_bytes: Its size; -1 for a device or a pipe.
        changed_ns: Its time of change in nanoseconds.
    """

    name: str
    path: str
    n_bytes: int
    changed_ns: int


def list_files(folder: Path) -> list[FoundFile]:
    """Every file below the folder, by name; links are followed.

    Raises:
        UserError: A folder cannot be read.
    """
    return sorted(_walk(folder, "", ()))


def files_fingerprint(kind: str, path: Path, found: Sequence[FoundFile]) -> str:
    """Changes when a file is added, removed, renamed, written to or moved; nothing is read."""
    digest = hashlib.sha256(os.fsencode(path.resolve()))
    for file in found:
        digest.update(f"{file.name}\0{file.n_bytes}\0{file.changed_ns}\n".encode())
    return f"{kind}:{digest.hexdigest()}"


def folder_source(path: Path, found: Sequence[FoundFile]) -> Source:
    """The folder with the files `found` in it."""

    def entries() -> Iterator[Entry]:
        for file in found:
            if file.n_bytes == _NO_FILE:  # opening it could wait for ever
                yield Entry(file=file.name, content=None, reason="a device or a pipe, not a file")
            else:
                yield Entry(file=file.name, content=Path(file.path) if is_image_name(file.name) else None)

    return Source(
        name=path.resolve().name or str(path.resolve()),
        kind="folder",
        location=str(path),
        fingerprint=files_fingerprint("folder", path, found),
        entries=entries,
        names=lambda: [file.name for file in found],
    )


def archive_source(path: Path) -> Source:
    """The archive at `path`, of which nothing is ever extracted to disk.

    Raises:
        UserError: It cannot be read.
    """

    def is_wanted(name: str) -> bool:
        return is_image_name(name) and not is_junk(name)

    def entries() -> Iterator[Entry]:
        for member in archives.read_members(path, wanted=is_wanted):
            if not is_junk(member.name):
                yield Entry(file=member.name, content=member.content, reason=member.reason)

    def names() -> list[str] | None:
        listed = archives.list_names(path)
        return None if listed is None else [name for name in listed if not is_junk(name)]

    suffix = next(suffix for suffix in archives.ARCHIVE_SUFFIXES if path.name.lower().endswith(suffix))
    return Source(
        name=path.name[: -len(suffix)] or path.name,
        kind="archive",
        location=str(path),
        fingerprint=f"archive:{checked_sha256(path)}",
        entries=entries,
        names=names,
    )


def _walk(folder: Path | str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[FoundFile]:
    """Each file below the folder; links are followed.

    Args:
        folder: Where to look.
        prefix: Its path relative to the source, with "/" at its end.
        above: Device and number of every folder above, so that a link to one of them does not lead round for ever.
    """
    try:
        status = Path(folder).stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        with os.scandir(folder) as listing:
            for entry in listing:
                # A name that is not UTF-8 cannot be written to a report as it is.
                name = prefix + entry.name.encode("utf-8", "backslashreplace").decode("utf-8")
                if is_junk(entry.name):
                    continue
                try:
                    found = entry.stat()
                except OSError:
                    yield FoundFile(name, entry.path, 0, 0)  # a link that leads nowhere: decoding will say so
                    continue
                if stat.S_ISDIR(found.st_mode):
                    yield from _walk(entry.path, f"{name}/", (*above, here))
                elif stat.S_ISREG(found.st_mode):
                    yield FoundFile(name, entry.path, found.st_size, found.st_mtime_ns)
                else:
                    yield FoundFile(name, entry.path, _NO_FILE, 0)
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None

"""The members of an archive, read one after the other; nothing is ever extracted to disk."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from trialwise.base.errors import UserError

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

MEMBER_LIMIT_BYTES = 200 * 2**20

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One regular file of an archive.

    Attributes:
        name: Its path inside the archive, with "/" between the parts.
        content: Its bytes; None where it was not wanted or was refused.
        reason: Why it was refused; empty where it was not.
    """

    name: str
    content: bytes | None
    reason: str = ""


def is_archive_name(name: str) -> bool:
    """Whether a file name ends as one of `ARCHIVE_SUFFIXES`, in any case."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def list_names(path: Path) -> list[str] | None:
    """The names of all files in a zip archive; None for a tar, which tells them only when read to its end.

    Raises:
        UserError: The archive is damaged.
    """
    if not path.name.lower().endswith(".zip"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return [_clean(info.filename) for info in archive.infolist() if not info.is_dir()]
    except _DAMAGE as error:
        raise _damaged(path, error) from None


def read_members(
    path: Path, *, wanted: Callable[[str], bool], limit_bytes: int = MEMBER_LIMIT_BYTES
) -> Iterator[Member]:
    """Each file of a zip or tar archive, in the archive's order, holding one member in memory at a time.

    Wanted members that are no regular files, whose names lead out of the archive, or that are larger than
    `limit_bytes` come without content and with a reason, so that no archive can fill the memory or reach a file
    outside itself.

    Args:
        path: The archive.
        wanted: Whether a member of this name is to be read; the others come with neither content nor reason.
        limit_bytes: The largest member that is read, unpacked.

    Raises:
        UserError: The archive is damaged or needs a password.
    """
    read = _read_zip if path.name.lower().endswith(".zip") else _read_tar
    members = read(path, wanted, limit_bytes)
    while True:
        # Only the reading stands inside `try`: an error of whoever consumes the members is not the archive's.
        try:
            member = next(members, None)
        except _DAMAGE as error:
            raise _damaged(path, error) from None
        if member is None:
            return
        yield member


def _read_zip(path: Path, wanted: Callable[[str], bool], limit_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _clean(info.filename)
            if info.is_dir():
                continue
            if not wanted(name):
                yield Member(name=name, content=None)
                continue
            # Archives made on Windows carry no Unix mode: zero means a regular file.
            kind = stat.S_IFMT(info.external_attr >> 16)
            reason = _refusal(name, kind in (0, stat.S_IFREG), info.file_size, limit_bytes)
            content = None
            if not reason:
                try:
                    content = _zip_content(path, archive, info)
                except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
                    reason = f"damaged inside the archive: {error}"  # the other members can be read all the same
            yield Member(name=name, content=content, reason=reason)


def _zip_content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 1:
        raise UserError(
            f"{path} is protected by a password: {info.filename} cannot be read",
            hint="unpack it and give the folder instead",
        )
    try:
        with archive.open(info) as stream:
            # zipfile stops at the declared size, which was checked before, whatever the packed bytes hold.
            return stream.read(info.file_size)
    except NotImplementedError:
        raise UserError(
            f"{path}: {info.filename} is packed with a method that Python does not know",
            hint="unpack it and give the folder instead",
        ) from None


def _read_tar(path: Path, wanted: Callable[[str], bool], limit_bytes: int) -> Iterator[Member]:
    with _unpacked(path) as stream, tarfile.open(fileobj=cast(Any, _Bounded(stream)), mode="r:") as archive:
        while (info := archive.next()) is not None:
            # Else tarfile keeps a record of about 1 KB for each member.
            archive.members.clear()  # pyrefly: ignore[missing-attribute]
            name = _clean(info.name)
            if info.isdir():
                continue
            if not wanted(name):
                yield Member(name=name, content=None)
                continue
            reason = _refusal(name, info.isreg(), info.size, limit_bytes)
            file = None if reason else archive.extractfile(info)
            yield Member(name=name, content=file.read() if file else None, reason=reason)


def _unpacked(path: Path) -> io.BufferedIOBase:
    name = path.name.lower()
    if name.endswith((".tar.gz", ".tgz")):
        return gzip.open(path)
    if name.endswith(".tar.xz"):
        return lzma.open(path)
    if name.endswith(".tar.bz2"):
        return bz2.open(path)
    return path.open("rb")


class _Bounded:
    """A stream that refuses to read more than 256 MB at once.

    tarfile reads a long file name or an extended header whole, whatever size it declares.
    """

    _limit_bytes = 256 * 2**20

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._limit_bytes:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _refusal(name: str, is_regular: bool, size_bytes: int, limit_bytes: int) -> str:
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        return "its name leads out of the archive"
    if not is_regular:
        return "a link or a device, not a file"
    if size_bytes > limit_bytes:
        return f"{size_bytes:,} bytes: larger than the limit of {limit_bytes:,}"
    return ""


def _clean(name: str) -> str:
    # Archives made on Windows have backslashes; names that are not UTF-8 come with lone surrogates.
    printable = name.replace("\\", "/").encode("utf-8", "backslashreplace").decode("utf-8")
    parts = printable.split("/")
    return "/".join(part for number, part in enumerate(parts) if part != "." and (part or number == 0))


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read as an archive: {str(error) or type(error).__name__}",
        hint="it may be damaged or cut short: copy or download it again",
    )

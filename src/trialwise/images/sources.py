"""Where images come from: a name, a folder or an archive -> a stream of files, and what their paths mean.

Every source is a stream of entries in a fixed order; `layout.arrange` alone reads splits and classes from their paths.
"""

import difflib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trialwise.base.errors import UserError
from trialwise.base.files import file_sha256
from trialwise.images import archives, cifar10
from trialwise.images.decoding import Content
from trialwise.images.layout import is_image_name, is_junk

NAMES = ("cifar10", "digits")

Kind = Literal["digits", "cifar10", "folder", "archive"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of a source.

    Attributes:
        file: Its path relative to the source, with "/" between the parts.
        content: The image file's bytes, its path on disk, or pixels (uint8, (H, W) or (H, W, 3)); None where the
            file is not an image by its name, or was refused.
        reason: Why it was refused; empty where it was not.
    """

    file: str
    content: Content | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A set of images that can be gone through, as often as needed, without holding it in memory.

    Attributes:
        name: What people call it: "cifar10", or the folder's or the archive's name.
        kind: "digits", "cifar10", "folder" or "archive".
        location: What messages call it: the name or the path as given.
        fingerprint: Changes when the images change: a checksum (digits, cifar10, archive), or for a folder a hash
            over its own path and every file's relative path, size and time of change.
        entries: The files, one after the other, always in the same order.
        names: The files' paths without reading them; None where only going through `entries` would tell (tar).
    """

    name: str
    kind: Kind
    location: str
    fingerprint: str
    entries: Callable[[], Iterator[Entry]]
    names: Callable[[], list[str] | None]


def find_source(data: str, *, data_dir: Path | None = None) -> Source:
    """The source that `data` names; nothing is downloaded or decoded yet.

    Args:
        data: "digits" or "cifar10" (write "./digits" for a folder of that name); a folder of class folders, with or
            without train/ and test/ above them; or an archive of one.
        data_dir: Where a copy of CIFAR-10 lies, for "cifar10" alone.

    Raises:
        UserError: There is no such name, folder or archive.
    """
    if data_dir is not None and data != "cifar10":
        raise UserError(
            f"--data-dir is where a copy of CIFAR-10 lies, and the data is {data!r}",
            hint="leave --data-dir out: the data names its own folder",
        )
    if data == "digits":
        return _digits()
    if data == "cifar10":
        return _cifar10(data_dir)
    path = Path(data).expanduser()
    if data and path.is_dir():
        return _folder(path)
    if data and path.is_file():
        return _archive(path)
    if data and not path.exists() and len(path.parts) == 1 and not path.suffix:
        near = difflib.get_close_matches(data.lower(), NAMES, n=1)
        known = f"expected {' or '.join(NAMES)}, a folder of class folders, or an archive of one"
        raise UserError(f"unknown data set {data!r}", hint=f"did you mean {near[0]!r}?" if near else known)
    raise UserError(
        f"no such folder or archive: {data!r}",
        hint=f"expected {' or '.join(NAMES)}, a folder of class folders, or an archive ({_SUFFIXES})",
    )


_NO_FILE = -1  # the size given for what is there and is no file

_SUFFIXES = " ".join(archives.ARCHIVE_SUFFIXES)


def _digits() -> Source:
    def entries() -> Iterator[Entry]:
        from sklearn.datasets import load_digits  # imported here because it takes half a second

        pixels_NP, labels_N = load_digits(return_X_y=True)
        images_NHW = np.rint(pixels_NP.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        for row, (image_HW, label) in enumerate(zip(images_NHW, labels_N, strict=True)):
            yield Entry(file=f"{label}/{row:04}.png", content=image_HW)

    return Source(
        name="digits",
        kind="digits",
        location="digits",
        fingerprint="digits:scikit-learn, 1797 images",
        entries=entries,
        names=lambda: None,
    )


def _cifar10(data_dir: Path | None) -> Source:
    copy = cifar10.find_copy(data_dir)

    def entries() -> Iterator[Entry]:
        for batch in cifar10.read_batches(copy):
            split = "test" if batch.name == "test_batch" else "train"
            number = "" if split == "test" else batch.name[-1]
            for row, (image_HWC, label) in enumerate(zip(batch.images_NHWC, batch.labels_N, strict=True)):
                file = f"{split}/{cifar10.CLASSES[label]}/{number}{row:04}.png"
                yield Entry(file=file, content=image_HWC)

    return Source(
        name="cifar10",
        kind="cifar10",
        location="cifar10" if copy is None else str(copy),
        fingerprint=cifar10.fingerprint(copy),
        entries=entries,
        names=lambda: None,
    )


def _folder(path: Path) -> Source:
    found = sorted(_walk(path, "", ()))
    digest = hashlib.sha256(os.fsencode(path.resolve()))
    for file, _, n_bytes, changed_ns in found:
        digest.update(f"{file}\0{n_bytes}\0{changed_ns}\n".encode())

    def entries() -> Iterator[Entry]:
        for file, real, n_bytes, _ in found:
            if n_bytes == _NO_FILE:  # opening it could wait for ever
                yield Entry(file=file, content=None, reason="a device or a pipe, not a file")
            else:
                yield Entry(file=file, content=Path(real) if is_image_name(file) else None)

    return Source(
        name=path.resolve().name or str(path.resolve()),
        kind="folder",
        location=str(path),
        fingerprint=f"folder:{digest.hexdigest()}",
        entries=entries,
        names=lambda: [file for file, *_ in found],
    )


def _walk(folder: Path | str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, str, int, int]]:
    """Each file's relative and real path, size in bytes and time of change in nanoseconds; links are followed.

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
                    yield name, entry.path, 0, 0  # a link that leads nowhere: decoding will say so
                    continue
                if stat.S_ISDIR(found.st_mode):
                    yield from _walk(entry.path, f"{name}/", (*above, here))
                elif stat.S_ISREG(found.st_mode):
                    yield name, entry.path, found.st_size, found.st_mtime_ns
                else:
                    yield name, entry.path, _NO_FILE, 0
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None


def _archive(path: Path) -> Source:
    if not archives.is_archive_name(path.name):
        raise UserError(
            f"{path} is a file, and neither a folder nor an archive ({_SUFFIXES})",
            hint="give the folder that holds one folder for each class",
        )

    def is_wanted(name: str) -> bool:
        return is_image_name(name) and not is_junk(name)

    def entries() -> Iterator[Entry]:
        for member in archives.read_members(path, wanted=is_wanted):
            if not is_junk(member.name):
                yield Entry(file=member.name, content=member.content, reason=member.reason)

    def names() -> list[str] | None:
        listed = archives.list_names(path)
        return None if listed is None else [name for name in listed if not is_junk(name)]

    try:
        checksum = file_sha256(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    suffix = next(suffix for suffix in archives.ARCHIVE_SUFFIXES if path.name.lower().endswith(suffix))
    return Source(
        name=path.name[: -len(suffix)] or path.name,
        kind="archive",
        location=str(path),
        fingerprint=f"archive:{checksum}",
        entries=entries,
        names=names,
    )

"""CIFAR-10 by name: downloaded once, or read from a copy that is already there. Nothing is ever unpickled."""

import hashlib
import logging
import pickletools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.base.files import cache_folder, file_sha256
from trialwise.images.archives import read_members

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

BINARY_ARCHIVE = "cifar-10-binary.tar.gz"
BINARY_FOLDER = "cifar-10-batches-bin"
PYTHON_ARCHIVE = "cifar-10-python.tar.gz"
PYTHON_FOLDER = "cifar-10-batches-py"

_PIXELS = 3 * 32 * 32
_TIMEOUT_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is published: where, how large, and the checksums by which a copy is known to be the true one.

    Attributes:
        url: Where the binary version lies.
        sha256: Of the binary archive.
        batch_rows: Images in each of the six batches.
        pickle_md5s: Batch name -> MD5 of its file in the Python version, as torchvision checks it.
    """

    url: str
    sha256: str
    batch_rows: int
    pickle_md5s: dict[str, str]


RELEASE = Release(
    url=f"https://www.cs.toronto.edu/~kriz/{BINARY_ARCHIVE}",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    batch_rows=10_000,
    pickle_md5s={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One sixth of CIFAR-10.

    Attributes:
        name: "data_batch_1" to "data_batch_5", or "test_batch".
        images_NHWC: uint8 in 0..255, shape (rows, 32, 32, 3), RGB.
        labels_N: int64 in 0..9, positions in `CLASSES`.
    """

    name: str
    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]


def find_copy(data_dir: Path | None) -> Path | None:
    """The copy of CIFAR-10 in `data_dir`: one of four archives or folders; None without a `data_dir`.

    Raises:
        UserError: `data_dir` holds none of the four.
    """
    if data_dir is None:
        return None
    for name in (BINARY_ARCHIVE, BINARY_FOLDER, PYTHON_FOLDER, PYTHON_ARCHIVE):
        if (data_dir / name).exists():
            return data_dir / name
    raise UserError(
        f"--data-dir {data_dir} holds no copy of CIFAR-10: expected {BINARY_ARCHIVE}, {BINARY_FOLDER}/, "
        f"{PYTHON_FOLDER}/ or {PYTHON_ARCHIVE}",
        hint=f"download {RELEASE.url} into it, or leave --data-dir out to have it downloaded",
    )


def fingerprint(copy: Path | None) -> str:
    """What is the same for the same images: the published checksum, as every copy but one is checked against it.

    The unpacked binary folder has no published checksums: it is known by its files' own.
    """
    if copy is not None and copy.name == BINARY_FOLDER:
        digests = [_sha256(path) for path in sorted(copy.glob("*.bin"))]
        return "cifar10-folder:" + hashlib.sha256("".join(digests).encode()).hexdigest()
    return f"cifar10:{RELEASE.sha256}"


def read_batches(copy: Path | None) -> Iterator[Batch]:
    """The six batches, in no fixed order, from `copy` or else from the download in the cache folder.

    Raises:
        UserError: There is no network, or the copy is not the published CIFAR-10.
    """
    path = copy or download()
    if copy is not None and path.name == BINARY_ARCHIVE and _sha256(path) != RELEASE.sha256:
        raise _not_published(path)
    seen = set()
    for name, content in _batch_files(path):
        if name in seen:
            raise _not_published(path)
        seen.add(name)
        is_pickle = path.name in (PYTHON_FOLDER, PYTHON_ARCHIVE)
        yield _from_pickle(name, content, path) if is_pickle else _from_records(name, content, path)
    if missing := sorted(set(RELEASE.pickle_md5s) - seen):
        raise UserError(f"{path}: expected {', '.join(missing)} in it", hint="copy or download it again")


def _batch_files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each batch's name and bytes, from a folder or from an archive."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.name.removesuffix(".bin") in RELEASE.pickle_md5s:
                yield file.name.removesuffix(".bin"), _content(file)
        return

    def is_batch(name: str) -> bool:
        return Path(name).name.removesuffix(".bin") in RELEASE.pickle_md5s

    for member in read_members(path, wanted=is_batch):
        if member.content is not None:
            yield Path(member.name).name.removesuffix(".bin"), member.content


def _from_records(name: str, content: bytes, path: Path) -> Batch:
    """A batch of the binary version: for each image one byte of label, then 3,072 of pixels, channel by channel."""
    if len(content) != RELEASE.batch_rows * (1 + _PIXELS):
        raise _not_published(path / name)
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
    return _batch(name, records[:, 1:], records[:, 0].astype(np.int64), path)


def _from_pickle(name: str, content: bytes, path: Path) -> Batch:
    """A batch of the Python version, without unpickling: a pickle runs whatever program it holds.

    `pickletools.genops` only names the opcodes. What is wanted stands among them as it is: one string of all pixels,
    and the integers between the key "labels" and the next string.
    """
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != RELEASE.pickle_md5s[name]:
        raise _not_published(path / name)
    pixels, labels = b"", []
    in_labels = False
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if isinstance(argument, str | bytes):
                text = argument.encode("latin-1") if isinstance(argument, str) else argument
                pixels = text if len(text) == RELEASE.batch_rows * _PIXELS else pixels
                in_labels = text == b"labels"
            elif in_labels and isinstance(argument, int) and "INT" in opcode.name:
                labels.append(argument)
    except ValueError:
        raise _not_published(path / name) from None
    if not pixels or len(labels) != RELEASE.batch_rows:
        raise _not_published(path / name)
    pixels_NP = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, _PIXELS)
    return _batch(name, pixels_NP, np.array(labels, dtype=np.int64), path)


def _batch(name: str, pixels_NP: NDArray[np.uint8], labels_N: NDArray[np.int64], path: Path) -> Batch:
    if labels_N.min() < 0 or labels_N.max() >= len(CLASSES):
        raise _not_published(path / name)
    images_NHWC = np.ascontiguousarray(pixels_NP.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Batch(name=name, images_NHWC=images_NHWC, labels_N=labels_N)


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _not_published(path: Path) -> UserError:
    return UserError(
        f"{path} is not what was published as CIFAR-10: its size or checksum differs",
        hint=f"copy it again, or download {RELEASE.url}",
    )


def download() -> Path:
    """The binary archive in the cache folder, checked; downloaded first where it is not there yet.

    The archive gets its name only when whole and right, so that a broken download leaves nothing behind.

    Raises:
        UserError: It cannot be downloaded or written; the message says where to put a copy instead.
    """
    import pooch  # imported here because it takes a tenth of a second and most commands need no download

    folder = cache_folder() / "downloads"
    show_progress = sys.stderr is not None and sys.stderr.isatty()
    downloader: Any = pooch.HTTPDownloader(progressbar=show_progress, chunk_size=2**16, timeout=_TIMEOUT_SECONDS)
    pooch.get_logger().setLevel(logging.ERROR)
    try:
        found = pooch.retrieve(
            RELEASE.url,
            known_hash=f"sha256:{RELEASE.sha256}",
            fname=BINARY_ARCHIVE,
            path=folder,
            downloader=downloader,
        )
    except (OSError, ValueError) as error:  # ValueError: the checksum; every network error is an OSError
        why = "what came has the wrong checksum" if isinstance(error, ValueError) else _innermost(error)
        raise UserError(
            f"CIFAR-10 cannot be downloaded from {RELEASE.url} into {folder}: {why}",
            hint=f"download it elsewhere and put it at {folder / BINARY_ARCHIVE}, "
            f"or name the folder that holds {BINARY_ARCHIVE} or {PYTHON_FOLDER}/ with --data-dir",
        ) from None
    return Path(found)


def _innermost(error: BaseException) -> str:
    """The first cause, which is shorter and plainer than what requests makes of it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__

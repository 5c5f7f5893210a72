"""The decoded images on disk: made once from a source, opened in no time ever after.

Shapes: N rows, H height, W width, C channels (1 where all images are grey, else 3). The rows are sorted by class and
file name: whoever trains on them shuffles. The test rows are opened by `held_out` alone.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError, WorkError
from trialwise.base.files import cache_folder, read_json, write_json
from trialwise.base.settings import check_range
from trialwise.images.decoding import UNREADABLE
from trialwise.images.entries import Source
from trialwise.images.layout import Layout
from trialwise.images.splits import count_classes, name_some, note_imbalance, split_off_test, split_train_valid
from trialwise.images.spool import Progress, decode_all

__all__ = [
    "DataDescription",
    "Prepared",
    "Rows",
    "load_array",
    "load_names",
    "open_train",
    "prepare",
    "split_train_valid",
]

# Part of each folder's name: raise it when the same source would give other arrays than before.
_FORMAT = 3
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class DataDescription:
    """What was prepared, for people and for results to quote.

    Attributes:
        name: What people call the data.
        kind: A named set's name, "folder", "archive" or "parquet".
        classes: The class names; a label is a position in them.
        channels: 1 (grey) or 3 (RGB).
        height: Of every row, in pixels.
        width: Of every row, in pixels.
        n_train: Training rows, those for choosing included.
        n_test: Test rows.
        train_counts: Training rows of each class.
        test_counts: Test rows of each class.
        left_out: File and reason, for every file that could not be used.
        test_origin: "test folder", "split off" (by us, the same in every run) or "given" (by the data set's makers).
        fingerprint: The source's.
        content_sha256: Of classes, labels and pixels: the same wherever and from whatever copy the data was prepared.
        notes: What a reader of the results should know, one sentence each.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    channels: int
    height: int
    width: int
    n_train: int
    n_test: int
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    left_out: tuple[tuple[str, str], ...]
    test_origin: Literal["test folder", "split off", "given"]
    fingerprint: str
    content_sha256: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A folder of decoded images and what it holds."""

    folder: Path
    description: DataDescription


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Images and their classes.

    Attributes:
        images_NHWC: uint8 in 0..255; read-only and left on disk where they would take more than a quarter of memory.
        labels_N: int64, positions in `DataDescription.classes`.
        files: The file of each row, as `Entry.file` names it.
    """

    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    files: Sequence[str]


def prepare(source: Source, *, image_size: int | None = None, progress: Progress | None = None) -> Prepared:
    """The source's images decoded, resized, split and written to the cache folder, or found there.

    Without `image_size`, images that all have the same square size of up to 64 pixels keep it; others become 32 x 32
    where the median short side is under 48 pixels, else 64 x 64. Without a test folder, a fifth of each class is held
    out, the same rows in every run.

    Args:
        source: What `find_source` found.
        image_size: Pixels a side, 8 to 256.
        progress: Called with the files done and, where known, the files to do.

    Raises:
        UserError: The data cannot be used: no classes, too few images, nothing that decodes, no network.
        WorkError: The cache folder cannot be written.
    """
    if image_size is not None:
        check_range("image_size", image_size, low=8, high=256)
    key = hashlib.sha256(repr((_FORMAT, source.fingerprint, image_size)).encode()).hexdigest()[:32]
    folder = cache_folder() / "images" / key
    ready = _opened(folder, source)
    if ready is not None and not _can_read_more(ready, source):
        return ready
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder.parent)
        partial = Path(tempfile.mkdtemp(prefix=f".{key}.", suffix=".partial", dir=folder.parent))
        try:
            _build(source, partial, image_size, progress)
            _move(partial, folder, source, replace=ready is not None)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise WorkError(
            f"the decoded images cannot be kept in {folder.parent}: {error.strerror or error}",
            hint="free some space, or set TRIALWISE_CACHE_DIR to another folder",
        ) from error
    if (ready := _opened(folder, source)) is None:
        raise WorkError(f"{folder} vanished while it was being made", hint="run the command again")
    return ready


def open_train(prepared: Prepared) -> Rows:
    """The training rows, those for choosing included; never a test row."""
    return Rows(
        images_NHWC=load_array(prepared.folder / "train_images.npy"),
        labels_N=load_array(prepared.folder / "train_labels.npy"),
        files=load_names(prepared.folder / "train_files.json"),
    )


def picture_digests(images_NHWC: NDArray[np.uint8]) -> list[bytes]:
    """A hash of each row's pixels: rows of the same picture have the same one."""
    return [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in images_NHWC]


def load_array(path: Path) -> NDArray[Any]:
    """The array in `path`: in memory, or mapped read-only where it is larger than a quarter of the machine's."""
    is_large = path.stat().st_size > _memory_bytes() / 4
    return np.load(path, mmap_mode="r" if is_large else None, allow_pickle=False)


def load_names(path: Path) -> list[str]:
    """The files' names in `path`, one for each row."""
    return json.loads(path.read_text())


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 8 * 2**30


def _build(source: Source, folder: Path, image_size: int | None, progress: Progress | None) -> None:
    spool = decode_all(source, folder / "rows.spool", image_size=image_size, progress=progress)
    layout = spool.layout(source)
    files = sorted(spool.rows.keys() & layout.places.keys(), key=lambda file: (layout.places[file][1], file))
    failed = {file: spool.broken[file] for file in layout.places if file in spool.broken}
    if not files:
        file, reason = next(iter(sorted(failed.items())))
        raise UserError(
            f"{source.location}: none of the {len(failed):,} images can be decoded; the first is {file}: {reason}"
        )
    numbers = {name: number for number, name in enumerate(layout.classes)}
    labels_N = np.array([numbers[layout.places[file][1]] for file in files], dtype=np.int64)
    digests = [spool.digests[spool.rows[file]] for file in files]
    given_N = np.array([layout.places[file][0] == "test" for file in files])
    is_test_N = given_N if layout.has_test else split_off_test(labels_N, digests)
    counts = count_classes(labels_N, is_test_N, layout=layout, location=source.location)
    notes = source.notes + layout.notes + _notes(layout, digests, is_test_N, counts)
    n_channels = 1 if all(spool.is_grey[spool.rows[file]] for file in files) else 3
    content = hashlib.sha256(repr(layout.classes).encode())
    for split, chosen_N in [("train", ~is_test_N), ("test", is_test_N)]:
        np.save(folder / f"{split}_labels.npy", labels_N[chosen_N])
        content.update(labels_N[chosen_N].astype("<i8").tobytes())
        chosen = [files[number] for number in np.flatnonzero(chosen_N)]
        (folder / f"{split}_files.json").write_text(json.dumps(chosen))
        rows = [spool.rows[file] for file in chosen]
        spool.write_array(folder / f"{split}_images.npy", rows, n_channels, content.update)
    spool.path.unlink()
    description = DataDescription(
        name=source.name,
        kind=source.kind,
        classes=layout.classes,
        channels=n_channels,
        height=spool.size,
        width=spool.size,
        n_train=sum(counts[0]),
        n_test=sum(counts[1]),
        train_counts=counts[0],
        test_counts=counts[1],
        left_out=tuple(sorted({*layout.left_out, *failed.items(), *spool.refused.items()})),
        test_origin="split off" if not layout.has_test else "given" if source.gives_places else "test folder",
        fingerprint=source.fingerprint,
        content_sha256=content.hexdigest(),
        notes=notes,
    )
    write_json(folder / "description.json", dataclasses.asdict(description))


def _notes(
    layout: Layout, digests: list[bytes], is_test_N: NDArray[np.bool_], counts: tuple[tuple[int, ...], tuple[int, ...]]
) -> tuple[str, ...]:
    notes = []
    seen = {digest for digest, is_test in zip(digests, is_test_N, strict=True) if not is_test}
    copies = sum(bool(is_test) and digest in seen for digest, is_test in zip(digests, is_test_N, strict=True))
    if copies:
        notes.append(f"{copies:,} of the {int(is_test_N.sum()):,} test images are exact copies of training images")
    if empty := [name for name, count in zip(layout.classes, counts[1], strict=True) if count == 0]:
        notes.append(f"there are no test images of {name_some([repr(name) for name in empty])}")
    return (*notes, *note_imbalance(layout.classes, counts[0]))


def _opened(folder: Path, source: Source) -> Prepared | None:
    """The prepared folder; None where there is none, or where what is there is damaged."""
    try:
        record = read_json(folder / "description.json")
        record["left_out"] = [tuple(pair) for pair in record["left_out"]]
        lists = {name: tuple(value) for name, value in record.items() if isinstance(value, list)}
        # The name is how the data is called this time: the same archive may have been renamed since.
        description = DataDescription(**record | lists | {"name": source.name})
        for split, n_rows in [("train", description.n_train), ("test", description.n_test)]:
            shape = (n_rows, description.height, description.width, description.channels)
            for part, expected in [("images", shape), ("labels", shape[:1])]:
                if np.load(folder / f"{split}_{part}.npy", mmap_mode="r").shape != expected:
                    return None
            if len(load_names(folder / f"{split}_files.json")) != n_rows:
                return None
    except (UserError, OSError, ValueError, TypeError, KeyError):
        return None
    return Prepared(folder=folder, description=description)


def _can_read_more(ready: Prepared, source: Source) -> bool:
    """Whether a file that could not be read when the folder was made can be read now."""
    unread = {file for file, reason in ready.description.left_out if reason.startswith(UNREADABLE)}
    if not unread or source.kind != "folder":  # an archive would be read through, and has no files to open
        return False
    paths = [entry.content for entry in source.entries() if entry.file in unread]
    return any(isinstance(path, Path) and _opens(path) for path in paths)


def _opens(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _move(partial: Path, folder: Path, source: Source, *, replace: bool) -> None:
    try:
        partial.rename(folder)
    except OSError:
        # Either another process was faster, and its folder is as good as this one, or a damaged one lies there.
        if replace or _opened(folder, source) is None:
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)


def _remove_stale(folder: Path) -> None:
    """Remove what processes that were killed left behind; a day old, so that no living one loses its own."""
    for partial in folder.glob(".*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)

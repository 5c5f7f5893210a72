"""Every image of a source decoded once, in one file on disk, before it is known which row goes where.

A tar archive tells its classes only at its end, so rows are kept in the order in which they came.
"""

import hashlib
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trialwise.images.decoding import Content, decode, measure
from trialwise.images.entries import Source
from trialwise.images.layout import Layout, arrange, arrange_placed

Progress = Callable[[int, int | None], None]

_PROGRESS_EVERY = 64
_KEPT_SIZES = range(8, 65)


@dataclass(kw_only=True)
class Spool:
    """Decoded rows in a file, and what is known of each source file.

    Attributes:
        path: The file: one row of size x size x 3 bytes after the other.
        size: Pixels a side.
        rows: File -> number of its row.
        places: File -> split and class, for files of which the source says them itself.
        digests: A hash of each row's pixels.
        is_grey: Whether each row's file has no colour.
        broken: File -> why it could not be decoded.
        refused: File -> why it was not read.
        others: Files that are no images by their names.
    """

    path: Path
    size: int
    rows: dict[str, int] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    digests: list[bytes] = field(default_factory=list)
    is_grey: list[bool] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def layout(self, source: Source) -> Layout:
        """Where each file belongs; see `layout.arrange`.

        Raises:
            UserError: The files are no data set.
        """
        if source.gives_places:
            return arrange_placed(self.places, location=source.location)
        return arrange([*self.rows, *self.broken, *self.others], location=source.location)

    def write_array(self, path: Path, rows: list[int], n_channels: int, update: Callable[[bytes], None]) -> None:
        """Write the chosen rows as a .npy file of shape (len(rows), size, size, n_channels), one row at a time.

        Args:
            path: The file to write.
            rows: Which rows, in which order.
            n_channels: 1 keeps the first of three equal channels.
            update: Called with the bytes of each row, for a checksum over them.
        """
        n_bytes = self.size * self.size * 3
        shape = (len(rows), self.size, self.size, n_channels)
        with self.path.open("rb") as spooled, path.open("wb") as array:
            np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for row in rows:
                spooled.seek(row * n_bytes)
                pixels = spooled.read(n_bytes)[:: 3 if n_channels == 1 else 1]
                array.write(pixels)
                update(pixels)


class _MixedSizesError(Exception):
    """An image differs in size from the first, which decided how large all would be."""


def decode_all(source: Source, path: Path, *, image_size: int | None, progress: Progress | None = None) -> Spool:
    """All of the source's images as rows in the file `path`.

    Args:
        source: What to decode.
        path: The file to make.
        image_size: Pixels a side; None takes it from the images.
        progress: Called with the files done and, where known, the files to do.

    Raises:
        UserError: The source cannot be read, or its folders are not classes.
    """
    names = source.names()
    # Where the names can be had beforehand, a folder that is no data set is refused before the work and not after.
    wanted = None if names is None else arrange(names, location=source.location).places.keys()
    if image_size is not None:
        return _decoded(source, path, image_size, wanted, progress)
    # Most sets of small images have one size. Trusting the first image saves going through all of them twice.
    size = _first_size(source, wanted)
    if size is not None:
        try:
            return _decoded(source, path, size, wanted, progress, same_size=True)
        except _MixedSizesError:
            pass
    return _decoded(source, path, _common_size(source), wanted, progress)


def _decoded(
    source: Source,
    path: Path,
    size: int,
    wanted: Collection[str] | None,
    progress: Progress | None,
    *,
    same_size: bool = False,
) -> Spool:
    spool = Spool(path=path, size=size)
    total = None if wanted is None else len(wanted)
    done = 0
    with path.open("wb") as rows:
        for name, content in _images(source, wanted, spool):
            picture = decode(content, size=size)
            # A tar may hold a name twice; the later one is what unpacking it would leave.
            spool.rows.pop(name, None)
            spool.broken.pop(name, None)
            if isinstance(picture, str):
                spool.broken[name] = picture
            elif same_size and picture.original_size != (size, size):
                raise _MixedSizesError
            else:
                pixels = picture.pixels_HWC.tobytes()
                rows.write(pixels)
                spool.rows[name] = len(spool.digests)
                spool.digests.append(hashlib.blake2b(pixels, digest_size=16).digest())
                spool.is_grey.append(picture.is_grey)
            done += 1
            if progress is not None and done % _PROGRESS_EVERY == 0:
                progress(done, total)
    if progress is not None:
        progress(done, done)
    return spool


def _images(source: Source, wanted: Collection[str] | None, spool: Spool) -> Iterator[tuple[str, Content]]:
    """The files that are to be decoded; the others are noted down in `spool`."""
    for entry in source.entries():
        if entry.place is not None:
            spool.places[entry.file] = entry.place
        if entry.reason:
            (spool.refused if entry.place is None else spool.broken)[entry.file] = entry.reason
        elif entry.content is None:
            spool.others.append(entry.file)
        elif wanted is None or entry.file in wanted:
            yield entry.file, entry.content
        else:
            spool.others.append(entry.file)


def _first_size(source: Source, wanted: Collection[str] | None) -> int | None:
    """The side of the first image that can be measured, where it is a small square; else None."""
    for entry in source.entries():
        if entry.content is None or not (wanted is None or entry.file in wanted):
            continue
        if (size := measure(entry.content)) is not None:
            return size[0] if size[0] == size[1] and size[0] in _KEPT_SIZES else None
    return None


def _common_size(source: Source) -> int:
    """One side for all images, from every header: their own if they agree on a small square, else 32 or 64."""
    sizes, others = {}, []
    for entry in source.entries():
        size = None if entry.content is None else measure(entry.content)
        if size is None:
            others.append(entry.file)
        else:
            sizes[entry.file] = size
    placed = sizes if source.gives_places else arrange([*sizes, *others], location=source.location).places
    found = [size for file, size in sizes.items() if file in placed]
    return fitting_side(found)


def fitting_side(sizes: Sequence[tuple[int, int]]) -> int:
    """One side for images of these widths and heights: their own if all are one small square, else 32 or 64."""
    if len(set(sizes)) == 1 and sizes[0][0] == sizes[0][1] and sizes[0][0] in _KEPT_SIZES:
        return sizes[0][0]
    return 32 if sizes and statistics.median(map(min, sizes)) < 48 else 64

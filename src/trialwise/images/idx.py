"""Arrays of bytes in IDX files, the format of MNIST: read strictly, or refused with the reason."""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError

_UNSIGNED_BYTE = 8
_SIZE_BYTES = 4


def read_idx(path: Path, *, shape: tuple[int | None, ...]) -> NDArray[np.uint8]:
    """The array in an IDX file, packed by gzip where its name ends in .gz.

    The format (yann.lecun.com/exdb/mnist): two zero bytes, the type of the values, the number of dimensions, the size
    of each as four bytes with the highest first, then the values with the last dimension changing fastest. Nothing
    beyond the declared size is read, and no more than `shape` allows is held in memory.

    Args:
        path: The file.
        shape: The wanted size of each dimension; None for whatever the file has in it.

    Raises:
        UserError: The file cannot be read, has another type or shape, or is shorter or longer than it says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _read(cast(BinaryIO, stream), path, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} is a damaged gzip file: {error}", hint=_AGAIN) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


_AGAIN = "it may be cut short or something else: copy or download it again"


def _read(stream: BinaryIO, path: Path, shape: tuple[int | None, ...]) -> NDArray[np.uint8]:
    magic, wanted = stream.read(4), bytes((0, 0, _UNSIGNED_BYTE, len(shape)))
    if magic != wanted:
        raise UserError(
            f"{path} is no IDX file of bytes in {len(shape)} dimensions: expected it to begin with {wanted.hex(' ')}, "
            f"got {magic.hex(' ') or 'an empty file'}",
            hint=_AGAIN,
        )
    header = stream.read(_SIZE_BYTES * len(shape))
    if len(header) < _SIZE_BYTES * len(shape):
        raise UserError(f"{path} ends within its header", hint=_AGAIN)
    found = tuple(int(size) for size in np.frombuffer(header, dtype=">u4"))
    if any(want not in (None, size) for want, size in zip(shape, found, strict=True)):
        raise UserError(f"{path} says that it holds {_by(found)} bytes: expected {_by(shape)}", hint=_AGAIN)
    n_bytes = math.prod(found)
    content = stream.read(n_bytes)
    if len(content) < n_bytes:
        raise UserError(f"{path} is cut short: expected {n_bytes:,} bytes of values, got {len(content):,}", hint=_AGAIN)
    if stream.read(1):
        raise UserError(f"{path} goes on after its {n_bytes:,} bytes of values", hint=_AGAIN)
    return np.frombuffer(content, dtype=np.uint8).reshape(found)


def _by(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any number of" if size is None else f"{size:,}" for size in shape)

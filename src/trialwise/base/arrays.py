"""Named arrays in one file, written whole or not at all; no pickle."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.base.files import replacing


def save_arrays(file: Path, arrays: dict[str, NDArray]) -> None:
    """Write named arrays to `file`, whole or not at all."""
    with replacing(file) as partial, partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[bad-argument-type]


def load_arrays(file: Path, wanted: tuple[str, ...] = ()) -> dict[str, NDArray]:
    """The arrays of `file`; none where there is no file.

    Raises:
        UserError: The file is damaged, or one of `wanted` is not in it.
    """
    if not file.exists():
        return {}
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} is damaged: {error}", hint="make it again: image evaluate, or train again") from None
    if missing := set(wanted) - arrays.keys():
        raise UserError(f"{file} is damaged: it has no {', '.join(sorted(missing))}")
    return arrays

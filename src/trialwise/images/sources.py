"""Where images come from: a name, a folder, Parquet files or an archive -> a stream of files.

Every source is a stream of entries in a fixed order. `layout.arrange` reads splits and classes from their paths,
where the source does not say them itself.
"""

import difflib
from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.images.archives import ARCHIVE_SUFFIXES, is_archive_name
from trialwise.images.entries import Entry, Source
from trialwise.images.folders import archive_source, folder_source, list_files
from trialwise.images.layout import is_image_name
from trialwise.images.named import NAMES, named_source
from trialwise.images.parquet import is_parquet_name, parquet_source

__all__ = ["NAMES", "Entry", "Source", "find_source"]

_SUFFIXES = " ".join(ARCHIVE_SUFFIXES)
_NAMES = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
_EXPECTED = f"expected {_NAMES}, a folder of class folders or of Parquet files, or an archive ({_SUFFIXES})"


def find_source(data: str, *, data_dir: Path | None = None) -> Source:
    """The source that `data` names; nothing is downloaded or decoded yet.

    Args:
        data: One of `NAMES` (write "./mnist" for a folder of that name); a folder of class folders, with or without
            train/ and test/ above them; a Parquet file of images or a folder of such; or an archive of class folders.
        data_dir: Where a copy of a named data set lies.

    Raises:
        UserError: There is no such name, folder, file or archive.
    """
    if data_dir is not None and (data not in NAMES or data == "digits"):
        raise UserError(
            f"--data-dir is where a copy of a named data set lies, and the data is {data!r}",
            hint="leave --data-dir out: "
            + ("digits are part of scikit-learn" if data == "digits" else "the data names its own folder"),
        )
    if data in NAMES:
        return named_source(data, data_dir)
    path = Path(data).expanduser()
    if data and path.is_dir():
        found = list_files(path)
        tables = [file for file in found if is_parquet_name(file.name)]
        if tables and not any(is_image_name(file.name) for file in found):
            return parquet_source(path, tables)
        return folder_source(path, found)
    if data and path.is_file():
        return _file(path)
    if data and not path.exists() and len(path.parts) == 1 and not path.suffix:
        near = difflib.get_close_matches(data.lower().replace("-", "_"), NAMES, n=1)
        raise UserError(f"unknown data set {data!r}", hint=f"did you mean {near[0]!r}?" if near else _EXPECTED)
    raise UserError(f"no such folder or archive: {data!r}", hint=_EXPECTED)


def _file(path: Path) -> Source:
    if is_parquet_name(path.name):
        return parquet_source(path, None)
    if is_archive_name(path.name):
        return archive_source(path)
    raise UserError(
        f"{path} is a file, and neither a folder, a Parquet file nor an archive ({_SUFFIXES})",
        hint="give the folder that holds one folder for each class",
    )

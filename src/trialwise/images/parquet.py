"""Images in Parquet files, as Hugging Face keeps them: by path, one file or a folder of shards."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.images.entries import Entry, Source
from trialwise.images.folders import FoundFile, files_fingerprint
from trialwise.images.parquet_columns import Columns, find_columns
from trialwise.images.parquet_shards import Shard, assign_roles, read_names

_ROWS_AT_ONCE = 64
_BUFFER_BYTES = 2**20
_LFS_POINTER = b"version https://git-lfs"


def is_parquet_name(name: str) -> bool:
    """Whether a file name ends as a Parquet file's does, in any case."""
    return name.lower().endswith(".parquet")


def parquet_source(path: Path, found: Sequence[FoundFile] | None) -> Source:
    """The images in one Parquet file, or in those of a folder.

    The file names say which rows are for the test (`test-00000-of-00001.parquet`); of one file alone we split it off.

    Args:
        path: The file or the folder.
        found: The Parquet files in the folder; None where `path` is a file.

    Raises:
        UserError: pyarrow is not installed, a file cannot be read or is missing, or there is no column of images or
            of labels.
    """
    if found is None:
        status = path.stat()
        found = [FoundFile(path.name, str(path), status.st_size, status.st_mtime_ns)]
        splits: dict[FoundFile, str | None] = dict.fromkeys(found, "train")
    else:
        splits = read_names(found, location=str(path))
    footers = {file: _footer(Path(file.path)) for file, split in splits.items() if split is not None}
    columns = _same_columns({Path(file.path): schema for file, (schema, _) in footers.items()})
    hidden = {file for file, (_, metadata) in footers.items() if _is_hidden(metadata, columns)}
    shards, notes = assign_roles(splits, hidden, location=str(path))

    def entries() -> Iterator[Entry]:
        for shard in shards:
            yield from _entries(shard, columns)

    return Source(
        name=path.resolve().name.removesuffix(".parquet") or str(path.resolve()),
        kind="parquet",
        location=str(path),
        fingerprint=files_fingerprint("parquet", path, found),
        entries=entries,
        gives_places=True,
        notes=(*notes, *columns.notes),
    )


def _same_columns(schemas: Mapping[Path, Any]) -> Columns:
    """The columns of images and labels, which must be the same in all files."""
    columns = {path: find_columns(schema, path) for path, schema in schemas.items()}
    first_path, first = next(iter(columns.items()))
    for path, other in columns.items():
        if other != first:
            raise UserError(
                f"{path} and {first_path} are not of the same data set: their columns or class names differ",
                hint="give one of them, or a folder that holds the files of one data set",
            )
    return first


def _is_hidden(metadata: Any, columns: Columns) -> bool:
    """Whether no row has a label, by the file's own statistics: on Hugging Face -1 stands for a secret one."""
    numbers = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == columns.label]
    if columns.label_is_text or not numbers:
        return False
    groups = [metadata.row_group(i).column(numbers[0]).statistics for i in range(metadata.num_row_groups)]
    return bool(groups) and all(group is not None and group.has_min_max and group.max < 0 for group in groups)


def _entries(shard: Shard, columns: Columns) -> Iterator[Entry]:
    row = 0
    for images, labels in _batches(shard.path, columns):
        for image, label in zip(images, labels, strict=True):
            file = f"{shard.file.name}, row {row:07}"
            row += 1
            name = columns.class_name(label)
            content = image.get("bytes") if isinstance(image, dict) else image
            if name is None:
                reason = "it has no label" if label in (None, "", -1) else f"its label {label!r} has no name"
                yield Entry(file=file, content=None, reason=reason)
            elif content is None:
                reason = "the image itself is not in the Parquet file"
                yield Entry(file=file, content=None, place=(shard.role, name), reason=reason)
            else:
                yield Entry(file=file, content=content, place=(shard.role, name))


def _batches(path: Path, columns: Columns) -> Iterator[tuple[list[Any], list[Any]]]:
    """Images and labels of a few rows at a time: one row group is in memory, about twice, and never the whole file."""
    parquet, errors = _pyarrow(path)
    try:
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            wanted = [columns.image, columns.label]
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted, use_threads=False):
                yield batch.column(columns.image).to_pylist(), batch.column(columns.label).to_pylist()
    except errors as error:
        raise _damaged(path, error) from None


def _footer(path: Path) -> tuple[Any, Any]:
    """The schema as Arrow has it, and the file's metadata."""
    parquet, errors = _pyarrow(path)
    try:
        with path.open("rb") as stream:
            is_pointer = stream.read(len(_LFS_POINTER)) == _LFS_POINTER
        if is_pointer:
            raise UserError(
                f"{path} is a Git LFS pointer and not the Parquet file that it stands for",
                hint="run git lfs pull where it was cloned",
            )
        with parquet.ParquetFile(path) as file:
            return file.schema_arrow, file.metadata
    except errors as error:
        raise _damaged(path, error) from None


def _pyarrow(path: Path) -> tuple[Any, tuple[type[Exception], ...]]:
    """The reader of pyarrow, and what it raises on a damaged file; imported here because it is an extra."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{path} is a Parquet file, and pyarrow, which reads such files, is not installed",
            hint="pip install 'trialwise[parquet]'",
        ) from None
    return pyarrow.parquet, (pyarrow.ArrowException, OSError, UnicodeDecodeError)


def _damaged(path: Path, error: Exception) -> UserError:
    first_line = next(iter(str(error).splitlines()), type(error).__name__)
    return UserError(
        f"{path} cannot be read as a Parquet file: {first_line}",
        hint="it may be damaged or cut short: copy or download it again",
    )

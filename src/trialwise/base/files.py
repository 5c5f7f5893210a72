"""Files written whole or not at all, and the folders trialwise may write to."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from trialwise.base.errors import UserError


def cache_folder() -> Path:
    """Where decoded data and downloads are kept: `$TRIALWISE_CACHE_DIR` or the user's cache folder."""
    return Path(os.environ.get("TRIALWISE_CACHE_DIR") or platformdirs.user_cache_dir("trialwise"))


def runs_folder() -> Path:
    """Where run folders are made by default: `$TRIALWISE_RUNS_DIR` or `./runs`."""
    return Path(os.environ.get("TRIALWISE_RUNS_DIR") or "runs")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    A crash, an exception or a full disk leaves the old file (or no file) behind, never half of a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document, whole or not at all."""
    write_text(path, to_json(document) + "\n")


def to_json(document: Any) -> str:
    """The document as strict JSON text: infinities and NaN become null, NumPy scalars plain numbers."""
    return json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):  # file names may hold bytes that are no text
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def read_json(path: Path) -> Any:
    """The JSON document in `path`.

    Raises:
        UserError: The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not JSON: {error}", hint="it was damaged, or written by something else") from None


def append_json_line(path: Path, record: dict[str, Any]) -> None:
    """Add one record to a JSON-lines file; a reader skips a last line torn by a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n")


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON-lines file, without a last line torn by a crash; [] where there is no file."""
    if not path.exists():
        return []
    records = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            if number < len(lines):
                raise UserError(f"{path}, line {number}: not JSON") from None
    return records


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

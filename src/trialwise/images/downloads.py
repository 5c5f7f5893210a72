"""Files fetched once into the cache folder and checked; a broken download leaves nothing behind."""

import hashlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import cache_folder, file_sha256

_TIMEOUT_SECONDS = 15  # without a single byte


def download(urls: Sequence[str], *, checksum: str, title: str, name: str, instead: str) -> Path:
    """The file in the cache folder, checked; downloaded first where it is not there yet.

    The file gets its name only when whole and right.

    Args:
        urls: Where it lies: each is tried after the one before has failed.
        checksum: "sha256:..." or "md5:...".
        title: What messages call the data.
        name: What the file is called in the downloads folder, "/" included where several belong together.
        instead: What else the user can do, as the end of a hint.

    Raises:
        UserError: It cannot be downloaded or written; the message says where to put a copy instead.
    """
    import pooch  # imported here because it takes a tenth of a second and most commands need no download

    target = cache_folder() / "downloads" / name
    show_progress = sys.stderr is not None and sys.stderr.isatty()
    pooch.get_logger().setLevel(logging.ERROR)
    failures = []
    for url in urls:
        downloader: Any = pooch.HTTPDownloader(progressbar=show_progress, chunk_size=2**16, timeout=_TIMEOUT_SECONDS)
        try:
            return Path(
                pooch.retrieve(url, known_hash=checksum, fname=target.name, path=target.parent, downloader=downloader)
            )
        except (OSError, ValueError) as error:  # ValueError: the checksum; every network error is an OSError
            why = "what came has the wrong checksum" if isinstance(error, ValueError) else _innermost(error)
            failures.append(f"{url}: {why}")
    raise UserError(
        f"{title} cannot be downloaded into {target.parent} from {'; nor from '.join(failures)}",
        hint=f"download it elsewhere and put it at {target}, or {instead}",
    )


def checked_sha256(path: Path) -> str:
    """The SHA-256 of a file of the user's.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def checked_md5(path: Path) -> str:
    """The MD5 of a file of the user's: good against accidents, which is what the older data sets published it for.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _innermost(error: BaseException) -> str:
    """The first cause, which is shorter and plainer than what requests makes of it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__

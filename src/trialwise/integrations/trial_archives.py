"""What trials left in their folders after each epoch, in a place that every machine of a cluster sees."""

import contextlib
import shutil
import tarfile
import tempfile
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from trialwise.base.errors import UserError
from trialwise.base.passwords import without_passwords

KEPT = 3  # a worker is at most one epoch ahead of its driver, and that one of the record


class TrialArchives:
    """The folders of a study's trials, one archive for each of their last epochs.

    An archive is written under another name and then renamed, so that a reader finds a whole one or none; it is never
    changed. A worker that was given up for lost and writes still can therefore harm nothing. A trial is named by its
    folder's path below the run folder, e.g. "trials/0003".
    """

    def __init__(self, place: str, study: str) -> None:
        """Look for the archives of a study.

        Args:
            place: A folder that all machines see, or a URL that fsspec knows, e.g. s3://bucket/folder.
            study: A name that no other study in this place has.
        """
        self.place = f"{place.rstrip('/')}/{study}"

    def check(self) -> None:
        """See that this place can be written to.

        Raises:
            UserError: It cannot.
        """
        try:
            files, root = self._opened()
            files.makedirs(root, exist_ok=True)
            probe = f"{root}/.probe-{uuid.uuid4().hex[:8]}"
            files.pipe_file(probe, b"trialwise")
            files.rm_file(probe)
        except (Exception, SystemExit) as error:  # whatever a protocol makes of a wrong address or a missing package
            raise UserError(
                f"--checkpoints {without_passwords(self.place)}: cannot be written to: {error}",
                hint="a folder that all nodes see, or a URL for fsspec, e.g. s3://bucket/folder (pip install s3fs)",
            ) from None

    def save(self, folder: Path, name: str, epoch: int) -> None:
        """Keep the trial's folder as it is after this epoch, and drop all but its last few archives."""
        files, root = self._opened()
        home = _home(root, name)
        files.makedirs(home, exist_ok=True)
        with tempfile.NamedTemporaryFile(suffix=".tar") as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                for path in sorted(folder.iterdir()):
                    archive.add(path, arcname=path.name)
            packed.flush()
            part = f"{home}/.part-{uuid.uuid4().hex}"
            files.put_file(packed.name, part)
        files.mv(part, f"{home}/{epoch:06d}.tar")
        for old in [known for known in self._epochs(files, home) if known <= epoch - KEPT]:
            with contextlib.suppress(FileNotFoundError):
                files.rm_file(f"{home}/{old:06d}.tar")

    def bring(self, folder: Path, name: str, until_epoch: int) -> int:
        """Make the trial's folder what it was after `until_epoch`, or the last epoch before that was kept.

        Returns:
            That epoch; 0, and an empty folder, where nothing was kept.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files, root = self._opened()
        home = _home(root, name)
        epoch = max((known for known in self._epochs(files, home) if known <= until_epoch), default=0)
        if epoch:
            with (
                files.open(f"{home}/{epoch:06d}.tar", "rb") as packed,
                tarfile.open(fileobj=packed, mode="r|") as archive,
            ):
                archive.extractall(folder, filter="data")
        return epoch

    def forget(self, name: str) -> None:
        """Drop everything of one trial."""
        files, root = self._opened()
        with contextlib.suppress(FileNotFoundError):
            files.rm(_home(root, name), recursive=True)

    def names(self) -> set[str]:
        """The trials of which something is kept."""
        files, root = self._opened()
        return {name.replace(".", "/", 1) for name in _names(files, root) if not name.startswith(".")}

    def _opened(self) -> tuple[Any, str]:
        files, root = fsspec.url_to_fs(self.place, use_listings_cache=False)
        return files, root

    def _epochs(self, files: Any, home: str) -> list[int]:
        stems = [name.removesuffix(".tar") for name in _names(files, home) if name.endswith(".tar")]
        return sorted(int(stem) for stem in stems if stem.isdigit())


def _home(root: str, name: str) -> str:
    return f"{root}/{name.replace('/', '.', 1)}"


def _names(files: Any, folder: str) -> list[str]:
    try:
        return [PurePosixPath(path).name for path in files.ls(folder, detail=False)]
    except FileNotFoundError:
        return []

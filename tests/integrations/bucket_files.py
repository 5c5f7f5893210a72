"""A store of files that fsspec knows by URL, as a package on every node would bring it: `bucket://NAME/...`.

It is a folder here, and wants a key; both come from the environment (`FSSPEC_BUCKET_ROOT`, `FSSPEC_BUCKET_KEY`), as an
object store's address and secret do.
"""

import os
from pathlib import Path
from typing import Any

from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

KEY = "open sesame"


class BucketFileSystem(DirFileSystem):
    """Files below the folder `root`, for those who have the key."""

    protocol = "bucket"

    def __init__(self, root: str = "", key: str = "", **how: Any) -> None:
        """Open it.

        Raises:
            PermissionError: Without the key.
        """
        if key != KEY:
            raise PermissionError("the bucket wants its key")
        super().__init__(root, LocalFileSystem(auto_mkdir=True), **how)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("bucket://").rstrip("/")


def surroundings(folder: Path) -> dict[str, str]:
    """What the environment of every process must say, with the package "installed" in `folder` and its files beside."""
    package = folder / "packages"
    described = package / "bucket_files-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: bucket-files\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[fsspec.specs]\nbucket = bucket_files:BucketFileSystem\n")
    (package / "bucket_files.py").write_text(Path(__file__).read_text())
    root = folder / "bucket"
    root.mkdir()
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, "FSSPEC_BUCKET_ROOT": str(root), "FSSPEC_BUCKET_KEY": KEY}

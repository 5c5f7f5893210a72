"""What every source of images gives: a stream of entries, always in the same order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from trialwise.images.decoding import Content

Kind = Literal["digits", "cifar10", "cifar100", "fashion_mnist", "mnist", "folder", "archive", "parquet"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image of a source, or a file beside the images.

    Attributes:
        file: Its path relative to the source, with "/" between the parts, or the file and the row that it stands in.
        content: The image file's bytes, its path on disk, or pixels (uint8, (H, W) or (H, W, 3)); None where the
            file is not an image by its name, or was refused.
        place: "train" or "test" and the class, where the source gives places and knows this one's; else None:
            `layout.arrange` reads them from the path.
        reason: Why it was refused; empty where it was not.
    """

    file: str
    content: Content | None
    place: tuple[str, str] | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A set of images that can be gone through, as often as needed, without holding it in memory.

    Attributes:
        name: What people call it: "cifar10", or the folder's or the archive's name.
        kind: A named set's name, "folder", "archive" or "parquet".
        location: What messages call it: the name or the path as given.
        fingerprint: Changes when the images change: a checksum (named sets, archives), or for folders and Parquet
            files a hash over their own path and every file's relative path, size and time of change.
        entries: The files, one after the other, always in the same order.
        names: The files' paths without reading them; None where only going through `entries` would tell (tar).
        gives_places: Whether its entries say their splits and classes themselves.
        notes: What a reader of the results should know of the source, one sentence each.
    """

    name: str
    kind: Kind
    location: str
    fingerprint: str
    entries: Callable[[], Iterator[Entry]]
    names: Callable[[], list[str] | None] = lambda: None
    gives_places: bool = False
    notes: tuple[str, ...] = ()

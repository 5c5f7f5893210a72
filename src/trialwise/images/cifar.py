"""CIFAR-10 and CIFAR-100 by name: downloaded once, or read from a copy that is already there. Nothing is unpickled."""

import hashlib
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.images.archives import read_members
from trialwise.images.downloads import checked_sha256, download

_PIXELS = 3 * 32 * 32

# The first leads to the second by a redirect, as long as it is kept. Both were slow in 2026 (below 0.1 MB/s, see
# pytorch/vision issue 9536): the guide tells of the Parquet copies on Hugging Face.
_MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

_CIFAR100_CLASSES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle "
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant "
    "flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man "
    "maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree "
    "plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
    "snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train "
    "trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is published: where, how large, and the checksums by which a copy is known to be the true one.

    Attributes:
        name: "cifar10" or "cifar100".
        title: What people call it.
        classes: The class of each label.
        binary_archive: The binary version: this is what is downloaded.
        binary_folder: What it unpacks to.
        python_archive: The Python version, which torchvision downloads.
        python_folder: What it unpacks to.
        urls: Where the binary version lies, first choice first.
        sha256: Of the binary archive.
        batch_rows: Batch name -> images in it.
        pickle_md5s: Batch name -> MD5 of its file in the Python version, as torchvision checks it.
        label_bytes: Bytes before each image in the binary version; the last is the label used here.
        label_key: What the list of labels is called in the Python version.
    """

    name: Literal["cifar10", "cifar100"]
    title: str
    classes: tuple[str, ...]
    binary_archive: str
    binary_folder: str
    python_archive: str
    python_folder: str
    urls: tuple[str, ...]
    sha256: str
    batch_rows: dict[str, int]
    pickle_md5s: dict[str, str]
    label_bytes: int
    label_key: str


# The checksums of the archives are those that MLDatasets.jl, gomlx and torchvision for Ruby check by, the MD5 sums of
# the pickles those of torchvision's CIFAR10 and CIFAR100.
CIFAR10 = Release(
    name="cifar10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    binary_archive="cifar-10-binary.tar.gz",
    binary_folder="cifar-10-batches-bin",
    python_archive="cifar-10-python.tar.gz",
    python_folder="cifar-10-batches-py",
    urls=tuple(f"{mirror}cifar-10-binary.tar.gz" for mirror in _MIRRORS),
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    batch_rows={**{f"data_batch_{number}": 10_000 for number in range(1, 6)}, "test_batch": 10_000},
    pickle_md5s={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    label_bytes=1,
    label_key="labels",
)
CIFAR100 = Release(
    name="cifar100",
    title="CIFAR-100",
    classes=tuple(_CIFAR100_CLASSES.split()),
    binary_archive="cifar-100-binary.tar.gz",
    binary_folder="cifar-100-binary",
    python_archive="cifar-100-python.tar.gz",
    python_folder="cifar-100-python",
    urls=tuple(f"{mirror}cifar-100-binary.tar.gz" for mirror in _MIRRORS),
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    batch_rows={"train": 50_000, "test": 10_000},
    pickle_md5s={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    label_bytes=2,  # one of the 20 coarse classes, then one of the 100 fine ones
    label_key="fine_labels",
)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One file of a CIFAR.

    Attributes:
        name: "data_batch_1" to "data_batch_5" or "test_batch"; "train" or "test".
        images_NHWC: uint8 in 0..255, shape (rows, 32, 32, 3), RGB; a view into the file's bytes, not contiguous.
        labels_N: int64, positions in `Release.classes`.
    """

    name: str
    images_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]


def find_copy(release: Release, data_dir: Path | None) -> Path | None:
    """The copy in `data_dir`: one of four archives or folders; None without a `data_dir`.

    Raises:
        UserError: `data_dir` holds none of the four.
    """
    if data_dir is None:
        return None
    for name in (release.binary_archive, release.binary_folder, release.python_folder, release.python_archive):
        if (data_dir / name).exists():
            return data_dir / name
    raise UserError(
        f"--data-dir {data_dir} holds no copy of {release.title}: expected {release.binary_archive}, "
        f"{release.binary_folder}/, {release.python_folder}/ or {release.python_archive}",
        hint=f"download {release.urls[0]} into it, or leave --data-dir out to have it downloaded",
    )


def fingerprint(release: Release, copy: Path | None) -> str:
    """What is the same for the same images: the published checksum, as every copy but one is checked against it.

    The unpacked binary folder has no published checksums: it is known by its files' own.
    """
    if copy is not None and copy.name == release.binary_folder:
        digests = [checked_sha256(path) for path in sorted(copy.glob("*.bin"))]
        return f"{release.name}-folder:" + hashlib.sha256("".join(digests).encode()).hexdigest()
    return f"{release.name}:{release.sha256}"


def read_batches(release: Release, copy: Path | None) -> Iterator[Batch]:
    """The batches, in no fixed order, from `copy` or else from the download in the cache folder.

    Raises:
        UserError: There is no network, or the copy is not what was published.
    """
    path = copy or _downloaded(release)
    if copy is not None and path.name == release.binary_archive and checked_sha256(path) != release.sha256:
        raise _not_published(release, path)
    is_pickle = path.name in (release.python_folder, release.python_archive)
    read = _from_pickle if is_pickle else _from_records
    seen = set()
    for name, content in _batch_files(release, path):
        if name in seen:
            raise _not_published(release, path)
        seen.add(name)
        yield read(release, name, content, path)
    if missing := sorted(release.batch_rows.keys() - seen):
        raise UserError(f"{path}: expected {', '.join(missing)} in it", hint="copy or download it again")


def _downloaded(release: Release) -> Path:
    return download(
        release.urls,
        checksum=f"sha256:{release.sha256}",
        title=release.title,
        name=release.binary_archive,
        instead=f"name the folder that holds {release.binary_archive} or {release.python_folder}/ with --data-dir",
    )


def _batch_files(release: Release, path: Path) -> Iterator[tuple[str, bytes]]:
    """Each batch's name and bytes, from a folder or from an archive."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.name.removesuffix(".bin") in release.batch_rows:
                yield file.name.removesuffix(".bin"), _content(file)
        return

    def is_batch(name: str) -> bool:
        return Path(name).name.removesuffix(".bin") in release.batch_rows

    for member in read_members(path, wanted=is_batch):
        if member.content is not None:
            yield Path(member.name).name.removesuffix(".bin"), member.content


def _from_records(release: Release, name: str, content: bytes, path: Path) -> Batch:
    """A batch of the binary version: for each image its labels, then 3,072 bytes of pixels, channel by channel."""
    n_bytes = release.label_bytes + _PIXELS
    if len(content) != release.batch_rows[name] * n_bytes:
        raise _not_published(release, path / name)
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, n_bytes)
    labels_N = records[:, release.label_bytes - 1].astype(np.int64)
    return _batch(release, name, records[:, release.label_bytes :], labels_N, path)


def _from_pickle(release: Release, name: str, content: bytes, path: Path) -> Batch:
    """A batch of the Python version, without unpickling: a pickle runs whatever program it holds.

    `pickletools.genops` only names the opcodes. What is wanted stands among them as it is: one string of all pixels,
    and the integers between the labels' key and the next string.
    """
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != release.pickle_md5s[name]:
        raise _not_published(release, path / name)
    n_pixels = release.batch_rows[name] * _PIXELS
    pixels, labels = b"", []
    in_labels = False
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if isinstance(argument, str | bytes):
                if len(argument) == n_pixels:
                    pixels = argument.encode("latin-1") if isinstance(argument, str) else argument
                in_labels = argument in (release.label_key, release.label_key.encode())
            elif in_labels and isinstance(argument, int) and "INT" in opcode.name:
                labels.append(argument)
    except ValueError:
        raise _not_published(release, path / name) from None
    if not pixels or len(labels) != release.batch_rows[name]:
        raise _not_published(release, path / name)
    pixels_NP = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, _PIXELS)
    return _batch(release, name, pixels_NP, np.array(labels, dtype=np.int64), path)


def _batch(release: Release, name: str, pixels_NP: NDArray[np.uint8], labels_N: NDArray[np.int64], path: Path) -> Batch:
    if labels_N.min() < 0 or labels_N.max() >= len(release.classes):
        raise _not_published(release, path / name)
    return Batch(name=name, images_NHWC=pixels_NP.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels_N=labels_N)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _not_published(release: Release, path: Path) -> UserError:
    return UserError(
        f"{path} is not what was published as {release.title}: its size or checksum differs",
        hint=f"copy it again, or download {release.urls[0]}",
    )

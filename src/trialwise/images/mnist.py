"""MNIST and Fashion-MNIST by name: four IDX files each, downloaded once or read from a copy that is already there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.images.downloads import checked_md5, download
from trialwise.images.idx import read_idx

SIDE = 28
SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")

_FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is published: where, how large, and the checksums by which a copy is known to be the true one.

    Attributes:
        name: "mnist" or "fashion_mnist".
        title: What people call it.
        classes: The class of each label.
        mirrors: Where the four files lie, first choice first.
        rows: Split -> images in it.
        packed_md5s: File name without .gz -> MD5 of the .gz file.
        plain_md5s: File name -> MD5 of the unpacked file.
        torchvision_folder: Where torchvision puts the files.
    """

    name: Literal["mnist", "fashion_mnist"]
    title: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    rows: dict[str, int]
    packed_md5s: dict[str, str]
    plain_md5s: dict[str, str]
    torchvision_folder: str


# MD5 of the packed files: torchvision's MNIST and FashionMNIST, and for Fashion-MNIST its authors' README. Of the
# unpacked files: SecML's loader for MNIST and MindSpore's tutorial for Fashion-MNIST, each with other loaders that say
# the same.
MNIST = Release(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    rows={"train": 60_000, "test": 10_000},
    packed_md5s={
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    plain_md5s={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    torchvision_folder="MNIST/raw",
)
FASHION_MNIST = Release(
    name="fashion_mnist",
    title="Fashion-MNIST",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    rows={"train": 60_000, "test": 10_000},
    packed_md5s={
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    plain_md5s={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    torchvision_folder="FashionMNIST/raw",
)


def find_copy(release: Release, data_dir: Path | None) -> Path | None:
    """The folder with the four files in `data_dir`, torchvision's layout included; None without a `data_dir`.

    Raises:
        UserError: `data_dir` does not hold all four.
    """
    if data_dir is None:
        return None
    # Its own folder first: plain files beside it may be those of the other set, which has the same file names.
    for folder in (data_dir / release.torchvision_folder, data_dir / "raw", data_dir):
        if all(_file_in(folder, name) for name in _FILES.values()):
            return folder
    raise UserError(
        f"--data-dir {data_dir} holds no copy of {release.title}: expected {', '.join(_FILES.values())}, as they are "
        f"or with .gz, in it or in {release.torchvision_folder}/",
        hint=f"download them from {release.mirrors[0]} into it, or leave --data-dir out to have them downloaded",
    )


def fingerprint(release: Release) -> str:
    """What is the same for the same images: every copy is checked against the published checksums."""
    return f"{release.name}:" + ",".join(release.plain_md5s[name] for name in _FILES.values())


def read_split(
    release: Release, split: Literal["train", "test"], copy: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (rows, 28, 28) as uint8 in 0..255, black ground, and labels (rows,), positions in `Release.classes`.

    Args:
        release: Which set.
        split: "train" or "test".
        copy: What `find_copy` found; None for the download in the cache folder.

    Raises:
        UserError: There is no network, or the copy is not what was published.
    """
    n_rows = release.rows[split]
    images_NHW = read_idx(_checked(release, _FILES[split, "images"], copy), shape=(n_rows, SIDE, SIDE))
    path = _checked(release, _FILES[split, "labels"], copy)
    labels_N = read_idx(path, shape=(n_rows,))
    if labels_N.max() >= len(release.classes):
        raise UserError(f"{path} holds the label {labels_N.max()}: expected less than {len(release.classes)}")
    return images_NHW, labels_N


def _checked(release: Release, name: str, copy: Path | None) -> Path:
    """The file called `name`, which is what was published."""
    if copy is None:
        return _downloaded(release, name)
    path = _file_in(copy, name)
    if path is None:
        raise UserError(f"{copy / name} is gone")
    md5s = release.packed_md5s if path.suffix == ".gz" else release.plain_md5s
    if checked_md5(path) != md5s[name]:
        raise UserError(
            f"{path} is not what was published as {release.title}: its checksum differs",
            hint=f"copy it again, or download {release.mirrors[0]}{name}.gz",
        )
    return path


def _file_in(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _downloaded(release: Release, name: str) -> Path:
    return download(
        [f"{mirror}{name}.gz" for mirror in release.mirrors],
        checksum=f"md5:{release.packed_md5s[name]}",
        title=release.title,
        name=f"{release.name}/{name}.gz",
        instead=f"name the folder that holds {release.torchvision_folder}/ or the four files with --data-dir",
    )

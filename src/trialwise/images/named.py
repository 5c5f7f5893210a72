"""The data sets that have a name: digits, which comes with scikit-learn, and four that are downloaded."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialwise.images import cifar, mnist
from trialwise.images.entries import Entry, Source

NAMES = ("cifar10", "cifar100", "digits", "fashion_mnist", "mnist")


def named_source(name: str, data_dir: Path | None) -> Source:
    """The data set of that name; nothing is downloaded yet.

    Args:
        name: One of `NAMES`.
        data_dir: Where a copy lies; None to download it. "digits" needs none.

    Raises:
        UserError: `data_dir` holds no copy.
    """
    if name == "digits":
        return _digits()
    if name in ("mnist", "fashion_mnist"):
        return _mnist(mnist.MNIST if name == "mnist" else mnist.FASHION_MNIST, data_dir)
    return _cifar(cifar.CIFAR10 if name == "cifar10" else cifar.CIFAR100, data_dir)


def _digits() -> Source:
    def entries() -> Iterator[Entry]:
        from sklearn.datasets import load_digits  # imported here because it takes half a second

        pixels_NP, labels_N = load_digits(return_X_y=True)
        images_NHW = np.rint(pixels_NP.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        for row, (image_HW, label) in enumerate(zip(images_NHW, labels_N, strict=True)):
            yield Entry(file=f"{label}/{row:04}.png", content=image_HW)

    return Source(
        name="digits",
        kind="digits",
        location="digits",
        fingerprint="digits:scikit-learn, 1797 images",
        entries=entries,
    )


def _cifar(release: cifar.Release, data_dir: Path | None) -> Source:
    copy = cifar.find_copy(release, data_dir)

    def entries() -> Iterator[Entry]:
        for batch in cifar.read_batches(release, copy):
            split = "test" if batch.name.startswith("test") else "train"
            number = batch.name[-1] if batch.name[-1].isdigit() else ""
            yield from _rows(split, release.classes, batch.images_NHWC, batch.labels_N, prefix=number)

    return Source(
        name=release.name,
        kind=release.name,
        location=release.name if copy is None else str(copy),
        fingerprint=cifar.fingerprint(release, copy),
        entries=entries,
        gives_places=True,
    )


def _mnist(release: mnist.Release, data_dir: Path | None) -> Source:
    copy = mnist.find_copy(release, data_dir)

    def entries() -> Iterator[Entry]:
        for split in mnist.SPLITS:
            images_NHW, labels_N = mnist.read_split(release, split, copy)
            yield from _rows(split, release.classes, images_NHW, labels_N)

    return Source(
        name=release.name,
        kind=release.name,
        location=release.name if copy is None else str(copy),
        fingerprint=mnist.fingerprint(release),
        entries=entries,
        gives_places=True,
    )


def _rows(
    split: str, classes: tuple[str, ...], images: NDArray[np.uint8], labels_N: Iterable[int], *, prefix: str = ""
) -> Iterator[Entry]:
    for row, (image, label) in enumerate(zip(images, labels_N, strict=True)):
        name = classes[int(label)]
        yield Entry(file=f"{split}/{name}/{prefix}{row:05}.png", content=image, place=(split, name))

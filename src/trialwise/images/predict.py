"""From images to class probabilities: arrays and files, in batches, as fast as the cores allow.

Shapes: N images, B images of a batch, H height, W width, C channels, K classes.
"""

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.images.decoding import decode, with_channels
from trialwise.images.fused import Network, ready_network
from trialwise.images.inputs import Input
from trialwise.images.saved import SavedModel

# A batch of 128 images of 32 x 32 pixels was the fastest: its maps stay in the cache of a core.
_PIXELS_OF_A_BATCH = 128 * 32 * 32
_BATCH_ON_A_GPU = 2048
_AHEAD = 2  # batches that wait for each worker: enough to keep it busy, few enough to hold in memory

Task = TypeVar("Task")
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """A model ready to be used on many images.

    Attributes:
        saved: The model.
        network: Its network with the preprocessing inside.
        temperature: What logits are divided by, so that probabilities are calibrated.
        n_workers: Threads, each with a batch of its own: it decodes the images and runs the network on them. Two
            batches on one thread each leave no core waiting; one batch on two threads does at every step.
        batch_size: Images in a batch.
    """

    saved: SavedModel
    network: Network
    temperature: float
    n_workers: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What was found on one batch of files.

    Attributes:
        names: The files that could be read.
        probabilities_NK: Of each class, float32.
        left_out: File and reason, for those that could not be read.
        n_made_grey: How many colour images were made grey, because the model takes grey ones.
    """

    names: tuple[str, ...]
    probabilities_NK: NDArray[np.float32]
    left_out: tuple[tuple[str, str], ...]
    n_made_grey: int


def predictor(saved: SavedModel, *, dtype: torch.dtype, n_workers: int) -> Predictor:
    """The model made ready: BatchNorm folded, weights in `dtype`, and checked against what it was before.

    Args:
        saved: The model.
        dtype: See `training.device.number_format`.
        n_workers: See `Predictor`.
    """
    size = saved.architecture.image_size
    fitting = min(512, max(8, _PIXELS_OF_A_BATCH // size**2))
    return Predictor(
        saved=saved,
        network=ready_network(saved, dtype),
        temperature=saved.temperature,
        n_workers=n_workers,
        batch_size=fitting if saved.mean.device.type == "cpu" else _BATCH_ON_A_GPU,
    )


def predict_images(predictor: Predictor, images_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (N, K) of images in memory.

    Args:
        predictor: The model.
        images_NHWC: uint8 in 0..255, of the model's size and channels; grey images may also come as (N, H, W), and
            go into a model for colour images with three equal channels.

    Raises:
        UserError: The array is of another kind or shape.
    """
    images_NHWC = _fitting(images_NHWC, predictor.saved)
    n, step = len(images_NHWC), predictor.batch_size
    probabilities_NK = np.empty((n, len(predictor.saved.classes)), dtype=np.float32)

    def work(start: int) -> None:
        batch_BHWC = images_NHWC[start : start + step]
        if not batch_BHWC.flags.writeable or min(batch_BHWC.strides) < 0:
            batch_BHWC = batch_BHWC.copy()  # torch warns of memory that it might write to, and refuses a turned view
        probabilities_NK[start : start + step] = _probabilities(predictor, batch_BHWC)

    for _ in _in_order(predictor, work, range(0, n, step)):
        pass
    return probabilities_NK


def predict_files(predictor: Predictor, inputs: Iterable[Input]) -> Generator[Batch]:
    """Probabilities of image files, in their order, one batch after the other; close the generator to stop early.

    Each is decoded and resized as in training (`decoding.decode`); what cannot be read is left out with its reason.
    While one worker runs the network, the others decode. A few batches are in memory at a time, however many files.

    Args:
        predictor: The model.
        inputs: The files; see `inputs.find_inputs`.
    """
    channels, size = predictor.saved.architecture.channels, predictor.saved.architecture.image_size

    def work(chunk: list[Input]) -> Batch:
        names, rows, left_out, n_made_grey = [], [], [], 0
        for file in chunk:
            picture = file.reason if file.content is None else decode(file.content, size=size)
            if isinstance(picture, str):
                left_out.append((file.name, picture))
                continue
            names.append(file.name)
            rows.append(with_channels(picture, channels))
            n_made_grey += channels == 1 and not picture.is_grey
        empty_NK = np.empty((0, len(predictor.saved.classes)), dtype=np.float32)
        return Batch(
            names=tuple(names),
            probabilities_NK=_probabilities(predictor, np.stack(rows)) if rows else empty_NK,
            left_out=tuple(left_out),
            n_made_grey=n_made_grey,
        )

    return _in_order(predictor, work, _chunks(inputs, predictor.batch_size))


def _probabilities(predictor: Predictor, images_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits_BK = predictor.network(torch.from_numpy(images_BHWC).to(predictor.saved.mean.device))
        return (logits_BK / predictor.temperature).softmax(1).cpu().numpy()


def _in_order(predictor: Predictor, work: Callable[[Task], Found], tasks: Iterable[Task]) -> Generator[Found]:
    """What `work` finds on each task, in the order of the tasks, with a bounded number of them under way."""
    pool = ThreadPoolExecutor(predictor.n_workers, initializer=torch.set_num_threads, initargs=(1,))
    under_way: deque[Future[Found]] = deque()
    try:
        for task in tasks:
            under_way.append(pool.submit(work, task))
            if len(under_way) >= _AHEAD * predictor.n_workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(items: Iterable[Task], size: int) -> Iterator[list[Task]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _fitting(images_NHWC: NDArray[np.uint8], saved: SavedModel) -> NDArray[np.uint8]:
    size, channels = saved.architecture.image_size, saved.architecture.channels
    expected = f"expected uint8 images in 0..255 of shape (N, {size}, {size}, {channels})"
    hint = "give image files instead: they are cropped and resized as in training"
    if images_NHWC.dtype != np.uint8:
        raise UserError(f"{expected}, got {images_NHWC.dtype} of shape {images_NHWC.shape}", hint=hint)
    if images_NHWC.ndim == 3:
        images_NHWC = images_NHWC[..., None]
    if images_NHWC.ndim == 4 and images_NHWC.shape[3] == 1 < channels:
        images_NHWC = np.broadcast_to(images_NHWC, (*images_NHWC.shape[:3], channels))
    if images_NHWC.ndim != 4 or images_NHWC.shape[1:] != (size, size, channels):
        raise UserError(f"{expected}, got shape {images_NHWC.shape}", hint=hint)
    return images_NHWC

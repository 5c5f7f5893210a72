"""Images to look at a model by: validation rows, or image files. They are read once to be judged, again to be shown.

Shapes: N images, K classes, H height, W width, C channels.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.base.seeds import child_seed
from trialwise.images.decoding import decode, with_channels
from trialwise.images.inputs import Input
from trialwise.images.predict import Predictor, predict_files, predict_images
from trialwise.images.saved import SavedModel
from trialwise.images.store import Prepared, open_train, picture_digests, split_train_valid

UNKNOWN = -1  # the label of an image whose class nobody has said
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Images and what the model says of them.

    Attributes:
        names: Of each image, for people: a file, or a row of the training data.
        labels_N: The true class, or `UNKNOWN`.
        top_N2: The most probable class and the next one.
        probabilities_N2: Their probabilities.
        left_out: File and reason, for those that could not be read.
        read: The pixels of some of the images by their numbers: uint8 (n, H, W, C).
    """

    names: tuple[str, ...]
    labels_N: NDArray[np.int64]
    top_N2: NDArray[np.int64]
    probabilities_N2: NDArray[np.float32]
    left_out: tuple[tuple[str, str], ...]
    read: Callable[[Sequence[int]], NDArray[np.uint8]]

    @property
    def predicted_N(self) -> NDArray[np.int64]:
        """The most probable class of each image."""
        return self.top_N2[:, 0]

    @property
    def is_wrong_N(self) -> NDArray[np.bool_]:
        """Which images have a known class that is not the predicted one."""
        return (self.labels_N != UNKNOWN) & (self.labels_N != self.predicted_N)


def judge_validation_rows(
    predictor: Predictor, prepared: Prepared, *, valid_fraction: float, split_seed: int
) -> Judged:
    """The rows that the model was chosen by, never a test row.

    Args:
        predictor: The model.
        prepared: The data that it was trained on.
        valid_fraction: As in its training.
        split_seed: As in its training: with the same seed the rows are the same.
    """
    rows = open_train(prepared)
    _, valid_index = split_train_valid(
        rows.labels_N,
        valid_fraction=valid_fraction,
        seed=child_seed(split_seed, "valid"),
        digests=picture_digests(rows.images_NHWC),
    )
    parts = [
        _two_best(predict_images(predictor, rows.images_NHWC[valid_index[start : start + _ROWS_AT_ONCE]]))
        for start in range(0, len(valid_index), _ROWS_AT_ONCE)
    ]
    return Judged(
        names=tuple(f"training row {row}" for row in valid_index),
        labels_N=rows.labels_N[valid_index],
        top_N2=np.concatenate([top for top, _ in parts]),
        probabilities_N2=np.concatenate([probabilities for _, probabilities in parts]),
        left_out=(),
        read=lambda chosen: np.asarray(rows.images_NHWC[valid_index[list(chosen)]]),
    )


def judge_files(predictor: Predictor, inputs: Iterator[Input]) -> Judged:
    """Image files; a folder above a file that is called like a class says that it is one of them.

    Raises:
        UserError: None of them can be read.
    """
    saved = predictor.saved
    known: dict[str, Input] = {}

    def remembered() -> Iterator[Input]:
        for file in inputs:
            known[file.name] = file
            yield file

    with closing(predict_files(predictor, remembered())) as batches:
        found = list(batches)
    names = [name for batch in found for name in batch.names]
    left_out = tuple(pair for batch in found for pair in batch.left_out)
    if not names:
        reason = "; the first is {}: {}".format(*left_out[0]) if left_out else ""
        raise UserError(f"none of {len(left_out)} images can be read{reason}")
    top_N2, probabilities_N2 = _two_best(np.concatenate([batch.probabilities_NK for batch in found]))

    def read(chosen: Sequence[int]) -> NDArray[np.uint8]:
        return np.stack([_pixels(known[names[i]], saved) for i in chosen])

    return Judged(
        names=tuple(names),
        labels_N=np.array([_label(name, saved.classes) for name in names], dtype=np.int64),
        top_N2=top_N2,
        probabilities_N2=probabilities_N2,
        left_out=left_out,
        read=read,
    )


def _pixels(file: Input, saved: SavedModel) -> NDArray[np.uint8]:
    """The pixels (H, W, C) of a file that could be read before."""
    assert file.content is not None
    picture = decode(file.content, size=saved.architecture.image_size)
    if isinstance(picture, str):
        raise UserError(f"{file.name} can no longer be read: {picture}")
    return with_channels(picture, saved.architecture.channels)


def _two_best(probabilities_NK: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    top_N2 = np.argsort(-probabilities_NK, axis=1, kind="stable")[:, :2]
    return top_N2, np.take_along_axis(probabilities_NK, top_N2, axis=1)


def _label(name: str, classes: tuple[str, ...]) -> int:
    """The class that a folder above the file is called after, the nearest first."""
    for part in reversed(PurePath(name).parts[:-1]):
        if part in classes:
            return classes.index(part)
    return UNKNOWN

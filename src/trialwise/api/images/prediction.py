"""Use trained image classifiers."""

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.api.images.models import open_model, open_predictor
from trialwise.api.runs import Stage, Watch, unwatched
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.base.settings import check_range
from trialwise.images.inputs import find_inputs
from trialwise.images.predict import predict_files, predict_images

Paths = str | Path | Sequence[str | Path]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """The most probable classes of some images. Shapes: N images, T classes of each.

    Attributes:
        run: The run whose model it was.
        classes: The names of all classes.
        names: The image files, or the numbers of the rows.
        top_NT: Positions in `classes`, the most probable first.
        probabilities_NT: Their probabilities, calibrated on validation images where the run has done so.
        left_out: File and reason, for those that could not be read.
        n_made_grey: How many colour images were made grey, because the model takes grey ones.
    """

    run: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    top_NT: NDArray[np.int64]
    probabilities_NT: NDArray[np.float32]
    left_out: tuple[tuple[str, str], ...]
    n_made_grey: int

    def rows(self) -> Iterator[tuple[str, list[tuple[str, float]]]]:
        """Each image's name, and its classes with their probabilities, the most probable first."""
        for name, top_T, probabilities_T in zip(self.names, self.top_NT, self.probabilities_NT, strict=True):
            yield name, [(self.classes[i], float(p)) for i, p in zip(top_T, probabilities_T, strict=True)]

    def to_document(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        predictions = []
        for name, top in self.rows():
            best = {"file": name, "class": top[0][0], "probability": top[0][1]}
            predictions.append(best | {"top": [{"class": label, "probability": p} for label, p in top]})
        return {
            "schema": "trialwise.image-predict/1",
            "run": self.run,
            "n": len(self.names),
            "classes": list(self.classes),
            "predictions": predictions,
            "n_made_grey": self.n_made_grey,
            "n_left_out": len(self.left_out),
            "left_out": [{"file": file, "reason": reason} for file, reason in self.left_out],
        }


def predict(
    run: RunFolder | Path | str, images: Paths | NDArray[np.uint8], *, top: int = 1, watch: Watch = unwatched
) -> Predictions:
    """The classes of images, with their probabilities.

    Args:
        run: A run of `train` or `tune`.
        images: Image files, folders, globs or archives, which are cropped and resized as in training; or an array of
            uint8 (N, H, W, C) in 0..255 of the model's own size.
        top: How many classes to give for each image.
        watch: See `Watch`.

    Raises:
        UserError: The run holds no image model, a path leads nowhere, or no image can be read.
    """
    if not isinstance(images, np.ndarray):
        with closing(predict_batches(run, images, top=top, watch=watch)) as batches:
            return _joined(list(batches))
    _check_top(top)
    run, saved = open_model(run)
    probabilities_NK = predict_images(open_predictor(saved), images)
    top_NT, probabilities_NT = _most_probable(probabilities_NK, top)
    return Predictions(
        run=run.label,
        classes=saved.classes,
        names=tuple(map(str, range(len(images)))),
        top_NT=top_NT,
        probabilities_NT=probabilities_NT,
        left_out=(),
        n_made_grey=0,
    )


def predict_batches(
    run: RunFolder | Path | str, paths: Paths, *, top: int = 1, watch: Watch = unwatched
) -> Generator[Predictions]:
    """The same batch by batch, for more images than fit into memory; files only. Close it to stop early.

    Raises:
        UserError: See `predict`; that no image can be read is said at the end.
    """
    _check_top(top)
    run, saved = open_model(run)
    inputs = find_inputs([paths] if isinstance(paths, str | Path) else paths)
    n_done, n_read, first_reason = 0, 0, ""
    batches = predict_files(open_predictor(saved), inputs)
    try:
        for batch in batches:
            top_NT, probabilities_NT = _most_probable(batch.probabilities_NK, top)
            yield Predictions(
                run=run.label,
                classes=saved.classes,
                names=batch.names,
                top_NT=top_NT,
                probabilities_NT=probabilities_NT,
                left_out=batch.left_out,
                n_made_grey=batch.n_made_grey,
            )
            n_read += len(batch.names)
            n_done += len(batch.names) + len(batch.left_out)
            if batch.left_out and not first_reason:
                first_reason = "; the first is {}: {}".format(*batch.left_out[0])
            watch(Stage(name="images", done=n_done))
    finally:
        batches.close()
    if n_read == 0:
        named = paths if isinstance(paths, str | Path) else ", ".join(map(str, paths[:3]))
        raise UserError(
            f"none of {n_done:,} images can be read{first_reason}" if n_done else f"there are no images in {named}"
        )


def _check_top(top: int) -> None:
    check_range("top", top, low=1)


def _most_probable(probabilities_NK: NDArray[np.float32], top: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    top_NT = np.argsort(-probabilities_NK, axis=1, kind="stable")[:, :top]
    return top_NT, np.take_along_axis(probabilities_NK, top_NT, axis=1)


def _joined(parts: list[Predictions]) -> Predictions:
    return dataclasses.replace(
        parts[0],
        names=tuple(name for part in parts for name in part.names),
        top_NT=np.concatenate([part.top_NT for part in parts]),
        probabilities_NT=np.concatenate([part.probabilities_NT for part in parts]),
        left_out=tuple(pair for part in parts for pair in part.left_out),
        n_made_grey=sum(part.n_made_grey for part in parts),
    )

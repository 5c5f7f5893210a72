"""Pictures in memory -> a trained model, by what `image train` does with those of a folder."""

import dataclasses
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.api.estimators.saving import InputError
from trialwise.api.images.data import chosen_settings
from trialwise.api.images.training import fitting_threads
from trialwise.base.settings import check_range, flat
from trialwise.images.calibrate import calibrated
from trialwise.images.recipes import RECIPES, RecipeName
from trialwise.images.saved import SavedModel
from trialwise.images.store import DataDescription, Rows
from trialwise.images.train import training_on
from trialwise.training.device import number_format, pick_device, threads, usable_cores


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained:
    """What a fit gives: the model, its resolved settings by name, its epochs as plain values, and its threads."""

    model: SavedModel
    settings: dict[str, Any]
    history: list[dict[str, Any]]
    n_threads: int


def train_rows(
    images_NHWC: NDArray[np.uint8],
    labels_N: NDArray[np.int64],
    *,
    classes: tuple[str, ...],
    recipe: RecipeName,
    given: Mapping[str, Any],
    seed: int,
    n_threads: int | None,
) -> Trained:
    """The model trained on these rows: the one of `image train` on the same rows with the same settings and seed.

    Args:
        images_NHWC: uint8 pictures in 0..255.
        labels_N: Positions in `classes`.
        classes: The names of the classes.
        recipe: Which settings to begin with.
        given: Changes to it, by name.
        seed: The one seed.
        n_threads: PyTorch threads; None takes what fits the data.

    Raises:
        UserError: The rows or the settings cannot be used.
        WorkError: The loss is no longer a number.
    """
    data = _description(images_NHWC, labels_N, classes)
    if recipe not in ("auto", *RECIPES):
        raise InputError(f"recipe: expected one of auto, {', '.join(RECIPES)}, got {recipe!r}")
    if n_threads is not None:
        check_range("n_threads", n_threads, low=1, high=usable_cores())
    n_threads = n_threads or fitting_threads(data)
    chosen = chosen_settings(recipe, given, data)
    with threads(n_threads):
        training = training_on(
            Rows(images_NHWC=images_NHWC, labels_N=labels_N, files=()),
            data,
            chosen.settings,
            seed=seed,
            split_seed=seed,
            dtype=number_format(pick_device()).dtype,
        )
        if training.steps_per_epoch == 0 or len(training.valid_index) == 0:
            raise InputError(
                f"X: {len(labels_N)} samples are too few, or too much alike, to be trained on and validated: "
                f"{len(training.train_index)} would be trained on in batches of {training.batch_size}, "
                f"{len(training.valid_index)} would be validated on",
                hint="more and different rows, or a smaller batch_size",
            )
        with closing(training.epochs()) as epochs:
            history = [dataclasses.asdict(result) for result in epochs]
        model = calibrated(training)
    return Trained(model=model, settings=flat(chosen.settings), history=history, n_threads=n_threads)


def _description(
    images_NHWC: NDArray[np.uint8], labels_N: NDArray[np.int64], classes: tuple[str, ...]
) -> DataDescription:
    """The rows in the words of the store, without the files that it describes.

    Raises:
        InputError: A class has a single row, or there is one only.
    """
    counts = np.bincount(labels_N, minlength=len(classes)).tolist()
    if 1 in counts:
        raise InputError(
            f"y: class {classes[counts.index(1)]!r} has 1 sample: expected two or more, one of them to validate on",
            hint="more rows of the class, or leave it out; StratifiedKFold keeps each class in each fold",
        )
    n, height, width, channels = images_NHWC.shape
    return DataDescription(
        name="arrays",
        kind="arrays",
        classes=classes,
        channels=channels,
        height=height,
        width=width,
        n_train=n,
        n_test=0,
        train_counts=tuple(counts),
        test_counts=(0,) * len(classes),
        left_out=(),
        test_origin="given",
        fingerprint="",
        content_sha256="",
        notes=(),
    )

"""The settings of an image training, and how they follow from the data where they are left open."""

import dataclasses
import math
from typing import Any, Literal

from trialwise.base.settings import check_range, setting

OnOff = Literal["auto", "on", "off"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How an image classifier is built and trained."""

    max_params: int = setting(200_000, "Most parameters the network may have; it is built as wide as they allow")
    width: float = setting(1.0, "Share of the width that --max-params allows, 0.1 to 1")
    epochs: int | None = setting(None, "Passes over the training rows; left out, it follows from their number")
    batch_size: int = setting(128, "Images in one training step")
    learning_rate: float | None = setting(
        None,
        "Peak learning rate of the one-cycle schedule (SGD, Nesterov momentum); left out, 0.1, or 0.03 for short runs",
    )
    weight_decay: float = setting(5e-4, "Weight decay (L2) of the filters; biases and BatchNorm do not decay")
    dropout: float = setting(0.1, "Share of the last features that is dropped in training")
    label_smoothing: float = setting(0.1, "Share of the target that is spread over all classes")
    shift: int | None = setting(None, "Largest random shift in pixels; left out, a sixteenth of the image size")
    flip: OnOff = setting(
        "auto", "Random left-right flips; auto: for colour images only, since digits and text have sides"
    )
    valid_fraction: float | None = setting(
        None, "Share of the training rows kept for validation; left out, a tenth, or a fifth below 10,000 rows"
    )
    image_size: int | None = setting(
        None, "Side in pixels that images are resized to; left out, it follows from the data"
    )

    def __post_init__(self) -> None:
        check_range("max_params", self.max_params, low=1)
        check_range("width", self.width, low=0.1, high=1)
        if self.epochs is not None:
            check_range("epochs", self.epochs, low=1)
        check_range("batch_size", self.batch_size, low=2)
        if self.learning_rate is not None:
            check_range("learning_rate", self.learning_rate, low=0, high=100, low_open=True)
        check_range("weight_decay", self.weight_decay, low=0)
        check_range("dropout", self.dropout, low=0, high=0.9)
        check_range("label_smoothing", self.label_smoothing, low=0, high=0.9)
        if self.shift is not None:
            check_range("shift", self.shift, low=0)
        if self.valid_fraction is not None:
            check_range("valid_fraction", self.valid_fraction, low=0.01, high=0.5)
        if self.image_size is not None:
            check_range("image_size", self.image_size, low=8, high=256)


def resolve(settings: TrainSettings, *, n_train: int, image_size: int, channels: int) -> TrainSettings:
    """The settings with everything that was left open filled in from the data.

    Epochs: enough for about 500,000 images in all, at least 10 and at most 40. The batch: at most a quarter of
    the rows, so that small folders still take several steps an epoch. The learning rate: 0.1, or 0.03 where there
    are fewer than 1,000 steps in all; on the digits at 80 steps 0.1 gave 91 % and 0.025 97 % in validation.
    """
    epochs = settings.epochs or min(40, max(10, round(500_000 / n_train)))
    batch_size = max(2, min(settings.batch_size, n_train // 4))
    n_steps = epochs * (n_train // batch_size)
    flip = settings.flip if settings.flip != "auto" else ("on" if channels == 3 else "off")
    return dataclasses.replace(
        settings,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=settings.learning_rate or (0.1 if n_steps >= 1000 else 0.03),
        shift=settings.shift if settings.shift is not None else max(1, image_size // 16),
        flip=flip,
        valid_fraction=settings.valid_fraction or (0.1 if n_train >= 10_000 else 0.2),
        image_size=image_size,
    )


def epochs_for_tuning(n_train: int) -> int:
    """The epochs of a trial that is never pruned: enough for about 300,000 images, at least 6 and at most 27."""
    return min(27, max(6, round(300_000 / n_train)))


def first_rung_epochs(settings: TrainSettings, n_train: int) -> int:
    """The epochs before trials are first compared: as many as make 30 steps, below which all is noise.

    At least one, and at most a third of all, so that there is something to save by pruning.
    """
    assert settings.epochs is not None
    assert settings.valid_fraction is not None
    steps_per_epoch = max(1, round(n_train * (1 - settings.valid_fraction)) // settings.batch_size)
    return min(math.ceil(30 / steps_per_epoch), max(1, settings.epochs // 3))


def search_space(settings: TrainSettings, n_train: int) -> dict[str, dict[str, Any]]:
    """What `image tune` searches, as `tuning.spaces.space_from_document` reads it; `settings` lies inside it.

    Batches are kept small enough for eight steps an epoch.
    """
    assert settings.learning_rate is not None
    batches = {size for size in (32, 64, 128, 256, 512) if size * 8 <= n_train} | {settings.batch_size}
    return {
        "learning_rate": {
            "low": min(0.01, settings.learning_rate),
            "high": max(0.5, settings.learning_rate),
            "log": True,
        },
        "batch_size": {"choices": sorted(batches)},
        "dropout": {"low": 0.0, "high": max(0.5, settings.dropout)},
        "weight_decay": {
            "low": min(1e-5, settings.weight_decay),
            "high": max(1e-2, settings.weight_decay),
            "log": settings.weight_decay > 0,
        },
        "width": {"choices": sorted({0.5, 0.75, 1.0, settings.width})},
    }

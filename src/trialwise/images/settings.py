"""The settings of an image training, and how they follow from the data where they are left open."""

import dataclasses
import math
from typing import Any, Literal

from trialwise.base.errors import UserError
from trialwise.base.settings import check_range, flat, setting

Family = Literal["residual", "plain", "feed_forward"]
OptimizerName = Literal["muon", "sgd", "adamw"]
OnOff = Literal["auto", "on", "off"]
Mix = Literal["none", "mixup", "cutmix"]
Freeze = Literal["none", "body", "gradual"]

IMAGES_IN_SHORT_RUN = 500_000  # shown in a training whose epochs are left open
LARGE = 10_000  # rows from which on a set is trained as CIFAR-10 is
LONG = 16  # epochs from which on a large set is shifted and cut out as in `resolve`
ENOUGH_STEPS = 2_000  # of a training, where batches of 64 or more give as many
ROOMY = 100_000  # parameters from which on a network is
BATCH_SIZES = (16, 32, 64, 125, 250, 500)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """What the network is built from."""

    family: Family = setting("residual", "Kind of network; plain and feed_forward are there to be compared with")
    max_params: int = setting(200_000, "Most parameters the network may have; it is built as wide as they allow")
    width: float = setting(1.0, "Share of the width that --max-params allows, 0.1 to 1")
    dropout: float = setting(0.0, "Share of the last features that is dropped in training")
    mirrored: OnOff = setting(
        "auto", "Whether filters come in mirrored pairs, so that left and right are alike; auto: where images flip"
    )
    separable: bool = setting(
        False, "Whether convolutions are separable: more width for the same parameters, slow on a CPU; not mirrored"
    )
    batch_norm: bool = setting(True, "Whether convolutions are followed by BatchNorm")
    shortcuts: bool = setting(True, "Whether residual blocks are added to their input")

    def __post_init__(self) -> None:
        check_range("max_params", self.max_params, low=1)
        check_range("width", self.width, low=0.1, high=1)
        check_range("dropout", self.dropout, low=0, high=0.9)
        if self.mirrored == "on" and self.family != "residual":
            raise UserError(f"--mirrored: a {self.family} network has no mirrored filters", hint="leave mirrored out")
        if self.separable and self.family != "residual":
            raise UserError(f"--separable: a {self.family} network has none", hint="leave separable out")
        if self.separable and self.mirrored == "on":
            raise UserError("--separable: separable convolutions have no mirrored filters", hint="leave mirrored out")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """How training images are changed, anew in every epoch."""

    shift: int | None = setting(
        None, "Largest random shift in pixels; left out, a sixteenth of the image size, an eighth in long runs"
    )
    flip: OnOff = setting(
        "auto", "Random left-right flips; auto: for colour images only, since digits and text have sides"
    )
    cutout: int | None = setting(
        None,
        "Side in pixels of the square that is cut out of each training image, 0: none; left out, three eighths of the "
        "image size in long runs of many images",
    )
    colour: float = setting(0.0, "Largest random change of brightness, contrast and saturation, as a share; 0: none")
    rand_augment: float = setting(
        0.0, "Strength of RandAugment, two random changes an image, up to 10; 0: none; for long runs"
    )
    mix: Mix = setting("none", "Mix pairs of training images: mixup, cutmix or none; pays in long runs only")

    def __post_init__(self) -> None:
        if self.shift is not None:
            check_range("shift", self.shift, low=0)
        if self.cutout is not None:
            check_range("cutout", self.cutout, low=0)
        check_range("colour", self.colour, low=0, high=1)
        check_range("rand_augment", self.rand_augment, low=0, high=10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How an image classifier is built and trained."""

    network: NetworkSettings = dataclasses.field(default_factory=NetworkSettings)
    augment: AugmentSettings = dataclasses.field(default_factory=AugmentSettings)
    epochs: int | None = setting(None, "Passes over the training rows; left out, it follows from their number")
    batch_size: int | None = setting(
        None,
        "Images in one training step; left out, 250, or fewer for 2,000 steps in all (at least 64), for 16 an epoch",
    )
    optimizer: OptimizerName = setting("muon", "muon, sgd (Nesterov momentum 0.9) or adamw")
    learning_rate: float | None = setting(
        None, "Peak learning rate; left out, as measured best for the optimizer and the number of steps"
    )
    weight_decay: float = setting(5e-4, "Weight decay (L2); biases, BatchNorm and filters that Muon trains have none")
    label_smoothing: float = setting(0.1, "Share of the target that is spread over all classes")
    balanced: bool = setting(False, "Whether every class counts the same in training, however many images it has")
    average: float = setting(
        0.0,
        "Decay of a moving average of the weights (EMA), which is what is measured and kept; it grows to this, so that "
        "the average is over at most the last ninth of the steps so far; 0: none",
    )
    compile: bool = setting(
        False, "Whether the network is compiled (torch.compile; on a GPU with CUDA graphs): slow to begin with"
    )
    freeze: Freeze = setting(
        "none",
        "With --from, what stays as it was trained: none of it; the body, which is all but the head; or gradual: at "
        "first the body, then layer after layer learns too, from the top, all in the second half",
    )
    small_share: float = setting(0.0, "Share of the epochs, the first ones, on images of three quarters of the size")
    valid_fraction: float | None = setting(
        None, "Share of the training rows kept for validation; left out, a tenth, or a fifth below 10,000 rows"
    )
    image_size: int | None = setting(
        None, "Side in pixels that images are resized to; left out, it follows from the data"
    )

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_range("epochs", self.epochs, low=1)
        if self.batch_size is not None:
            check_range("batch_size", self.batch_size, low=2)
        if self.learning_rate is not None:
            check_range("learning_rate", self.learning_rate, low=0, high=100, low_open=True)
        check_range("weight_decay", self.weight_decay, low=0)
        check_range("label_smoothing", self.label_smoothing, low=0, high=0.9)
        check_range("average", self.average, low=0, high=0.99999)
        check_range("small_share", self.small_share, low=0, high=1)
        if self.small_share and self.network.family != "residual":
            raise UserError(
                f"--small-share: a {self.network.family} network takes images of one size only",
                hint="leave small_share out, or use family residual",
            )
        if self.valid_fraction is not None:
            check_range("valid_fraction", self.valid_fraction, low=0.01, high=0.5)
        if self.image_size is not None:
            check_range("image_size", self.image_size, low=8, high=256)


def resolve(settings: TrainSettings, *, n_train: int, image_size: int, channels: int) -> TrainSettings:
    """The settings with everything that was left open filled in from the data.

    Epochs: enough for about 500,000 images in all, at least 10 and at most 40. The batch: see `_batch_size`; at most
    a quarter of the rows, so that the smallest folders still take several steps an epoch. The learning rate: see
    `_learning_rate`. Shift and cutout: gentle in short runs, which do not see an image often enough to learn it by
    heart, for small networks, which gained nothing by more, and on small sets, for which nothing else was measured.

    Raises:
        UserError: A shift leaves nothing of the image.
    """
    given_shift = settings.augment.shift
    if given_shift is not None and given_shift >= image_size:
        raise UserError(f"--shift {given_shift}: expected less than {image_size}, the pixels of a side")
    epochs = settings.epochs or min(40, max(10, round(IMAGES_IN_SHORT_RUN / n_train)))
    valid_fraction = settings.valid_fraction or (0.1 if n_train >= LARGE else 0.2)
    batch_size = max(2, min(settings.batch_size or _batch_size(n_train, epochs), n_train // 4))
    augment = settings.augment
    flip = augment.flip if augment.flip != "auto" else ("on" if channels == 3 else "off")
    network = settings.network
    if network.mirrored == "auto":
        is_mirrored = flip == "on" and network.family == "residual" and not network.separable
        network = dataclasses.replace(network, mirrored="on" if is_mirrored else "off")
    is_long = epochs >= LONG and n_train >= LARGE and network.max_params >= ROOMY
    shift = given_shift if given_shift is not None else max(1, image_size // (8 if is_long else 16))
    cutout = augment.cutout if augment.cutout is not None else (3 * image_size // 8 if is_long else 0)
    return dataclasses.replace(
        settings,
        network=network,
        augment=dataclasses.replace(augment, flip=flip, shift=shift, cutout=cutout),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=settings.learning_rate
        or _learning_rate(settings.optimizer, n_train=n_train, n_steps=epochs * (n_train // batch_size)),
        valid_fraction=valid_fraction,
        image_size=image_size,
    )


def _batch_size(n_train: int, epochs: int) -> int:
    """At most 250; where that makes few steps smaller, as long as that pays for its time.

    On 8,000 images for 18 epochs a batch of 250 gave 66 % in validation, one of 64 gave 78 % in a third more time; on
    10,000 it was 72 % and 82 % (`docs/lab-notes.md`).
    """
    fitting = [size for size in BATCH_SIZES[:-1] if 16 * size <= n_train] or [BATCH_SIZES[0]]
    return max(size for size in fitting if size <= 64 or epochs * n_train >= ENOUGH_STEPS * size)


def _learning_rate(optimizer: OptimizerName, *, n_train: int, n_steps: int) -> float:
    """What was measured to work: lower where there are few steps, each of which then counts more.

    SGD on the digits at 80 steps: 0.1 gave 91 % in validation and 0.025 gave 97 %. Muon on 1,000 to 8,000 images: 0.15
    gave half a point to one and a half more than 0.1, and on 20,000 half a point less (`docs/lab-notes.md`).
    """
    usual = {"muon": 0.1, "sgd": 0.1, "adamw": 0.003}[optimizer]
    if n_steps < 1000:
        return 0.3 * usual
    return 0.15 if optimizer == "muon" and n_train < LARGE else usual


def epochs_for_tuning(n_train: int) -> int:
    """The epochs of a trial that is never pruned: enough for about 300,000 images, at least 6 and at most 27."""
    return min(27, max(6, round(300_000 / n_train)))


def first_rung_epochs(settings: TrainSettings, n_train: int) -> int:
    """The epochs before trials are first compared: a ninth of all, so that there are two rungs before the end.

    More where a ninth is less than 30 steps, below which all is noise, but at most a third. A rung after the first of
    18 epochs chose the smallest batches, which take the most steps in an epoch and the most time
    (`docs/lab-notes.md`).
    """
    assert settings.epochs is not None
    assert settings.valid_fraction is not None
    assert settings.batch_size is not None
    steps_per_epoch = max(1, round(n_train * (1 - settings.valid_fraction)) // settings.batch_size)
    enough = max(1, settings.epochs // 9, math.ceil(30 / steps_per_epoch))
    return min(enough, max(1, settings.epochs // 3))


def search_space(settings: TrainSettings, n_train: int) -> dict[str, dict[str, Any]]:
    """What `image tune` searches, as `tuning.spaces.space_from_document` reads it; `settings` lies inside it.

    Batches are kept small enough for eight steps an epoch.
    """
    given = flat(settings)
    batches = {size for size in BATCH_SIZES if size * 8 <= n_train} | {given["batch_size"]}
    rate = given["learning_rate"]
    return {
        "learning_rate": {"low": rate / 10, "high": rate * 5, "log": True},
        "batch_size": {"choices": sorted(batches)},
        "dropout": {"low": 0.0, "high": max(0.5, given["dropout"])},
        "weight_decay": {
            "low": min(1e-5, given["weight_decay"]),
            "high": max(1e-2, given["weight_decay"]),
            "log": given["weight_decay"] > 0,
        },
        "width": {"choices": sorted({0.5, 0.75, 1.0, given["width"]})},
    }

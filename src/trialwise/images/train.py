"""From training rows to a trained network: data on the device, whole-batch steps, one result an epoch.

Shapes: N rows, B images of a batch, C channels, H height, W width, K classes.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.optim.swa_utils import AveragedModel

from trialwise.base.seeds import child_seed
from trialwise.images.augment import (
    alternating_flips,
    colour_changed,
    cut_out,
    mixed,
    normalised,
    resized,
    shifted_batch,
)
from trialwise.images.budget import architecture_for
from trialwise.images.networks import Architecture, ResidualCNN, build_network
from trialwise.images.rand_augment import rand_augmented
from trialwise.images.saved import SavedModel
from trialwise.images.settings import TrainSettings
from trialwise.images.store import DataDescription, Rows, picture_digests, split_train_valid
from trialwise.images.tensors import as_tensor
from trialwise.images.transfer import continued, freezing
from trialwise.images.whitening import ROWS_LOOKED_AT, whiten
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import keep_freed_memory, pick_device
from trialwise.training.loop import EpochResult, fit
from trialwise.training.optimizers import build_optimizer, linear, one_cycle

VALID_BATCH = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """A network and the rows it learns from; `epochs` trains it.

    Attributes:
        settings: Fully resolved.
        network: The network in training.
        average: The moving average of its weights, where the settings ask for one.
        saved: What is measured and kept: the network, or its average, with its preprocessing and its class names.
        images_NHWC: uint8 training and validation rows on the device.
        labels_N: Their classes.
        train_index: Rows to learn from.
        valid_index: Rows to choose by.
        seed: Of this training.
        dtype: What convolutions are computed in.
        right: Under "N", which validation rows (N,) bool the last `validate` found to be right; empty before.
    """

    settings: TrainSettings
    network: nn.Module
    average: AveragedModel | None
    saved: SavedModel
    images_NHWC: torch.Tensor
    labels_N: torch.Tensor
    train_index: torch.Tensor
    valid_index: torch.Tensor
    seed: int
    dtype: torch.dtype
    right: dict[str, torch.Tensor] = dataclasses.field(default_factory=dict)

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch; rows that do not fill a last one wait for the next epoch's shuffle."""
        return len(self.train_index) // self.batch_size

    @property
    def batch_size(self) -> int:
        """Images in one step."""
        assert self.settings.batch_size is not None
        return self.settings.batch_size

    def epochs(self, checkpoint: Checkpoint | None = None, *, results_known: int = 0) -> Generator[EpochResult]:
        """Train, one result an epoch; valid scores are "accuracy" and "loss". See `training.loop.fit`."""
        settings = self.settings
        assert settings.epochs is not None
        assert settings.learning_rate is not None
        return fit(
            self.network,
            batches=freezing(self.network, self.batches, settings.freeze, n_epochs=settings.epochs),
            loss=nn.CrossEntropyLoss(
                weight=self._class_weights() if settings.balanced else None, label_smoothing=settings.label_smoothing
            ),
            validate=self.validate,
            optimizer=build_optimizer(
                self.network,
                settings.optimizer,
                learning_rate=settings.learning_rate,
                weight_decay=settings.weight_decay,
            ),
            schedule=linear if settings.optimizer == "muon" else one_cycle,
            n_epochs=settings.epochs,
            steps_per_epoch=self.steps_per_epoch,
            seed=self.seed,
            checkpoint=checkpoint,
            results_known=results_known,
            autocast=self.dtype if self.dtype != torch.float32 else None,
            average=self.average,
        )

    def batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Network inputs (B, C, H, W) and targets of epoch `epoch` (from 1): the same for the same seed."""
        settings, augment = self.settings, self.settings.augment
        assert settings.epochs is not None
        assert augment.shift is not None
        generator = torch.Generator().manual_seed(child_seed(self.seed, "batches", epoch))
        # A mirrored network sees both ways round at once.
        flips = augment.flip == "on" and not self.saved.architecture.mirrored
        flip_seed = child_seed(self.seed, "flips")
        order = self.train_index[torch.randperm(len(self.train_index), generator=generator)]
        is_small = epoch <= round(settings.small_share * settings.epochs)
        for step in range(self.steps_per_epoch):
            index_B = order[step * self.batch_size : (step + 1) * self.batch_size]
            flipped_B = alternating_flips(flip_seed, index_B, epoch) if flips else None
            index_B = index_B.to(self.images_NHWC.device)
            images_BHWC = shifted_batch(
                self.images_NHWC, index_B, shift=augment.shift, flipped_B=flipped_B, generator=generator
            )
            if augment.rand_augment:
                images_BHWC = rand_augmented(images_BHWC, augment.rand_augment, generator)
            if augment.colour:
                images_BHWC = colour_changed(images_BHWC, augment.colour, generator)
            if augment.cutout:
                images_BHWC = cut_out(images_BHWC, augment.cutout, generator)
            targets = self.labels_N[index_B]
            if augment.mix != "none":
                shares_BK = nn.functional.one_hot(targets, len(self.saved.classes)).float()
                images_BHWC, targets = mixed(images_BHWC, shares_BK, augment.mix, generator)
            inputs_BCHW = normalised(images_BHWC, self.saved.mean, self.saved.std)
            if is_small:
                inputs_BCHW = resized(inputs_BCHW, round(0.75 * inputs_BCHW.shape[-1]))
            yield inputs_BCHW, targets

    def _class_weights(self) -> torch.Tensor:
        """Weights (K,) under which every class has the same share of the training rows; 1 where they are even."""
        labels_N = self.labels_N[self.train_index.to(self.labels_N.device)]
        counts_K = torch.bincount(labels_N, minlength=len(self.saved.classes)).clamp(min=1)
        return counts_K.float().reciprocal() * (len(labels_N) / len(counts_K))

    def validate(self) -> dict[str, float]:
        """Accuracy and cross-entropy on the validation rows."""
        index = self.valid_index.to(self.images_NHWC.device)
        logits_NK = predict_logits(self.saved, self.images_NHWC, index, dtype=self.dtype)
        labels_N = self.labels_N[index]
        self.right["N"] = logits_NK.argmax(1) == labels_N
        return {
            "accuracy": float(self.right["N"].float().mean()),
            "loss": float(nn.functional.cross_entropy(logits_NK, labels_N)),
        }

    def right_N(self) -> NDArray[np.bool_]:
        """Which validation rows the network gets right as it stands."""
        if not self.right:  # it was just brought back from a checkpoint
            self.validate()
        return self.right["N"].cpu().numpy()

    def commonest_N(self) -> NDArray[np.bool_]:
        """Which validation rows are of the class that is commonest in training: what needs no network to be right."""
        labels_N = self.labels_N.cpu()
        return (labels_N[self.valid_index] == labels_N[self.train_index].bincount().argmax()).numpy()


def predict_logits(
    saved: SavedModel, images_NHWC: torch.Tensor, index_N: torch.Tensor, *, dtype: torch.dtype
) -> torch.Tensor:
    """Logits (len(index_N), K) of the rows `index_N`, computed in `dtype`; the network is put into eval mode."""
    saved.network.eval()
    device = images_NHWC.device
    logits = []
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        for index_B in index_N.split(VALID_BATCH):
            logits.append(saved.network(normalised(images_NHWC[index_B], saved.mean, saved.std)).float())
    return torch.cat(logits)


def training_on(
    rows: Rows,
    data: DataDescription,
    settings: TrainSettings,
    *,
    seed: int,
    split_seed: int,
    dtype: torch.dtype = torch.float32,
    start_from: SavedModel | None = None,
) -> Training:
    """The rows split, and a network that fits them, ready to train.

    Args:
        rows: To learn from and to choose by.
        data: What they are.
        settings: Resolved (see `recipes.resolve`).
        seed: Seeds weights, batches and dropout.
        split_seed: Seeds the split into training and validation rows: the same for all trials of a study.
        dtype: What convolutions are computed in; see `training.device.number_format`.
        start_from: A trained model to go on from: its network and its preprocessing, with a new head where the
            classes are others. The network settings are then its own.

    Raises:
        UserError: `max_params` is too small for this data, or `start_from` takes other images.
    """
    keep_freed_memory()
    device = pick_device()
    assert settings.valid_fraction is not None
    train_index, valid_index = split_train_valid(
        rows.labels_N,
        valid_fraction=settings.valid_fraction,
        seed=child_seed(split_seed, "valid"),
        digests=picture_digests(rows.images_NHWC),
    )
    images_NHWC = as_tensor(rows.images_NHWC)
    saved = (
        _new_model(data, settings, images_NHWC, train_index, seed)
        if start_from is None
        else continued(start_from, data, flip=settings.augment.flip == "on", seed=seed)
    )
    network = saved.network.to(device)
    if settings.compile:
        network.compile(mode="reduce-overhead" if device.type == "cuda" else "default")
    average = None
    if settings.average:
        average = AveragedModel(network, multi_avg_fn=_growing_average(settings.average), use_buffers=True)
        saved = dataclasses.replace(saved, network=average.module)
    return Training(
        settings=settings,
        network=network,
        average=average,
        saved=dataclasses.replace(saved, mean=saved.mean.to(device), std=saved.std.to(device)),
        images_NHWC=images_NHWC.to(device),
        labels_N=as_tensor(rows.labels_N).to(device),
        train_index=torch.from_numpy(np.ascontiguousarray(train_index)),
        valid_index=torch.from_numpy(np.ascontiguousarray(valid_index)),
        seed=seed,
        dtype=dtype,
    )


def network_for(settings: TrainSettings, data: DataDescription) -> Architecture:
    """The architecture that the settings ask for on this data.

    Raises:
        UserError: `max_params` is too small for it.
    """
    chosen = settings.network
    return architecture_for(
        family=chosen.family,
        channels=data.channels,
        image_size=data.height,
        n_classes=len(data.classes),
        max_params=chosen.max_params,
        width=chosen.width,
        dropout=chosen.dropout,
        mirrored=chosen.mirrored == "on",
        separable=chosen.separable,
        batch_norm=chosen.batch_norm,
        shortcuts=chosen.shortcuts,
    )


def _new_model(
    data: DataDescription,
    settings: TrainSettings,
    images_NHWC: torch.Tensor,
    train_index: NDArray[np.int64],
    seed: int,
) -> SavedModel:
    """An untrained network that fits the data, its stem whitened on training rows."""
    architecture = network_for(settings, data)
    step = max(1, len(train_index) // ROWS_LOOKED_AT)
    sample_NHWC = images_NHWC[torch.from_numpy(np.sort(train_index[::step]))]
    mean_C, std_C = _channel_statistics(sample_NHWC)
    saved = SavedModel(
        network=build_network(architecture, seed=child_seed(seed, "weights")),
        architecture=architecture,
        classes=data.classes,
        mean=mean_C,
        std=std_C,
        flip=settings.augment.flip == "on",
    )
    if isinstance(saved.network, ResidualCNN):
        whiten(saved.network, (normalised(part, mean_C, std_C) for part in sample_NHWC.split(250)))
    return saved


def _growing_average(decay: float) -> Callable[..., None]:
    """How an average of weights is brought up to date: with a decay that grows to `decay`, so that it starts fresh.

    Until `decay` is reached step n counts 9 / (10 + n): an average over the last ninth or so of the steps taken so far,
    however many they are (the polynomial-decay averaging of Shamir and Zhang, 2013, with eta = 8).
    """

    @torch.no_grad()
    def update(averages: list[torch.Tensor], currents: list[torch.Tensor], n_averaged: torch.Tensor) -> None:
        n = int(n_averaged)
        weight = 1 - min(decay, (1 + n) / (10 + n))
        for kept, current in zip(averages, currents, strict=True):
            if kept.is_floating_point():
                kept.lerp_(current.to(kept.dtype), weight)
            else:
                kept.copy_(current)

    return update


def _channel_statistics(sample_NHWC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel over the sample, (C,) each, on the 0..1 scale."""
    total = torch.zeros(sample_NHWC.shape[-1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for part_NHWC in sample_NHWC.split(250):  # a few at a time: large images as floating numbers fill the memory
        pixels = part_NHWC.to(torch.float64).flatten(0, 2) / 255
        total += pixels.sum(0)
        squares += pixels.square().sum(0)
    n = sample_NHWC[..., 0].numel()
    mean_C = total / n
    std_C = (squares / n - mean_C.square()).clamp(min=0).sqrt()
    return mean_C.float(), std_C.clamp(min=1 / 255).float()

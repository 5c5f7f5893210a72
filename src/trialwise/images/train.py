"""From training rows to a trained network: data on the device, whole-batch steps, one result an epoch.

Shapes: N rows, B images of a batch, C channels, H height, W width, K classes.
"""

import dataclasses
from collections.abc import Generator, Iterator

import numpy as np
import torch
from torch import nn

from trialwise.base.seeds import child_seed
from trialwise.images.augment import normalised, shifted_batch
from trialwise.images.networks import ResidualCNN, architecture_for, build_network
from trialwise.images.recipes import TrainSettings
from trialwise.images.saved import SavedModel
from trialwise.images.store import Prepared, open_train, picture_digests, split_train_valid
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import pick_device
from trialwise.training.loop import EpochResult, fit
from trialwise.training.optimizers import build_optimizer, one_cycle

VALID_BATCH = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """A network and the rows it learns from; `epochs` trains it.

    Attributes:
        settings: Fully resolved.
        saved: The network with its preprocessing and its class names.
        images_NHWC: uint8 training and validation rows on the device.
        labels_N: Their classes.
        train_index: Rows to learn from.
        valid_index: Rows to choose by.
        seed: Of this training.
        dtype: What convolutions are computed in.
    """

    settings: TrainSettings
    saved: SavedModel
    images_NHWC: torch.Tensor
    labels_N: torch.Tensor
    train_index: torch.Tensor
    valid_index: torch.Tensor
    seed: int
    dtype: torch.dtype

    @property
    def network(self) -> ResidualCNN:
        """The network in training."""
        return self.saved.network

    def epochs(self, checkpoint: Checkpoint | None = None, *, results_known: int = 0) -> Generator[EpochResult]:
        """Train, one result an epoch; valid scores are "accuracy" and "loss". See `training.loop.fit`."""
        settings = self.settings
        assert settings.epochs is not None
        assert settings.learning_rate is not None
        return fit(
            self.network,
            batches=self._batches,
            loss=nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing),
            validate=self.validate,
            optimizer=build_optimizer(
                self.network, "sgd", learning_rate=settings.learning_rate, weight_decay=settings.weight_decay
            ),
            schedule=one_cycle,
            n_epochs=settings.epochs,
            steps_per_epoch=len(self.train_index) // settings.batch_size,
            seed=self.seed,
            checkpoint=checkpoint,
            results_known=results_known,
            autocast=self.dtype if self.dtype != torch.float32 else None,
        )

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        settings = self.settings
        generator = torch.Generator().manual_seed(child_seed(self.seed, "batches", epoch))
        order = self.train_index[torch.randperm(len(self.train_index), generator=generator)]
        for start in range(0, len(order) - settings.batch_size + 1, settings.batch_size):
            index_B = order[start : start + settings.batch_size].to(self.images_NHWC.device)
            images_BHWC = shifted_batch(
                self.images_NHWC, index_B, shift=settings.shift or 0, flip=settings.flip == "on", generator=generator
            )
            yield normalised(images_BHWC, self.saved.mean, self.saved.std), self.labels_N[index_B]

    def validate(self) -> dict[str, float]:
        """Accuracy and cross-entropy on the validation rows."""
        index = self.valid_index.to(self.images_NHWC.device)
        logits_NK = predict_logits(self.saved, self.images_NHWC, index, dtype=self.dtype)
        labels_N = self.labels_N[index]
        return {
            "accuracy": float((logits_NK.argmax(1) == labels_N).float().mean()),
            "loss": float(nn.functional.cross_entropy(logits_NK, labels_N)),
        }


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


def prepare_training(
    prepared: Prepared, settings: TrainSettings, *, seed: int, split_seed: int, dtype: torch.dtype = torch.float32
) -> Training:
    """Rows and network, ready to train.

    Args:
        prepared: The decoded data.
        settings: Resolved (see `recipes.resolve`).
        seed: Seeds weights, batches and dropout.
        split_seed: Seeds the split into training and validation rows: the same for all trials of a study.
        dtype: What convolutions are computed in; see `training.device.number_format`.

    Raises:
        UserError: `max_params` is too small for this data.
    """
    data = prepared.description
    device = pick_device()
    assert settings.valid_fraction is not None
    rows = open_train(prepared)
    train_index, valid_index = split_train_valid(
        rows.labels_N,
        valid_fraction=settings.valid_fraction,
        seed=child_seed(split_seed, "valid"),
        digests=picture_digests(rows.images_NHWC),
    )
    mean_C, std_C = _channel_statistics(rows.images_NHWC, train_index)
    architecture = architecture_for(
        channels=data.channels,
        image_size=data.height,
        n_classes=len(data.classes),
        max_params=settings.max_params,
        width=settings.width,
        dropout=settings.dropout,
    )
    network = build_network(architecture, seed=child_seed(seed, "weights")).to(device)
    return Training(
        settings=settings,
        saved=SavedModel(
            network=network,
            architecture=architecture,
            classes=data.classes,
            mean=torch.from_numpy(mean_C).to(device),
            std=torch.from_numpy(std_C).to(device),
            flip=settings.flip == "on",
        ),
        images_NHWC=torch.from_numpy(np.ascontiguousarray(rows.images_NHWC)).to(device),
        labels_N=torch.from_numpy(np.ascontiguousarray(rows.labels_N)).to(device),
        train_index=torch.from_numpy(np.ascontiguousarray(train_index)),
        valid_index=torch.from_numpy(np.ascontiguousarray(valid_index)),
        seed=seed,
        dtype=dtype,
    )


def _channel_statistics(images_NHWC: np.ndarray, train_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over (at most 5,000 of) the training rows, on the 0..1 scale."""
    step = max(1, len(train_index) // 5000)
    pixels = images_NHWC[np.sort(train_index[::step])].astype(np.float32) / 255
    mean_C = pixels.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    std_C = pixels.std(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
    return mean_C, np.maximum(std_C, 1 / 255)

"""An image training as a trial: one validation accuracy an epoch, a checkpoint between them."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing

import torch

from trialwise.base.settings import changed
from trialwise.images.budget import n_macs
from trialwise.images.calibrate import calibrated
from trialwise.images.networks import n_params
from trialwise.images.pace import answer_microseconds
from trialwise.images.saved import save_model
from trialwise.images.settings import TrainSettings
from trialwise.images.store import Prepared, open_train
from trialwise.images.train import training_on
from trialwise.training.checkpoints import Checkpoint
from trialwise.tuning.trials import Config, Trial

CHECKPOINT = "checkpoint.pt"
NOTES = ("n_params", "n_macs", "us_per_image", "train_loss")  # the numbers that every complete trial has on record


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageObjective:
    """Trains with the settings that a configuration changes, and yields the validation accuracy of each epoch.

    Attributes:
        prepared: The decoded data: its training rows are all that a trial sees.
        settings: Resolved; what the configuration does not name stays as it is here.
        split_seed: Seeds the validation split, the same for every trial.
        dtype: What convolutions are computed in, "bfloat16" or "float32": found out once for the whole study.
    """

    prepared: Prepared
    settings: TrainSettings
    split_seed: int
    dtype: str

    def __call__(self, config: Config, trial: Trial) -> Iterator[float]:
        """The validation accuracy (0 to 1) after each epoch; the model is saved with the last one."""
        settings = changed(self.settings, {**config, "epochs": trial.max_epochs})
        training = training_on(
            open_train(self.prepared),
            self.prepared.description,
            settings,
            seed=trial.seed,
            split_seed=self.split_seed,
            dtype=getattr(torch, self.dtype),
        )
        trial.notes["n_params"] = n_params(training.network)
        trial.notes["n_macs"] = n_macs(training.saved.architecture)
        assert trial.folder is not None
        checkpoint = Checkpoint(trial.folder / CHECKPOINT)
        chance_N = training.commonest_N()
        with closing(training.epochs(checkpoint, results_known=trial.epochs_done)) as results:
            for result in results:
                trial.notes["train_loss"] = result.train_loss
                trial.saw(training.steps_per_epoch * training.batch_size)
                if result.epoch == trial.max_epochs:
                    trial.notes["us_per_image"] = answer_microseconds(training)
                    save_model(calibrated(training, trial.folder), trial.folder)
                trial.keep_rows(result.epoch, training.right_N(), baseline_N=chance_N)
                yield result.valid["accuracy"]

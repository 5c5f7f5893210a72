"""An LSTM's training as a trial: its validation loss beside that of the naive forecast, a checkpoint between epochs."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from trialwise.base.settings import changed, flat
from trialwise.prices.features import feature_names
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable
from trialwise.prices.train import training_data
from trialwise.statistics.comparisons import block_days
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import threads
from trialwise.tuning.trials import Config, Trial

NOTES = ("n_params",)  # the numbers that every trial has on record
CHECKPOINT = "checkpoint.pt"
FEATURES = ("returns", "returns+volume", "returns+ranges", "returns+volume+ranges+weekday")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriceObjective:
    """Trains with the settings that a configuration changes, on days before the origin.

    Attributes:
        table_train: The days up to the origin, no test day among them; the last 15 % of them validate.
        settings: What the configuration does not name stays as it is here.
    """

    table_train: PriceTable
    settings: BacktestSettings

    def __call__(self, config: Config, trial: Trial) -> Iterator[float]:
        """After each epoch: the validation loss of the weights kept so far, divided by the naive forecast's.

        1 is as good as naive, and nothing is above it: the untrained network is the naive forecast.
        """
        # Nothing stops early here: that is left to pruning.
        never = {"epochs": trial.max_epochs, "patience": trial.max_epochs}
        settings = settings_of(self.settings, config | never)
        assert trial.folder is not None
        checkpoint = Checkpoint(trial.folder / CHECKPOINT)
        with threads(1):
            training = training_data(self.table_train, settings).training(trial.seed)
            trial.notes["n_params"] = sum(parameter.numel() for parameter in training.network.parameters())
            naive = training.best.loss
            done = checkpoint.results()[: trial.epochs_done] if trial.epochs_done else []
            naive_T = training.naive_errors().numpy() / naive
            days = block_days(len(naive_T), settings.horizon)
            errors_T = None
            lowest = min([naive, *(result["valid"]["loss"] for result in done)])
            with closing(training.epochs(checkpoint, results_known=trial.epochs_done)) as results:
                for result in results:
                    lowest = min(lowest, result.valid["loss"])
                    trial.saw(len(training.train.targets_BT))
                    if errors_T is None or training.best.epoch == result.epoch:
                        errors_T = training.best_errors().numpy() / naive
                    trial.keep_rows(result.epoch, errors_T, baseline_N=naive_T, block_length=days)
                    yield lowest / naive


def settings_of(settings: BacktestSettings, config: Config) -> BacktestSettings:
    """The settings with a configuration's values in place of their own; its features stand in one word."""
    features = {"features": config["features"].split("+")} if "features" in config else {}
    return changed(settings, {**config, **features})


def config_of(settings: BacktestSettings) -> Config:
    """The settings as a configuration: the other way round."""
    return flat(settings) | {"features": "+".join(settings.features)}


def search_space(settings: BacktestSettings, table: PriceTable) -> dict[str, dict[str, Any]]:
    """What `price tune` searches, as `tuning.spaces.space_from_document` reads it; `settings` lies inside it."""
    given = config_of(settings)
    by_columns = {feature_names(table, features.split("+")): features for features in reversed(FEATURES)}
    rate = given["learning_rate"]
    return {
        "learning_rate": {"low": rate / 10, "high": min(1.0, rate * 5), "log": True},
        "hidden_size": {"choices": sorted({8, 16, 32, 64, given["hidden_size"]})},
        "n_layers": {"choices": sorted({1, 2, 3, given["n_layers"]})},
        "dropout": {"low": 0.0, "high": max(0.5, given["dropout"])},
        "features": {"choices": sorted({*by_columns.values(), given["features"]})},
    }


def first_rung_epochs(table_train: PriceTable, settings: BacktestSettings) -> int:
    """The epochs before trials are first compared: as many as make 30 steps, and at most a third of all."""
    stretches = max(1, len(split_rows(len(table_train), 0.0).train) // settings.window)
    steps_per_epoch = -(-stretches // settings.batch_size)
    return max(1, min(-(-30 // steps_per_epoch), settings.epochs // 3))

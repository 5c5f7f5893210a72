"""The settings of a price forecaster. No torch here: the command line reads this file for its help."""

import dataclasses
from typing import Literal

from trialwise.base.settings import check_range, setting

FeatureGroup = Literal["returns", "volume", "ranges", "weekday"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkSettings:
    """How far ahead the walk over the test days looks, and how often everything is fitted again on its way."""

    horizon: int = setting(1, "Trading days ahead that are forecast, 1 to 20; each horizon has models of its own")
    refit_every: int | None = setting(
        None, "Test days after which everything is fitted again on all days before; left out, once before the test"
    )

    def __post_init__(self) -> None:
        check_range("horizon", self.horizon, low=1, high=20)
        if self.refit_every is not None:
            check_range("refit_every", self.refit_every, low=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BacktestSettings:
    """How the LSTM is built and trained, and how many of the last days it is tested on."""

    test_fraction: float = setting(
        0.2, "Share of the days, the last ones, kept for the test and never shown to training"
    )
    window: int = setting(60, "Days of history that the LSTM sees before each forecast")
    features: tuple[FeatureGroup, ...] = setting(
        ("returns", "volume"), "What the LSTM sees of each day: returns, volume, ranges, weekday"
    )
    hidden_size: int = setting(32, "Width of an LSTM layer")
    n_layers: int = setting(1, "LSTM layers on top of each other")
    dropout: float = setting(0.0, "Share of LSTM outputs dropped in training, after every layer")
    epochs: int = setting(
        40, "Passes over the training days at most; the pass that is best on the validation days is kept"
    )
    patience: int = setting(10, "Epochs without a better validation loss after which training stops")
    learning_rate: float = setting(5e-3, "Step size of AdamW")
    batch_size: int = setting(8, "Stretches of 2 x window days in one training step")
    walk: WalkSettings = dataclasses.field(default_factory=WalkSettings)
    configurations_tried: int = setting(1, "Configurations among which this one was chosen; the verdict names them")

    def __post_init__(self) -> None:
        check_range("test_fraction", self.test_fraction, low=0.05, high=0.5)
        check_range("window", self.window, low=2, high=1000)
        check_range("hidden_size", self.hidden_size, low=1, high=1024)
        check_range("n_layers", self.n_layers, low=1, high=8)
        check_range("dropout", self.dropout, low=0.0, high=0.9)
        check_range("epochs", self.epochs, low=1, high=1000)
        check_range("patience", self.patience, low=1)
        check_range("learning_rate", self.learning_rate, low=0.0, high=1.0, low_open=True)
        check_range("batch_size", self.batch_size, low=1)
        check_range("configurations_tried", self.configurations_tried, low=1)

    @property
    def horizon(self) -> int:
        """Trading days ahead that are forecast."""
        return self.walk.horizon

"""`PriceForecaster`: the LSTM of `trialwise price backtest`, with `fit` and `predict`."""

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags  # type: ignore[missing-module-attribute]
from sklearn.utils.validation import (
    check_is_fitted,
    validate_data,  # type: ignore[missing-module-attribute]
)

from trialwise.api.estimators.price_columns import table_of
from trialwise.api.estimators.saving import (
    InputError,
    begin_saving,
    given_settings,
    input_errors,
    params_of,
    read_saved,
    restore_features,
    seed_of,
)
from trialwise.base.settings import check_range, fill, flat
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import check_fits
from trialwise.prices.table import PriceTable

SCHEMA = "trialwise.price-forecaster/1"
NOT_HERE = ("test_fraction", "refit_every")  # of a backtest: whoever cross-validates decides them


class PriceForecaster(RegressorMixin, BaseEstimator):
    """Closes to come, forecast by LSTMs that know how far to trust themselves.

    `X` is a table of daily prices, oldest first: an array of closes (N,) or (N, 1), or (N, F) with the close, the
    volume and other symbols' closes in this order, or a data frame with a column `close`. There is no `y` to prepare:
    what is to be forecast on the evening of a row is the close `horizon` rows later, in X itself.

    A forecast of a row looks at that row and the `window` - 1 before it, in the same X, and at no later one. Rows
    with fewer before them get the naive forecast, their own close. The networks' forecast is scaled by the share of it
    that the last 15 % of the fitted days bear out, often 0: then every forecast is the naive one.

    Args:
        horizon: Rows ahead that are forecast, 1 to 20.
        window: Rows that a forecast looks at; None: 60.
        hidden_size: Width of the LSTMs; None: 32.
        n_layers: Layers of the LSTMs; None: 1.
        epochs: Passes over the days at most; None: 40.
        learning_rate: Step size; None: 0.005.
        n_networks: Networks of several seeds whose mean is the forecast.
        settings: Any other field of `prices.recipes.BacktestSettings` by name, such as `features`.
        random_state: The one seed: as in scikit-learn, and a whole number is what `--seed` is on the command line.

    Attributes:
        n_features_in_: Columns of X.
        shrinkage_: The share of the networks' forecast that is used, in [0, 1].
        history_: For each network, one dict an epoch: "epoch", "train_loss", "valid" and "seconds".
        seed_: The seed that was used.
        model_: `prices.train.TrainedForecaster`.
    """

    def __init__(
        self,
        *,
        horizon: int = 1,
        window: int | None = None,
        hidden_size: int | None = None,
        n_layers: int | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        n_networks: int = 3,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.horizon = horizon
        self.window = window
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.n_networks = n_networks
        self.settings = settings
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on all days of X, the last 15 % of which choose epochs and shrinkage.

        Args:
            X: Prices, oldest first.
            y: Not needed, and not trained on. Where it is given and is not the close `horizon` rows later, a warning
                says so.

        Raises:
            InputError: X or a parameter cannot be used; it is a `ValueError`.
            WorkError: The loss is no longer a number.
        """
        from trialwise.prices.train import train_lstm  # here: torch takes a second to load

        with input_errors():
            settings = self._settings()
            check_range("n_networks", self.n_networks, low=1)
            table, y_N = self._table(X, y, reset=True)
            if len(table) <= settings.window + settings.horizon:
                raise InputError(
                    f"X: {len(table)} sample(s) are too few for a window of {settings.window} and a horizon of "
                    f"{settings.horizon}"
                )
            check_fits(table, settings, test_fraction=0.0)
            if y_N is not None:
                self._compare(table, y_N)
            seed = seed_of(self.random_state)
            trained = train_lstm(table, settings, seed=seed, n_seeds=self.n_networks)
        self._keep(trained)
        self.seed_: int | None = seed
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The forecast close (N,) `horizon` rows after each row of X; the last one is the next day's.

        Raises:
            InputError: X has other columns than in `fit`, or cannot be used.
        """
        check_is_fitted(self, "model_")
        with input_errors():
            table, _ = self._table(X, None, reset=False)
        return table.close * np.exp(self._moves(table))

    def naive(self, X: Any) -> NDArray[np.float64]:
        """The naive forecast (N,) of the same days: each row's own close."""
        check_is_fitted(self, "model_")
        with input_errors():
            return self._table(X, None, reset=False)[0].close.copy()

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The skill over the naive forecast: 1 less the ratio of squared errors of the log-returns over the horizon.

        0 is as good as tomorrow = today, below 0 is worse, and 0.01 is much (the out-of-sample R2 of Campbell &
        Thompson 2008 with a forecast of no change). It is not the R2 of prices, which the naive forecast brings to
        0.99. Rows without `window` - 1 rows before them count as naive ones.

        Args:
            X: Prices, oldest first.
            y: The close `horizon` rows after each row, where it is known better than from X; without it the last
                `horizon` rows are not judged.
            sample_weight: The weight (N,) of each row.

        Raises:
            InputError: No row can be judged, or X cannot be used.
        """
        check_is_fitted(self, "model_")
        with input_errors():
            table, y_N = self._table(X, y, reset=False)
        horizon = self.model_.settings.horizon
        if y_N is None:
            y_N = np.append(table.close[horizon:], np.full(min(horizon, len(table)), np.nan))[: len(table)]
        elif not (y_N > 0).all():
            raise InputError("y: expected closes, which are above 0")
        judged_N = ~np.isnan(y_N)
        if not judged_N.any():
            raise InputError(f"X: expected more than {horizon} samples to judge a forecast, got {len(table)}")
        actual_N = np.log(y_N[judged_N] / table.close[judged_N])
        errors_N = actual_N - self._moves(table)[judged_N]
        weights_N = np.ones(len(table)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        weights_N = weights_N[judged_N]
        naive_loss = float(weights_N @ actual_N**2)
        return 1.0 - float(weights_N @ errors_N**2) / naive_loss if naive_loss else 0.0

    def save(self, folder: Path | str) -> Path:
        """Write the fitted forecaster into a new folder, without pickle: three files.

        `model.safetensors` and `model.json` are those of a run of `price backtest`; `estimator.json` holds the rest.

        Raises:
            InputError: The folder already holds something, or a parameter has no place in JSON.
        """
        check_is_fitted(self, "model_")
        from trialwise.prices.saved import save_forecaster

        folder = Path(folder)
        begin_saving(self, SCHEMA, folder, {"seed": self.seed_})
        save_forecaster(self.model_, folder)
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """The forecaster that `save` wrote, or that of a run of `price backtest`; its forecasts are the same.

        Raises:
            InputError: The folder holds neither, or files of an unknown format.
        """
        from trialwise.prices.saved import load_forecaster

        folder = Path(folder)
        document = read_saved(folder, SCHEMA)
        with input_errors():
            trained = load_forecaster(folder)
        if document is None:
            named = flat(trained.settings)
            own = {name: named.pop(name) for name in cls().get_params(deep=False) if name in named}
            others = {name: value for name, value in named.items() if name not in NOT_HERE}
            loaded = cls(**own, n_networks=len(trained.ensemble.networks), settings=others)
            loaded.seed_ = None  # the run folder keeps it
        else:
            loaded = cls(**params_of(cls, document, folder))
            loaded.seed_ = document["fitted"].get("seed")
            restore_features(loaded, document)
        loaded._keep(trained)
        return loaded

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[missing-attribute]
        tags.target_tags.required = False
        tags.target_tags.positive_only = True
        tags.input_tags.positive_only = True
        tags.regressor_tags.poor_score = True  # nobody forecasts closes much better than the naive forecast
        return tags

    def _settings(self) -> BacktestSettings:
        given = given_settings(
            horizon=self.horizon,
            window=self.window,
            hidden_size=self.hidden_size,
            n_layers=self.n_layers,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            settings=self.settings,
        )
        for name in NOT_HERE:
            if name in given:
                raise InputError(f"settings: {name} is of a backtest", hint="TimeSeriesSplit says what is tested when")
        return fill(BacktestSettings, given)

    def _table(self, X: Any, y: Any, *, reset: bool) -> tuple[PriceTable, NDArray[np.float64] | None]:
        """Prices, and the closes to come where they are given, checked as scikit-learn checks them."""
        names, index = _columns(X), getattr(X, "index", None)
        dates = index if getattr(index, "dtype", None) is not None and index.dtype.kind == "M" else None
        if dates is None and "weekday" in self._settings().features:
            raise InputError("features: weekday needs the days", hint="a data frame with a DatetimeIndex")
        if _is_closes(X):
            X = np.asarray(X).reshape(-1, 1)
        if y is None:
            values_NF, y_N = validate_data(self, X, reset=reset, dtype=np.float64), None
        else:
            values_NF, y_N = validate_data(self, X, y, reset=reset, dtype=np.float64, y_numeric=True)
            y_N = np.asarray(y_N, dtype=np.float64)
        return table_of(values_NF, names, dates), y_N

    def _moves(self, table: PriceTable) -> NDArray[np.float64]:
        """(N,) forecast log-returns over the horizon, each made on the evening of its row; 0 is the naive one."""
        from trialwise.prices.forecast import as_trained, with_more_days
        from trialwise.prices.train import forecast_returns

        settings = self.model_.settings
        first = settings.window - 1
        moves_N = np.zeros(len(table))
        if len(table) > first:
            with input_errors():
                longer = with_more_days(as_trained(self.model_.scaler.names, table), settings.horizon)
            moves_N[first:] = forecast_returns(self.model_, longer, first + settings.horizon)
        return moves_N

    def _compare(self, table: PriceTable, y_N: NDArray[np.float64]) -> None:
        horizon = self._settings().horizon
        if not np.allclose(y_N[: len(table) - horizon], table.close[horizon:], rtol=1e-6):
            warnings.warn(
                f"y is not trained on, and it is not the close {horizon} rows later in X, which is", stacklevel=3
            )

    def _keep(self, trained: Any) -> None:
        self.model_ = trained
        self.shrinkage_ = float(trained.shrinkage)
        self.history_ = [[dataclasses.asdict(epoch) for epoch in epochs] for epochs in trained.ensemble.epochs]


def _is_closes(X: Any) -> bool:
    """Whether X is a row of closes: one number a day, as a pandas Series or an array (N,)."""
    return getattr(X, "ndim", None) == 1


def _columns(X: Any) -> tuple[str, ...] | None:
    columns = getattr(X, "columns", None)
    return None if columns is None else tuple(map(str, columns))

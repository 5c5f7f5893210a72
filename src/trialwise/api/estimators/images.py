"""`ImageClassifier`: what `trialwise image train` trains, with `fit` and `predict`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_is_fitted,
    check_X_y,
    column_or_1d,
    validate_data,  # type: ignore[missing-module-attribute]
)

from trialwise.api.estimators.pictures import (
    PictureForm,
    form_of,
    form_of_files,
    is_files,
    pictures,
    pictures_of_files,
)
from trialwise.api.estimators.saving import (
    FILE,
    InputError,
    begin_saving,
    given_settings,
    input_errors,
    params_of,
    read_saved,
    restore_features,
    seed_of,
)
from trialwise.base.settings import fill
from trialwise.images.recipes import RecipeName
from trialwise.images.settings import TrainSettings

SCHEMA = "trialwise.image-classifier/1"


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """A small, fast CNN: the classifier of `trialwise image train`, in the shape of scikit-learn.

    `X` is an array of pictures, (N, H, W), (N, H, W, 3) or flat (N, F), or a list of image files. 8-bit numbers
    (uint8) are taken as they are; of all others the smallest value in `fit` becomes black and the largest white, in
    256 shades. A part of the rows (`valid_fraction`) is kept aside in `fit` to calibrate probabilities.

    Args:
        recipe: Which settings to begin with: "auto", or a name of `images.recipes`.
        epochs: Passes over the rows; None: it follows from their number.
        max_params: Most parameters the network may have; None: the recipe's, 200,000.
        batch_size: Images in one step; None: it follows from the number of rows.
        learning_rate: Peak learning rate; None: it follows from the optimizer and the number of steps.
        dropout: Share of the last features dropped in training; None: the recipe's.
        valid_fraction: Share of the rows kept for validation; None: a tenth, or a fifth below 10,000 rows.
        settings: Any other field of `images.settings.TrainSettings` by name.
        image_shape: What flat rows are: (H, W) or (H, W, 3); None: square and grey. "pad" lays features that are no
            picture out in a square that is filled up with black.
        n_threads: PyTorch threads; None: the free cores, or 1 where the images are few.
        random_state: The one seed: as in scikit-learn, and a whole number is what `--seed` is on the command line.

    Attributes:
        classes_: The labels, sorted.
        n_features_in_: Values of a row; only where arrays were given.
        history_: One dict an epoch: "epoch", "train_loss", "valid" and "seconds".
        settings_: The settings that were used, everything filled in, by name.
        seed_: The seed that was used.
        model_: The network with its preprocessing: `images.saved.SavedModel`.
    """

    def __init__(
        self,
        *,
        recipe: RecipeName = "auto",
        epochs: int | None = None,
        max_params: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        valid_fraction: float | None = None,
        settings: Mapping[str, Any] | None = None,
        image_shape: tuple[int, ...] | Literal["pad"] | None = None,
        n_threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.recipe = recipe
        self.epochs = epochs
        self.max_params = max_params
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.valid_fraction = valid_fraction
        self.settings = settings
        self.image_shape = image_shape
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train on pictures and their labels; nothing is written.

        Raises:
            InputError: X, y or a parameter cannot be used; it is a `ValueError`.
            WorkError: The loss is no longer a number.
        """
        from trialwise.api.estimators.fitting import train_rows  # here: torch takes a second to load

        given = given_settings(
            epochs=self.epochs,
            max_params=self.max_params,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            dropout=self.dropout,
            valid_fraction=self.valid_fraction,
            settings=self.settings,
        )
        with input_errors():
            fill(TrainSettings, given)
            images_NHWC, labels, form = self._taken_in(X, y, given.get("image_size"))
            classes, labels_N = np.unique(labels, return_inverse=True)
            seed = seed_of(self.random_state)
            found = train_rows(
                images_NHWC,
                labels_N.astype(np.int64),
                classes=tuple(map(str, classes)),
                recipe=self.recipe,
                given=given,
                seed=seed,
                n_threads=self.n_threads,
            )
        self.classes_, self.seed_ = classes, seed
        self.history_, self.settings_, self.model_ = found.history, found.settings, found.model
        self._form, self._n_threads = form, found.n_threads
        self._make_ready()
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Calibrated probabilities (N, K) of each class, in the order of `classes_`.

        Raises:
            InputError: X is not of the kind and size that `fit` was given.
        """
        check_is_fitted(self, "model_")
        from trialwise.images.predict import predict_images

        if is_files(X):
            images_NHWC = pictures_of_files(X, self._form)
        elif np.asarray(X).ndim > 2:
            images_NHWC = pictures(check_array(X, allow_nd=True), self._form)
        else:
            images_NHWC = pictures(validate_data(self, X, reset=False), self._form)
        # Filled up to whole batches: kernels round by the size of a batch, and no answer may depend on its neighbours.
        n_more = -len(images_NHWC) % self._predictor.batch_size
        filled_NHWC = np.pad(images_NHWC, ((0, n_more), (0, 0), (0, 0), (0, 0)))
        return predict_images(self._predictor, filled_NHWC)[: len(images_NHWC)]

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label (N,) of each picture."""
        probabilities_NK = self.predict_proba(X)
        return self.classes_[probabilities_NK.argmax(axis=1)]

    def save(self, folder: Path | str) -> Path:
        """Write the fitted classifier into a new folder, without pickle: three files.

        `model.safetensors` and `model.json` are those of a run of `image train`; `estimator.json` holds the rest.

        Raises:
            InputError: The folder already holds something, or a parameter or a label has no place in JSON.
        """
        check_is_fitted(self, "model_")
        from trialwise.images.saved import save_model

        folder, labels = Path(folder), self.classes_.tolist()
        if not all(isinstance(label, str | int | float | bool) for label in labels):
            raise InputError(f"labels of type {type(labels[0]).__name__} cannot be saved in a JSON file")
        fitted = {
            "classes": labels,
            "dtype": self.classes_.dtype.str if self.classes_.dtype != object else "object",
            "seed": self.seed_,
            "n_threads": self._n_threads,
            "form": dataclasses.asdict(self._form),
            "settings": self.settings_,
            "history": self.history_,
        }
        begin_saving(self, SCHEMA, folder, fitted)
        save_model(self.model_, folder)
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """The classifier that `save` wrote, or the model of a run of `image train` or `image tune`.

        Its predictions are those of the one that was saved. A run's labels are its classes' names, its arrays are
        uint8, or floats in 0..255, of its model's own size.

        Raises:
            InputError: The folder holds neither, or files of an unknown format.
        """
        from trialwise.images.saved import load_model
        from trialwise.training.device import free_cores, pick_device

        folder = Path(folder)
        document = read_saved(folder, SCHEMA)
        with input_errors():
            model = load_model(folder, pick_device())
        loaded = cls() if document is None else cls(**params_of(cls, document, folder))
        loaded.model_ = model
        if document is None:
            side, channels = model.architecture.image_size, model.architecture.channels
            loaded._form = PictureForm(shape=(side, side, channels), low=0.0, high=255.0, size=side, channels=channels)
            loaded.classes_ = np.asarray(model.classes)
            loaded.n_features_in_ = side * side * channels
            loaded._n_threads = free_cores()
            loaded.seed_, loaded.settings_, loaded.history_ = None, {}, []  # the run folder keeps them
        else:
            try:
                loaded._restore(document["fitted"])
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(f"{folder / FILE} is damaged: {error}") from None
            restore_features(loaded, document)
        if len(loaded.classes_) != model.architecture.n_classes:
            raise InputError(f"{folder / FILE} and model.json do not belong together: they have other classes")
        loaded._make_ready()
        return loaded

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        self.classes_ = np.asarray(fitted["classes"], dtype=np.dtype(fitted["dtype"]))
        self._form = fill(PictureForm, fitted["form"], where=FILE)
        self.seed_, self._n_threads = fitted["seed"], int(fitted["n_threads"])
        self.settings_, self.history_ = fitted["settings"], fitted["history"]

    def _taken_in(self, X: Any, y: Any, image_size: int | None) -> tuple[NDArray[np.uint8], NDArray[Any], PictureForm]:
        """Pictures and labels as they come, checked as scikit-learn checks them."""
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        if is_files(X):
            if y is None:
                raise InputError("y: expected the class of each image file, got None")
            labels = column_or_1d(y, warn=True)
            if len(labels) != len(X):
                raise InputError(f"y: expected {len(X)} labels, one for each image file, got {len(labels)}")
            form = form_of_files(X, image_size)
            images_NHWC = pictures_of_files(X, form)
        else:
            if np.asarray(X).ndim > 2:
                values, labels = check_X_y(X, y, allow_nd=True)
                self.n_features_in_ = int(np.prod(values.shape[1:]))
            else:
                values, labels = validate_data(self, X, y)
            form = form_of(values, self.image_shape, image_size)
            images_NHWC = pictures(values, form)
        check_classification_targets(labels)
        return images_NHWC, labels, form

    def _make_ready(self) -> None:
        from trialwise.images.predict import predictor
        from trialwise.training.device import number_format, pick_device

        self._predictor = predictor(self.model_, dtype=number_format(pick_device()).dtype, n_workers=self._n_threads)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_predictor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "model_"):
            self._make_ready()

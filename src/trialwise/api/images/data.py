"""The data of an image run: prepared, recorded, and found again."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.api.runs import Stage, Watch
from trialwise.base.errors import UserError
from trialwise.base.files import replacing
from trialwise.base.runs import RunFolder
from trialwise.base.settings import changed, fill, flat, flat_names
from trialwise.images.recipes import RecipeName, recipe_for
from trialwise.images.settings import TrainSettings, epochs_for_tuning, resolve
from trialwise.images.sources import NAMES, find_source
from trialwise.images.store import DataDescription, Prepared, open_train, picture_digests, prepare

TRAINED_ON = "trained_on.npy"


def prepared_again(run: RunFolder, watch: Watch) -> Prepared:
    """The data that a run was made on.

    Raises:
        UserError: It is gone, or it has changed since.
    """
    settings = run.settings
    data_dir = Path(settings["data_dir"]) if settings["data_dir"] else None
    prepared = prepare_data(settings["data"], data_dir, settings["train"]["image_size"], watch)
    if prepared.description.content_sha256 != run.settings["content_sha256"]:
        raise UserError(
            f"{settings['data']} is not what it was when {run.label} was made",
            hint="some of its test rows may be among those trained on; train again on what it is now",
        )
    return prepared


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """The settings of a run and where they come from.

    Attributes:
        recipe: What they began with; None where they were given whole.
        given: With what was left open left open.
        settings: Resolved.
    """

    recipe: str | None
    given: TrainSettings
    settings: TrainSettings

    def lasting(self, epochs: int, data: DataDescription) -> "Chosen":
        """The same with `epochs`, and everything that follows from them."""
        given = dataclasses.replace(self.given, epochs=epochs)
        return dataclasses.replace(self, settings=_resolved(given, data))


def _resolved(given: TrainSettings, data: DataDescription) -> TrainSettings:
    return resolve(given, n_train=data.n_train, image_size=data.height, channels=data.channels)


def data_and_settings(
    data: str,
    recipe: RecipeName,
    settings: TrainSettings | Mapping[str, Any] | None,
    data_dir: Path | None,
    watch: Watch,
    *,
    tuning: bool = False,
    trained_in: RunFolder | None = None,
) -> tuple[Prepared, Chosen]:
    """The data that `data` names, decoded, and the settings with what was left open filled in from it.

    Args:
        data: See `find_source`.
        recipe: Which settings to begin with.
        settings: Changes to the recipe by name, or all settings.
        data_dir: See `find_source`.
        watch: Sees how reading goes.
        tuning: Whether the settings are those of a trial, whose epochs are fewer where they are left open.
        trained_in: The run of the model to go on from, whose network and image size are taken over.
    """
    whole = isinstance(settings, TrainSettings)
    given = flat(settings) if isinstance(settings, TrainSettings) else flat_names(TrainSettings, settings or {})
    if trained_in is not None:
        given = given | _network_of(trained_in, given)
    image_size = given.get("image_size")
    prepared = prepare_data(data, data_dir, image_size, watch)
    description = prepared.description
    if trained_in is not None:
        given = given | _validation_of(trained_in, given, description.content_sha256)
    if tuning and given.get("epochs") is None:
        given = given | {"epochs": epochs_for_tuning(description.n_train)}
    chosen = chosen_settings(recipe, given, description, goes_on=trained_in is not None)
    return prepared, dataclasses.replace(chosen, recipe=None) if whole else chosen


def chosen_settings(
    recipe: RecipeName, given: Mapping[str, Any], description: DataDescription, *, goes_on: bool = False
) -> Chosen:
    """The settings for this data: the recipe's, changed as given, with what was left open filled in.

    Args:
        recipe: Which settings to begin with.
        given: Changes to it, by name.
        description: The data.
        goes_on: Whether a trained model is there to go on from.
    """
    name, base = recipe_for(recipe, n_train=description.n_train)
    complete = changed(base, given)
    if complete.freeze != "none" and not goes_on:
        raise UserError(
            f"--freeze {complete.freeze}: nothing is trained yet", hint="--from RUN goes on from a trained model"
        )
    return Chosen(recipe=name, given=complete, settings=_resolved(complete, description))


def _network_of(trained_in: RunFolder, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a model to go on from decides.

    Raises:
        UserError: One of them was given all the same.
    """
    own = fill(TrainSettings, trained_in.settings["train"])
    decided = flat(own.network) | {"image_size": own.image_size}
    for name in decided:
        if given.get(name, decided[name]) != decided[name]:
            raise UserError(f"--{name.replace('_', '-')} cannot be changed: the model to go on from decides it")
    return decided


def _validation_of(trained_in: RunFolder, given: Mapping[str, Any], content: str) -> dict[str, Any]:
    """The share of the rows for choosing, where the data is that of the model to go on from; nothing where it is not.

    Raises:
        UserError: Another one was given: some of its rows were trained on.
    """
    fraction = trained_in.settings["train"].get("valid_fraction")
    if trained_in.settings["content_sha256"] != content or fraction is None:
        return {}
    if given.get("valid_fraction") not in (None, fraction):
        raise UserError(
            f"--set valid_fraction={given['valid_fraction']:g}: on the images of {trained_in.label} it is {fraction:g}",
            hint="the model to go on from was trained on the other images: they cannot become validation images",
        )
    return {"valid_fraction": fraction}


def prepare_data(data: str, data_dir: Path | None, image_size: int | None, watch: Watch) -> Prepared:
    """The images that `data` names, decoded and split; reading is reported to `watch`."""

    def progress(done: int, total: int | None) -> None:
        watch(Stage(name="reading images", done=done, total=total))

    data_dir = data_dir.expanduser() if data_dir else None
    return prepare(find_source(data, data_dir=data_dir), image_size=image_size, progress=progress)


def run_record(data: str, data_dir: Path | None, settings: TrainSettings, prepared: Prepared) -> dict[str, Any]:
    """What a run folder records of the data and the settings, enough to find both again."""
    return {
        "data": data if data in NAMES else str(Path(data).expanduser().absolute()),
        "data_dir": str(data_dir.expanduser().absolute()) if data_dir else None,
        "content_sha256": prepared.description.content_sha256,
        "train": dataclasses.asdict(settings),
    }


def split_seed_of(run: RunFolder) -> int:
    """What splits a run's rows into training and validation: its own seed, or that of the run it went on from."""
    return run.settings.get("split_seed", run.seed)


def data_document(prepared: Prepared) -> dict[str, Any]:
    """What the data is, as plain JSON values."""
    data = prepared.description
    document = {
        name: getattr(data, name)
        for name in ("name", "kind", "classes", "channels", "height", "width", "n_train", "n_test", "test_origin")
    }
    return document | {
        "train_counts": dict(zip(data.classes, data.train_counts, strict=True)),
        "n_left_out": len(data.left_out),
        "left_out": [{"file": file, "reason": reason} for file, reason in data.left_out],
        "content_sha256": data.content_sha256,
        "notes": data.notes,
    }


def save_trained_on(prepared: Prepared, folder: Path, earlier: Path | None = None) -> None:
    """Keep digests of the rows trained on, by which other data can be told to be really other.

    Args:
        prepared: The data.
        folder: The run folder.
        earlier: The run folder whose model was gone on from: its rows were trained on too.
    """
    digests = picture_digests(open_train(prepared).images_NHWC)
    digests_N8 = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
    if earlier is not None:
        digests_N8 = np.unique(np.concatenate([digests_N8, trained_on(earlier)]), axis=0)
    with replacing(folder / TRAINED_ON) as partial, partial.open("wb") as file:
        np.save(file, digests_N8)


def trained_on(folder: Path) -> NDArray[np.uint8]:
    """The digests (N, 8) of the rows that the model in a run folder was trained on, those before it included."""
    return np.load(folder / TRAINED_ON, allow_pickle=False)

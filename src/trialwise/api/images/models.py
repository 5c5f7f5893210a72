"""The trained model of a run, opened to be used."""

from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.images.predict import Predictor, predictor
from trialwise.images.saved import SavedModel, load_model
from trialwise.training.device import free_cores, number_format, pick_device


def open_model(run: RunFolder | Path | str) -> tuple[RunFolder, SavedModel]:
    """The run folder and its model.

    Raises:
        UserError: It is no run of image train or image tune, or it has no model yet.
    """
    run = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if not run.kind.startswith("image-"):
        raise UserError(f"{run.label} is a run of {run.kind}: expected one of image train or image tune")
    return run, load_model(run.path, pick_device())


def open_predictor(saved: SavedModel) -> Predictor:
    """The model ready for many images, in the number format that is fastest here, on the cores that are free."""
    return predictor(saved, dtype=number_format(pick_device()).dtype, n_workers=free_cores())

"""At the end of a training: what the weights say of the validation rows, kept, and a temperature from it.

Shapes: N rows, K classes.
"""

import dataclasses
from pathlib import Path

from trialwise.images.predictions import ValidPredictions, save_predictions
from trialwise.images.saved import SavedModel
from trialwise.images.train import Training, predict_logits
from trialwise.statistics.calibration import fit_temperature


def calibrated(training: Training, folder: Path | None = None) -> SavedModel:
    """The trained model with the temperature that suits its validation rows best.

    What it says of each of them is kept in `folder` where there is one, as `valid_predictions.npz`.
    """
    index_N = training.valid_index.to(training.images_NHWC.device)
    logits_NK = predict_logits(training.saved, training.images_NHWC, index_N, dtype=training.dtype)
    found = ValidPredictions(
        rows_N=training.valid_index.cpu().numpy(),
        labels_N=training.labels_N[index_N].cpu().numpy(),
        logits_NK=logits_NK.float().cpu().numpy(),
    )
    if folder is not None:
        save_predictions(found, folder)
    temperature = fit_temperature(found.logits_NK, found.labels_N)
    return dataclasses.replace(training.saved, temperature=temperature)

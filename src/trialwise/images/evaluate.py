"""How good a trained classifier is: the test rows, read here and nowhere else.

Shapes: N rows, K classes.
"""

from typing import Any

import numpy as np
import torch

from trialwise.base.errors import UserError
from trialwise.images.held_out import open_test
from trialwise.images.saved import SavedModel
from trialwise.images.store import Prepared
from trialwise.images.train import predict_logits
from trialwise.statistics.intervals import wilson_interval


def evaluate(saved: SavedModel, prepared: Prepared, *, tta: bool) -> dict[str, Any]:
    """Test accuracy with its 95 % interval, by class, and the confusion matrix.

    Args:
        saved: The trained model.
        prepared: Data with the same classes and image shape.
        tta: Whether to give, beside the plain accuracy, the one averaged over each image and its mirror image.

    Returns:
        "accuracy" (plain), "ci95" (Wilson), "n", "accuracy_tta" where asked, "per_class" and "confusion"
        (rows: true class, columns: predicted class).

    Raises:
        UserError: The data does not fit the model, or mirror images do not fit the way it was trained.
    """
    data = prepared.description
    model_shape = (saved.architecture.channels, saved.architecture.image_size)
    if data.classes != saved.classes:
        raise UserError(
            f"the classes of {data.name} ({', '.join(data.classes[:5])}, ...) are not those of the model "
            f"({', '.join(saved.classes[:5])}, ...)"
        )
    if (data.channels, data.height) != model_shape:
        raise UserError(
            f"{data.name} has {data.channels}-channel images of {data.height} pixels, the model takes "
            f"{model_shape[0]}-channel images of {model_shape[1]} pixels"
        )
    if tta and not saved.flip:
        raise UserError("--tta averages over mirror images, and this model was trained without flips")
    rows = open_test(prepared)
    device = saved.mean.device
    images_NHWC = torch.from_numpy(np.array(rows.images_NHWC)).to(device)
    index_N = torch.arange(len(images_NHWC), device=device)
    plain_NK = predict_logits(saved, images_NHWC, index_N)
    predicted_N = plain_NK.argmax(1).cpu().numpy()
    labels_N = np.asarray(rows.labels_N)
    n_right = int((predicted_N == labels_N).sum())
    result: dict[str, Any] = {
        "accuracy": n_right / len(labels_N),
        "ci95": wilson_interval(n_right, len(labels_N)),
        "n": len(labels_N),
    }
    if tta:
        mirrored_NK = predict_logits(saved, images_NHWC.flip(2), index_N)
        averaged_N = (plain_NK.softmax(1) + mirrored_NK.softmax(1)).argmax(1).cpu().numpy()
        result["accuracy_tta"] = float((averaged_N == labels_N).mean())
    confusion_KK = np.zeros((len(saved.classes),) * 2, dtype=int)
    np.add.at(confusion_KK, (labels_N, predicted_N), 1)
    per_class = {
        name: {"n": int(row.sum()), "accuracy": float(row[i] / row.sum()) if row.sum() else None}
        for i, (name, row) in enumerate(zip(saved.classes, confusion_KK, strict=True))
    }
    return result | {"per_class": per_class, "confusion": confusion_KK.tolist(), "classes": list(saved.classes)}

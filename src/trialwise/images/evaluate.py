"""How good a trained classifier is: the test rows, read here and nowhere else.

Shapes: N rows, H height, W width, C channels, K classes.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.images.held_out import open_test
from trialwise.images.saved import SavedModel
from trialwise.images.store import DataDescription, Prepared, Rows, open_train, picture_digests
from trialwise.images.tensors import as_tensor
from trialwise.images.train import predict_logits
from trialwise.statistics.intervals import wilson_interval
from trialwise.training.device import number_format


def evaluate(
    saved: SavedModel, prepared: Prepared, *, tta: bool, trained_on: NDArray[np.uint8] | None = None
) -> dict[str, Any]:
    """Test accuracy with its 95 % interval, by class, and the confusion matrix.

    Args:
        saved: The trained model.
        prepared: The model's own data, or other data of the same classes.
        trained_on: For other data: the digests (N, 8) of the rows that the model was trained on. The test is then
            the data's test folder, or all of it where it has none, without pictures that are among these rows.
        tta: Whether to give, beside the plain accuracy, the one averaged over each image and its mirror image.

    Returns:
        "accuracy" (plain), "ci95" (Wilson), "n", "accuracy_tta" where asked, "per_class" and "confusion" (rows: true
        class, columns: predicted class), "classes"; "n_seen_in_training" rows were left out.

    Raises:
        UserError: The data does not fit the model, nothing is left of it, or mirror images do not fit the way the
            model was trained.
    """
    if tta and not saved.flip:
        raise UserError("--tta averages over mirror images, and this model was trained without flips")
    check_fit(saved, prepared.description)
    channels = saved.architecture.channels
    rows, n_seen = (open_test(prepared), 0) if trained_on is None else _unseen_rows(prepared, trained_on, channels)
    device = saved.mean.device
    images_NHWC = as_tensor(rows.images_NHWC).to(device)
    index_N = torch.arange(len(images_NHWC), device=device)
    dtype = number_format(device).dtype
    plain_NK = predict_logits(saved, images_NHWC, index_N, dtype=dtype)
    labels_N = np.asarray(rows.labels_N)
    result = _scores(plain_NK.argmax(1).cpu().numpy(), labels_N, saved.classes) | {"n_seen_in_training": n_seen}
    if tta:
        mirrored_NK = predict_logits(saved, images_NHWC.flip(2), index_N, dtype=dtype)
        averaged_N = (plain_NK.softmax(1) + mirrored_NK.softmax(1)).argmax(1).cpu().numpy()
        result["accuracy_tta"] = float((averaged_N == labels_N).mean())
    return result


def check_fit(saved: SavedModel, data: DataDescription) -> None:
    """Refuse data whose classes or image shape are not the model's.

    Raises:
        UserError: Naming what differs.
    """
    if data.classes != saved.classes:
        raise UserError(
            f"the classes of {data.name} ({', '.join(data.classes[:5])}, ...) are not those of the model "
            f"({', '.join(saved.classes[:5])}, ...)"
        )
    shape = saved.architecture
    if data.channels > shape.channels or data.height != shape.image_size:
        raise UserError(
            f"{data.name} has {data.channels}-channel images of {data.height} pixels, the model takes "
            f"{shape.channels}-channel images of {shape.image_size} pixels"
        )


def _unseen_rows(other: Prepared, trained_on: NDArray[np.uint8], channels: int) -> tuple[Rows, int]:
    """The rows of other data to test on, without those that were trained on, and how many those are."""
    parts = [open_test(other)]
    if other.description.test_origin == "split off":
        parts.append(open_train(other))
    images_NHWC = np.concatenate([part.images_NHWC for part in parts])
    labels_N = np.concatenate([part.labels_N for part in parts])
    if images_NHWC.shape[-1] < channels:  # a grey picture is a colour picture too, and may have been trained on as one
        images_NHWC = np.repeat(images_NHWC, channels, axis=-1)
    seen = {digest.tobytes() for digest in trained_on}
    is_new_N = np.array([digest not in seen for digest in picture_digests(images_NHWC)])
    if not is_new_N.any():
        raise UserError(f"every image of {other.description.name} is among those the model was trained on")
    return Rows(images_NHWC=images_NHWC[is_new_N], labels_N=labels_N[is_new_N]), int((~is_new_N).sum())


def _scores(predicted_N: NDArray[np.int64], labels_N: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, Any]:
    n_right = int((predicted_N == labels_N).sum())
    confusion_KK = np.zeros((len(classes),) * 2, dtype=int)
    np.add.at(confusion_KK, (labels_N, predicted_N), 1)
    per_class = {
        name: {
            "n": int(row.sum()),
            "accuracy": float(row[i] / row.sum()) if row.sum() else None,
            "ci95": wilson_interval(int(row[i]), int(row.sum())) if row.sum() else None,
        }
        for i, (name, row) in enumerate(zip(classes, confusion_KK, strict=True))
    }
    return {
        "accuracy": n_right / len(labels_N),
        "ci95": wilson_interval(n_right, len(labels_N)),
        "n": len(labels_N),
        "per_class": per_class,
        "confusion": confusion_KK.tolist(),
        "classes": list(classes),
    }

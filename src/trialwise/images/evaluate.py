"""How good a trained classifier is: the test rows, read here and nowhere else.

Shapes: N rows, H height, W width, C channels, K classes, P pairs.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.base.errors import UserError
from trialwise.images.audit import near_duplicates
from trialwise.images.augment import moved_by
from trialwise.images.corruptions import accuracy_by_corruption
from trialwise.images.held_out import open_test
from trialwise.images.label_errors import list_label_errors
from trialwise.images.predictions import TestPredictions, ValidPredictions
from trialwise.images.saved import SavedModel
from trialwise.images.scores import accuracy_scores, accuracy_with_interval, calibration_scores
from trialwise.images.store import DataDescription, Prepared, Rows, open_train, picture_digests
from trialwise.images.tensors import as_tensor
from trialwise.images.train import predict_logits
from trialwise.training.device import number_format

N_PAIRS_LISTED = 100
N_PAIRS_SHOWN, N_LABEL_ERRORS_SHOWN = 12, 24

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was found on the test rows.

    Attributes:
        document: As plain JSON values.
        predictions: Of each row.
        pictures: Images that a report shows, by what they show: "near_test" and "near_train" (the pairs of
            `document["near_duplicates"]["shown"]`), "label_errors_test" and "label_errors_valid" (the first rows of
            `document["label_errors"]`); uint8 (M, H, W, C).
    """

    document: dict[str, Any]
    predictions: TestPredictions
    pictures: dict[str, NDArray[np.uint8]]


def _unwatched(step: str, done: int, total: int) -> None:
    pass


def evaluate(
    saved: SavedModel,
    prepared: Prepared,
    *,
    tta: bool,
    robustness: bool = False,
    trained_on: NDArray[np.uint8] | None = None,
    only_test: bool = False,
    train: Rows | None = None,
    valid: ValidPredictions | None = None,
    progress: Progress = _unwatched,
) -> Evaluation:
    """Test accuracy with its 95 % interval, and what one should know before believing it.

    Args:
        saved: The trained model.
        prepared: The model's own data, or other data of the same classes.
        tta: Whether to give, beside the plain accuracy, the one averaged over each image moved and mirrored.
        robustness: Whether to give the accuracy on corrupted images too.
        trained_on: For other data, and for a model that went on from another: the digests (N, 8) of the rows that the
            model was trained on, which are left out of the test. The test is then the data's test folder, or all of
            it where it has none.
        only_test: Test on the data's own test rows in any case.
        train: The model's own training rows, validation rows included, to look for near-duplicates among them; None
            where they are gone.
        valid: What the model said of its validation rows, to look for label errors among them.
        progress: Called with what is being done, and how much of how much is done.

    Returns:
        Its document has what `accuracy_scores` gives, "accuracy_tta" and "ci95_tta" where asked, "calibration",
        "near_duplicates" (None where there is nothing to compare with), "label_errors" by "test" and "valid",
        "robustness" where asked; "n_seen_in_training" rows were left out.

    Raises:
        UserError: The data does not fit the model, nothing is left of it, or mirror images do not fit the way the
            model was trained.
    """
    if tta and not saved.flip:
        raise UserError("--tta averages over mirror images, and this model was trained without flips")
    check_fit(saved, prepared.description)
    channels = saved.architecture.channels
    parts = [open_test(prepared)]
    if trained_on is not None and not only_test and prepared.description.test_origin == "split off":
        parts.append(open_train(prepared))
    rows, n_seen = (parts[0], 0) if trained_on is None else _unseen_rows(parts, prepared, trained_on, channels)
    device = saved.mean.device
    images_NHWC = as_tensor(rows.images_NHWC).to(device)
    labels_N = np.asarray(rows.labels_N)
    plain_NK = _logits(saved, images_NHWC)
    logits_NK, plain_N = plain_NK.cpu().numpy(), plain_NK.argmax(1).cpu().numpy()
    document = accuracy_scores(plain_N, labels_N, saved.classes) | {"n_seen_in_training": n_seen}
    tta_N = None
    if tta:
        tta_N = _averaged_over_views(saved, images_NHWC, plain_NK).argmax(1).cpu().numpy()
        averaged = accuracy_with_interval(tta_N == labels_N)
        document |= {"accuracy_tta": averaged["accuracy"], "ci95_tta": averaged["ci95"]}
    document["calibration"] = calibration_scores(logits_NK, labels_N, saved.temperature)
    progress("looking for near-duplicates", 0, 1)
    duplicates, pictures = _near_duplicates(saved, rows, train, plain_N == labels_N)
    document["near_duplicates"] = duplicates
    errors, doubted = _label_errors(saved, rows, logits_NK, train, valid)
    document["label_errors"] = errors
    if robustness:
        document["robustness"] = accuracy_by_corruption(
            lambda images_BHWC: _logits(saved, images_BHWC).argmax(1),
            images_NHWC,
            torch.from_numpy(labels_N).to(device),
            progress,
        )
    digests_N8 = np.frombuffer(b"".join(picture_digests(rows.images_NHWC)), dtype=np.uint8).reshape(len(labels_N), -1)
    predictions = TestPredictions(digests_N8=digests_N8, labels_N=labels_N, plain_N=plain_N, tta_N=tta_N)
    return Evaluation(document=document, predictions=predictions, pictures=pictures | doubted)


def right_on_test(saved: SavedModel, prepared: Prepared) -> NDArray[np.bool_]:
    """Which of the data's own test rows (N,) another model of the same study gets right: for a paired comparison.

    Raises:
        UserError: The data does not fit the model.
    """
    check_fit(saved, prepared.description)
    rows = open_test(prepared)
    images_NHWC = as_tensor(rows.images_NHWC).to(saved.mean.device)
    return _logits(saved, images_NHWC).argmax(1).cpu().numpy() == np.asarray(rows.labels_N)


def _averaged_over_views(saved: SavedModel, images_NHWC: torch.Tensor, plain_NK: torch.Tensor) -> torch.Tensor:
    """Probabilities (N, K) averaged over the image, moved by a pixel both ways, and the mirror images of these.

    The images as they are count half, as in the CIFAR-10 speed records (airbench's "multicrop").
    """

    def both_ways_round(view_NHWC: torch.Tensor, logits_NK: torch.Tensor) -> torch.Tensor:
        probabilities_NK = logits_NK.softmax(1)
        if saved.architecture.mirrored:  # it gives a mirror image the same logits
            return probabilities_NK
        return (probabilities_NK + _logits(saved, view_NHWC.flip(2)).softmax(1)) / 2

    moved = [moved_by(images_NHWC, pixels) for pixels in (-1, 1)]
    centre_NK = both_ways_round(images_NHWC, plain_NK)
    return centre_NK / 2 + sum(both_ways_round(view_NHWC, _logits(saved, view_NHWC)) for view_NHWC in moved) / 4


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


def _unseen_rows(
    parts: list[Rows], prepared: Prepared, trained_on: NDArray[np.uint8], channels: int
) -> tuple[Rows, int]:
    """The rows without those that were trained on, and how many those are."""
    images_NHWC = np.concatenate([part.images_NHWC for part in parts])
    labels_N = np.concatenate([part.labels_N for part in parts])
    # A grey picture is a colour picture too, and may have been trained on as one.
    images_NHWC = _with_channels(images_NHWC, channels)
    seen = {digest.tobytes() for digest in trained_on}
    is_new_N = np.array([digest not in seen for digest in picture_digests(images_NHWC)])
    if not is_new_N.any():
        raise UserError(f"every image of {prepared.description.name} is among those the model was trained on")
    files = [file for part in parts for file in part.files]
    new = Rows(
        images_NHWC=images_NHWC[is_new_N],
        labels_N=labels_N[is_new_N],
        files=[files[number] for number in np.flatnonzero(is_new_N)],
    )
    return new, int((~is_new_N).sum())


def _with_channels(images_NHWC: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """The images, grey ones made colour where the model takes colour."""
    return np.repeat(images_NHWC, channels, axis=-1) if images_NHWC.shape[-1] < channels else images_NHWC


def _logits(saved: SavedModel, images_NHWC: torch.Tensor) -> torch.Tensor:
    device = images_NHWC.device
    return predict_logits(
        saved, images_NHWC, torch.arange(len(images_NHWC), device=device), dtype=number_format(device).dtype
    )


def _near_duplicates(
    saved: SavedModel, rows: Rows, train: Rows | None, right_N: NDArray[np.bool_]
) -> tuple[dict[str, Any] | None, dict[str, NDArray[np.uint8]]]:
    """What is found among the training rows, the accuracy on the other test rows, and some pairs to look at."""
    if train is None:
        return None, {}
    found = near_duplicates(rows, train, saved.mean.device)
    is_other_N = np.ones(len(right_N), dtype=bool)
    is_other_N[found.test_P] = False

    def pair(i: int) -> dict[str, Any]:
        return {
            "test_row": int(found.test_P[i]),
            "test_file": rows.files[int(found.test_P[i])],
            "train_row": int(found.train_P[i]),
            "train_file": train.files[int(found.train_P[i])],
            "similarity": float(found.similarity_P[i]),
            "mirrored": bool(found.is_mirrored_P[i]),
            "exact": bool(found.is_exact_P[i]),
            "test_class": saved.classes[int(rows.labels_N[found.test_P[i]])],
            "train_class": saved.classes[int(train.labels_N[found.train_P[i]])],
        }

    n = len(found.test_P)
    # From the surest to the least sure, so that whoever looks can judge the bar.
    shown = np.unique(np.linspace(0, n - 1, min(n, N_PAIRS_SHOWN)).round().astype(int))
    document = {
        "n": n,
        "n_exact": int(found.is_exact_P.sum()),
        "n_mirrored": int(found.is_mirrored_P.sum()),
        "threshold": found.threshold,
        "without": accuracy_with_interval(right_N[is_other_N]),
        "pairs": [pair(i) for i in range(min(n, N_PAIRS_LISTED))],
        "shown": [pair(int(i)) for i in shown],
    }
    return document, {
        "near_test": np.asarray(rows.images_NHWC[found.test_P[shown]]),
        "near_train": np.asarray(train.images_NHWC[found.train_P[shown]]),
    }


def _label_errors(
    saved: SavedModel,
    rows: Rows,
    logits_NK: NDArray[np.float32],
    train: Rows | None,
    valid: ValidPredictions | None,
) -> tuple[dict[str, Any], dict[str, NDArray[np.uint8]]]:
    """Likely label errors among test and validation rows, neither of which the model was trained on."""
    labels_N = np.asarray(rows.labels_N)
    judged = {"test": (logits_NK, labels_N, np.arange(len(labels_N)), rows)}
    if train is not None and valid is not None:
        judged["valid"] = (valid.logits_NK, valid.labels_N, valid.rows_N, train)
    document, pictures = {}, {}
    for name, (split_logits_NK, split_labels_N, rows_N, images) in judged.items():
        found = list_label_errors(
            split_logits_NK,
            split_labels_N,
            rows_N=rows_N,
            files=images.files,
            classes=saved.classes,
            temperature=saved.temperature,
        )
        document[name] = found.document
        pictures[f"label_errors_{name}"] = np.asarray(images.images_NHWC[found.rows[:N_LABEL_ERRORS_SHOWN]])
    return document, pictures

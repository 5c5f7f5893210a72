"""The pictures that explain a classifier: what it looks for, what it makes of an image, where it goes wrong.

Shapes: N images, B images of a batch, H height, W width, C channels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trialwise.images.augment import normalised
from trialwise.images.examples import UNKNOWN, Judged
from trialwise.images.explain import Layer, cam_layer, feature_maps, first_filters, grad_cam
from trialwise.images.mistakes import Pair, typical_images
from trialwise.images.saved import SavedModel
from trialwise.reports import explanation_figures
from trialwise.reports.drawing import Picture
from trialwise.reports.explanation_figures import Shown, short

N_CAM = 6
N_PAIRS_DRAWN = 5
N_OF_A_PAIR = 5


def network_inputs(saved: SavedModel, images_BHWC: NDArray[np.uint8]) -> torch.Tensor:
    """Normalised images (B, C, H, W) on the model's device, in float32 as its network is kept."""
    images = torch.from_numpy(np.ascontiguousarray(images_BHWC)).to(saved.mean.device)
    return normalised(images, saved.mean, saved.std)


def filter_pictures(saved: SavedModel) -> list[Picture]:
    """The first layer's filters, where it has any that can be seen."""
    shape = saved.architecture
    filters = first_filters(saved.network, channels=shape.channels, image_size=shape.image_size)
    if filters is None:
        return []
    return [explanation_figures.filters(filters.tiles_OHWC, layer=filters.layer, is_fixed=filters.is_fixed)]


def map_pictures(saved: SavedModel, judged: Judged, rows: Sequence[int], layers: Sequence[Layer]) -> list[Picture]:
    """What each of the layers makes of each of the images, one picture a layer and image."""
    images_BHWC, labels_N = judged.read(rows), judged.labels_N
    inputs_BCHW = network_inputs(saved, images_BHWC)
    pictures = []
    for layer in layers:
        maps_BCHW = feature_maps(saved.network, inputs_BCHW, layer.name)
        for number, (row, image_HWC, maps_CHW) in enumerate(zip(rows, images_BHWC, maps_BCHW, strict=True), start=1):
            name = f"features-{layer.name}" + (f"-{number}" if len(rows) > 1 else "")
            of = judged.names[row] + ("" if labels_N[row] == UNKNOWN else f" ({saved.classes[labels_N[row]]})")
            pictures.append(explanation_figures.feature_maps(image_HWC, maps_CHW, name=name, layer=layer.name, of=of))
    return pictures


def cam_pictures(saved: SavedModel, judged: Judged, rows: Sequence[int], layers: Sequence[Layer]) -> list[Picture]:
    """Grad-CAM of each image: for the class predicted, and for the true one, or where that is the same the next."""
    layer = cam_layer(list(layers))
    if layer is None:
        return []
    images_BHWC = judged.read(rows)
    inputs_BCHW = network_inputs(saved, images_BHWC)
    first_B, second_B = judged.top_N2[rows].T
    is_wrong_B = judged.is_wrong_N[rows]
    other_B = np.where(is_wrong_B, judged.labels_N[rows], second_B)
    heats = [
        grad_cam(saved.network, inputs_BCHW, torch.from_numpy(classes_B).to(inputs_BCHW.device), layer.name)
        for classes_B in (first_B, other_B)
    ]
    shown = []
    for i, row in enumerate(rows):
        image_HWC, (p_first, p_second) = images_BHWC[i], judged.probabilities_N2[row]
        label = judged.labels_N[row]
        said = (f"for {short(saved.classes[first_B[i]])}", f"says {100 * p_first:.0f} %")
        other = f"for {short(saved.classes[other_B[i]])}", "true" if is_wrong_B[i] else f"next, {100 * p_second:.0f} %"
        truth = "not told" if label == UNKNOWN else short(saved.classes[label])
        shown.append(
            [
                Shown(image_HWC=image_HWC, lines=("image", f"true: {truth}")),
                Shown(image_HWC=image_HWC, lines=said, heat_HW=heats[0][i]),
                Shown(image_HWC=image_HWC, lines=other, heat_HW=heats[1][i]),
            ]
        )
    return [explanation_figures.grad_cam(shown, layer=layer.name, side=(layer.width, layer.height))]


def mistake_pictures(saved: SavedModel, judged: Judged, worst: Sequence[int], pairs: Sequence[Pair]) -> list[Picture]:
    """The most confident mistakes, and images of the pairs of classes taken for each other most often."""
    if not worst:
        return []
    said = [f"says {short(saved.classes[judged.predicted_N[row]])}, {_certainty(judged, row)}" for row in worst]
    told = [f"true: {short(saved.classes[judged.labels_N[row]])}" for row in worst]
    shown = [
        Shown(image_HWC=image_HWC, lines=lines)
        for image_HWC, lines in zip(judged.read(worst), zip(told, said, strict=True), strict=True)
    ]
    rows = {
        f"{short(saved.classes[pair.true])} taken for {short(saved.classes[pair.predicted])}: "
        f"{pair.n:,} of {pair.n_true:,}": [
            Shown(image_HWC=image_HWC, lines=(_certainty(judged, row),))
            for row, image_HWC in zip(pair.rows[:N_OF_A_PAIR], judged.read(pair.rows[:N_OF_A_PAIR]), strict=True)
        ]
        for pair in pairs[:N_PAIRS_DRAWN]
    }
    return [explanation_figures.mistakes(shown), explanation_figures.pairs(rows)]


def images_to_explain(judged: Judged, worst: Sequence[int], generator: np.random.Generator) -> list[int]:
    """The images for Grad-CAM: as many that are right as there are bad mistakes, the right ones first."""
    n_wrong = min(len(worst), N_CAM // 2)
    right = typical_images(judged, N_CAM - n_wrong, generator)
    return [*right, *worst[: N_CAM - len(right)]]


def _certainty(judged: Judged, row: int) -> str:
    return f"{100 * judged.probabilities_N2[row, 0]:.0f} %"

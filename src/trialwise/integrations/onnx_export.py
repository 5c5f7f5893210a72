"""A trained classifier as one ONNX file that takes images and gives probabilities, checked against the original.

Shapes: N images, H height, W width, C channels, K classes.
"""

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trialwise.base.errors import UserError, WorkError
from trialwise.base.files import replacing
from trialwise.images.saved import SavedModel

SCHEMA = "trialwise.onnx-classifier/1"
TOLERANCE = 1e-4  # between the file and the original: in probabilities, and relative to the largest logit
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_PROBES = 8


class _WithPreprocessing(nn.Module):
    """The network with everything around it, from pixels to probabilities."""

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        self.network = copy.deepcopy(saved.network).float()
        self.register_buffer("mean_C", 255 * saved.mean)
        self.register_buffer("std_C", 255 * saved.std)
        self.temperature = saved.temperature

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities and logits (N, K) of uint8 images (N, H, W, C)."""
        scaled_NHWC = (images.float() - self.mean_C) / self.std_C
        logits_NK = self.network(scaled_NHWC.permute(0, 3, 1, 2))
        return (logits_NK / self.temperature).softmax(1), logits_NK


def export_onnx(saved: SavedModel, path: Path) -> dict[str, Any]:
    """Write the classifier to `path` as ONNX, whole or not at all, and only if ONNX Runtime gives the same answers.

    The file takes `images`: uint8 (batch, H, W, C) in 0..255 as Pillow and OpenCV's RGB arrays are, any batch size;
    mean and standard deviation are inside. It gives `probabilities` (batch, K), calibrated where the model is, and
    `logits`. Class names, image size and channels are in its metadata.

    Args:
        saved: The model.
        path: The file to write.

    Returns:
        "bytes", "opset", "input", "outputs", "checked_on" (images) and "largest_difference" (in probabilities).

    Raises:
        UserError: The packages of the extra `onnx` are not installed.
        WorkError: The network cannot be exported, or the file gives other answers; nothing is written then.
    """
    if missing := [name for name in _PACKAGES if importlib.util.find_spec(name) is None]:
        raise UserError(
            f"exporting to ONNX needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "installed",
            hint="pip install 'trialwise[onnx]'",
        )
    original = _WithPreprocessing(saved).cpu().eval()
    probes_NHWC = _probes(saved)
    try:
        with _known_noise_kept_quiet():
            program = torch.onnx.export(
                original,
                (torch.from_numpy(probes_NHWC),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["images"],
                output_names=["probabilities", "logits"],
                verbose=False,
            )
    except Exception as error:  # the exporter raises its own kinds, by version
        reason = str(error).strip().split("\n")[0]
        raise WorkError(f"this network cannot be written as ONNX: {reason}") from error
    assert program is not None
    program.model.metadata_props.update(_metadata(saved))
    with replacing(path) as partial:
        program.save(partial, external_data=False)
        largest = _largest_difference(original, partial, probes_NHWC)
        n_bytes = partial.stat().st_size
    size, channels = saved.architecture.image_size, saved.architecture.channels
    n_classes = len(saved.classes)
    return {
        "bytes": n_bytes,
        "opset": program.model.opset_imports[""],
        "input": {"name": "images", "type": "uint8", "shape": ["batch", size, size, channels]},
        "outputs": [
            {"name": name, "type": "float32", "shape": ["batch", n_classes]} for name in ("probabilities", "logits")
        ],
        "checked_on": len(probes_NHWC),
        "largest_difference": largest,
    }


def _metadata(saved: SavedModel) -> dict[str, str]:
    shape = saved.architecture
    return {
        "schema": SCHEMA,
        "classes": json.dumps(saved.classes, ensure_ascii=False),
        "image_size": str(shape.image_size),
        "channels": str(shape.channels),
        "preprocessing": "inside: give uint8 RGB (or grey) pixels in 0..255, cropped to the central square and resized "
        "to image_size with an antialiased Lanczos filter",
    }


def _largest_difference(original: nn.Module, file: Path, images_NHWC: NDArray[np.uint8]) -> float:
    """How far the file's probabilities are from the original's at most, over batches of one and of many.

    Raises:
        WorkError: Further than `TOLERANCE`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of graphics cards that it does not find
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch_NHWC in (images_NHWC, images_NHWC[:1]):
        with torch.inference_mode():
            wanted = [tensor.numpy() for tensor in original(torch.from_numpy(batch_NHWC))]
        got = session.run(["probabilities", "logits"], {"images": batch_NHWC})
        off, off_logits = (float(np.abs(w - np.asarray(g)).max()) for w, g in zip(wanted, got, strict=True))
        if not (off <= TOLERANCE and off_logits <= TOLERANCE * max(1.0, float(np.abs(wanted[1]).max()))):
            raise WorkError(
                f"the ONNX file gives other answers than the model (probabilities off by {off:.2g}, logits by "
                f"{off_logits:.2g}), so it is not kept",
                hint="another version of onnxruntime or torch may do better",
            )
        largest = max(largest, off)
    return largest


def _probes(saved: SavedModel) -> NDArray[np.uint8]:
    """Images to check the file on: noise, smooth noise and plain colours."""
    size, channels = saved.architecture.image_size, saved.architecture.channels
    images_NHWC = np.random.default_rng(0).integers(0, 256, (_PROBES, size, size, channels), dtype=np.uint8)
    images_NHWC[::4] = images_NHWC[::4, :1, :1]
    images_NHWC[1::4] = np.sort(images_NHWC[1::4], axis=1)
    return images_NHWC


@contextmanager
def _known_noise_kept_quiet() -> Iterator[None]:
    """Keep what torch 2.13's exporter says of itself, and not of the model, from users; anything else is passed on."""

    def is_news(record: logging.LogRecord) -> bool:
        return "torchvision is not installed" not in record.getMessage()

    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(is_news)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            yield
    finally:
        logger.removeFilter(is_news)

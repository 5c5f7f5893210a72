"""What is left of the accuracy when the images get worse: noise, blur, other light, compression, something in front.

After Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations",
with parameters of our own that fit images of any size; the numbers are not those of CIFAR-10-C.

Shapes: B images of a batch, C channels, H height, W width, N rows.
"""

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from trialwise.base.seeds import child_seed

SEVERITIES = (1, 3, 5)
_BATCH = 1000
_MID_GREY = 0.5

# From images (B, C, H, W) in 0..1, a strength and a source of randomness to images of the same shape.
Change = Callable[[torch.Tensor, float, torch.Generator], torch.Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corruption:
    """One way in which images get worse.

    Attributes:
        change: Does it.
        strengths: One for each of `SEVERITIES`.
        unit: What a strength is.
    """

    change: Change
    strengths: tuple[float, float, float]
    unit: str


def accuracy_by_corruption(
    predict: Callable[[torch.Tensor], torch.Tensor],
    images_NHWC: torch.Tensor,
    labels_N: torch.Tensor,
    progress: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Accuracy on the same images under each corruption.

    Every model gets the very same corrupted images, so that models can be compared.

    Args:
        predict: From uint8 images (B, H, W, C) to predicted classes (B).
        images_NHWC: uint8.
        labels_N: Their classes, on the same device.
        progress: Called with what is being measured, and how many of how many steps are done.

    Returns:
        "severities"; "corruptions": for each name its "accuracy" at each of them, their "mean", "strengths" and their
        "unit"; "mean_by_severity"; "mean" over all.
    """
    rows: dict[str, Any] = {}
    n_steps, done = len(CORRUPTIONS) * len(SEVERITIES), 0
    for name, corruption in CORRUPTIONS.items():
        accuracies = []
        for severity, strength in zip(SEVERITIES, corruption.strengths, strict=True):
            progress(f"measuring with {name}", done, n_steps)
            generator = torch.Generator().manual_seed(child_seed(0, name, severity))
            n_right = 0
            for index_B in torch.arange(len(images_NHWC), device=images_NHWC.device).split(_BATCH):
                worse_BHWC = corrupt(images_NHWC[index_B], corruption.change, strength, generator)
                n_right += int((predict(worse_BHWC) == labels_N[index_B]).sum())
            accuracies.append(n_right / len(images_NHWC))
            done += 1
        rows[name] = {
            "accuracy": accuracies,
            "mean": float(np.mean(accuracies)),
            "strengths": corruption.strengths,
            "unit": corruption.unit,
        }
    table = np.array([row["accuracy"] for row in rows.values()])
    return {
        "severities": SEVERITIES,
        "corruptions": rows,
        "mean_by_severity": table.mean(axis=0).tolist(),
        "mean": float(table.mean()),
    }


def corrupt(images_BHWC: torch.Tensor, change: Change, strength: float, generator: torch.Generator) -> torch.Tensor:
    """The uint8 images, changed; `generator` lies on the CPU, so that every device draws the same."""
    scaled_BCHW = images_BHWC.permute(0, 3, 1, 2).float() / 255
    changed_BCHW = change(scaled_BCHW, strength, generator).clamp(0, 1)
    return (changed_BCHW * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def _noise(images_BCHW: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    noise_BCHW = torch.randn(images_BCHW.shape, generator=generator)
    return images_BCHW + strength * noise_BCHW.to(images_BCHW.device)


def _blur(images_BCHW: torch.Tensor, strength: float, _: torch.Generator) -> torch.Tensor:
    """Gaussian, with edges repeated; a channel at a time, since all channels are blurred alike."""
    n, channels, height, width = images_BCHW.shape
    sigma = strength * height
    reach = max(1, int(np.ceil(3 * sigma)))
    position = torch.arange(-reach, reach + 1, device=images_BCHW.device)
    kernel = torch.exp(-0.5 * (position / sigma) ** 2)
    kernel = kernel / kernel.sum()
    flat = images_BCHW.reshape(n * channels, 1, height, width)
    padded = functional.pad(flat, (reach, reach, reach, reach), mode="replicate")
    blurred = functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return blurred.reshape(images_BCHW.shape)


def _brightness(images_BCHW: torch.Tensor, strength: float, _: torch.Generator) -> torch.Tensor:
    return images_BCHW + strength


def _contrast(images_BCHW: torch.Tensor, strength: float, _: torch.Generator) -> torch.Tensor:
    mean_B111 = images_BCHW.mean(dim=(1, 2, 3), keepdim=True)
    return mean_B111 + strength * (images_BCHW - mean_B111)


def _jpeg(images_BCHW: torch.Tensor, strength: float, _: torch.Generator) -> torch.Tensor:
    pixels_BHWC = (images_BCHW.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).cpu().numpy()
    is_grey = pixels_BHWC.shape[-1] == 1
    decoded = []
    for pixels_HWC in pixels_BHWC:
        stream = io.BytesIO()
        Image.fromarray(pixels_HWC[..., 0] if is_grey else pixels_HWC).save(
            stream, format="jpeg", quality=int(strength)
        )
        decoded.append(np.asarray(Image.open(stream)).reshape(pixels_HWC.shape))
    return torch.from_numpy(np.stack(decoded)).to(images_BCHW.device).permute(0, 3, 1, 2).float() / 255


def _pixelate(images_BCHW: torch.Tensor, strength: float, _: torch.Generator) -> torch.Tensor:
    height, width = images_BCHW.shape[-2:]
    coarse = (max(1, round(strength * height)), max(1, round(strength * width)))
    return functional.interpolate(functional.interpolate(images_BCHW, coarse, mode="area"), (height, width))


def _occlusion(images_BCHW: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    """A grey square, anywhere in the image."""
    n, _, height, width = images_BCHW.shape
    side = max(1, round(strength * min(height, width)))
    device = images_BCHW.device
    top_B1 = torch.randint(0, height - side + 1, (n, 1), generator=generator).to(device)
    left_B1 = torch.randint(0, width - side + 1, (n, 1), generator=generator).to(device)
    row_H, column_W = torch.arange(height, device=device), torch.arange(width, device=device)
    in_rows_BH = (row_H >= top_B1) & (row_H < top_B1 + side)
    in_columns_BW = (column_W >= left_B1) & (column_W < left_B1 + side)
    covered_B1HW = (in_rows_BH[:, :, None] & in_columns_BW[:, None, :])[:, None]
    return torch.where(covered_B1HW, _MID_GREY, images_BCHW)


CORRUPTIONS = {
    "noise": Corruption(change=_noise, strengths=(0.04, 0.08, 0.12), unit="standard deviation, white is 1"),
    "blur": Corruption(change=_blur, strengths=(0.02, 0.035, 0.05), unit="Gaussian sigma, share of the height"),
    "brightness": Corruption(change=_brightness, strengths=(0.1, 0.2, 0.3), unit="added, white is 1"),
    "contrast": Corruption(change=_contrast, strengths=(0.6, 0.35, 0.15), unit="share of the contrast that is left"),
    "jpeg": Corruption(change=_jpeg, strengths=(50, 25, 10), unit="JPEG quality"),
    "pixelate": Corruption(change=_pixelate, strengths=(0.75, 0.5, 0.35), unit="share of the resolution that is left"),
    "occlusion": Corruption(change=_occlusion, strengths=(0.25, 0.4, 0.55), unit="side of a grey square, share"),
}

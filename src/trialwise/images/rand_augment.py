"""RandAugment (Cubuk et al. 2020): random changes of shape and colour, all drawn with one strength.

Fourteen changes as in the paper, written for whole batches: the images that drew the same change are changed together.

Shapes: B images, H height, W width, C channels; values are floats in 0..255.
"""

from collections.abc import Callable

import torch
from torch import nn

N_CHANGES = 2  # of each image, one after the other: the paper's choice for CIFAR-10 with small networks is 1 to 3
GREATEST = 10

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def rand_augmented(images_BHWC: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    """The images, each after two of fourteen changes drawn at random; float in 0..255.

    Args:
        images_BHWC: uint8 or float in 0..255.
        strength: 0 (hardly any change) to 10, the paper's "magnitude" M.
        generator: The source of randomness, on the CPU.
    """
    images_BHWC = images_BHWC.float()
    n = len(images_BHWC)
    for _ in range(N_CHANGES):
        drawn_B = torch.randint(0, len(CHANGES), (n,), generator=generator)
        sign_B = 2.0 * torch.randint(0, 2, (n,), generator=generator) - 1
        changed = images_BHWC.clone()
        for number, change in enumerate(CHANGES):
            rows = (drawn_B == number).nonzero()[:, 0]
            if len(rows):
                share_B111 = (sign_B[rows] * strength / GREATEST).view(-1, 1, 1, 1).to(images_BHWC.device)
                rows = rows.to(images_BHWC.device)
                changed[rows] = change(images_BHWC[rows], share_B111)
        images_BHWC = changed
    return images_BHWC.clamp(0, 255)


def _identity(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return images_BHWC


def _autocontrast(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """Each channel stretched to 0..255."""
    low = images_BHWC.amin(dim=(1, 2), keepdim=True)
    spread = images_BHWC.amax(dim=(1, 2), keepdim=True) - low
    return torch.where(spread > 0, (images_BHWC - low) * 255 / spread.clamp(min=1), images_BHWC)


def _equalize(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """Each value replaced by the share of darker pixels in its channel, in the whole steps that Pillow takes."""
    n, height, width, channels = images_BHWC.shape
    values = images_BHWC.permute(0, 3, 1, 2).reshape(n * channels, -1)
    ordered = values.sort(dim=1).values
    n_darker = torch.searchsorted(ordered, values)
    n_brightest = (ordered == ordered[:, -1:]).sum(1, keepdim=True)
    step = (height * width - n_brightest) // 255
    equalized = ((step // 2 + n_darker) // step.clamp(min=1)).float()
    equalized = torch.where(step > 0, equalized, values)
    return equalized.reshape(n, channels, height, width).permute(0, 2, 3, 1)


def _solarize(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """Values above a bar turned to their negative; the stronger, the lower the bar."""
    return torch.where(images_BHWC >= 256 * (1 - share_B111.abs()), 255 - images_BHWC, images_BHWC)


def _posterize(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """Values cut to 8 bits, or as few as 4."""
    step = 2 ** (4 * share_B111.abs()).round()
    return (images_BHWC / step).floor() * step


def _brightness(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return images_BHWC * (1 + 0.9 * share_B111)


def _contrast(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return images_BHWC.mean(dim=(1, 2, 3), keepdim=True).lerp(images_BHWC, 1 + 0.9 * share_B111)


def _saturation(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return images_BHWC.mean(dim=3, keepdim=True).lerp(images_BHWC, 1 + 0.9 * share_B111)


def _sharpness(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """Blended with, or pushed away from, a smoothed copy (Pillow's SMOOTH filter); edges stay as they are."""
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], device=images_BHWC.device) / 13
    channels = images_BHWC.shape[-1]
    inner = nn.functional.conv2d(
        images_BHWC.permute(0, 3, 1, 2), kernel.expand(channels, 1, 3, 3).contiguous(), groups=channels
    )
    smooth = images_BHWC.clone()
    smooth[:, 1:-1, 1:-1] = inner.permute(0, 2, 3, 1)
    return smooth.lerp(images_BHWC, 1 + 0.9 * share_B111)


def _moved(images_BHWC: torch.Tensor, matrix_B23: torch.Tensor) -> torch.Tensor:
    """The images after an affine map of coordinates in -1..1; what comes in from outside is the edge's mirror image."""
    grid_BHW2 = nn.functional.affine_grid(matrix_B23, list(images_BHWC.permute(0, 3, 1, 2).shape), align_corners=False)
    moved_BCHW = nn.functional.grid_sample(
        images_BHWC.permute(0, 3, 1, 2), grid_BHW2, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return moved_BCHW.permute(0, 2, 3, 1)


def _matrix(share_B111: torch.Tensor, **entries: torch.Tensor) -> torch.Tensor:
    """The identity (B, 2, 3) with some entries replaced; "a01" is row 0, column 1."""
    matrix = torch.eye(2, 3, device=share_B111.device).repeat(len(share_B111), 1, 1)
    for place, values in entries.items():
        matrix[:, int(place[1]), int(place[2])] = values.view(-1)
    return matrix


def _rotate(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """By up to 30 degrees."""
    angle = share_B111 * torch.pi / 6
    matrix = _matrix(share_B111, a00=angle.cos(), a01=-angle.sin(), a10=angle.sin(), a11=angle.cos())
    return _moved(images_BHWC, matrix)


def _shear_x(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return _moved(images_BHWC, _matrix(share_B111, a01=0.3 * share_B111))


def _shear_y(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return _moved(images_BHWC, _matrix(share_B111, a10=0.3 * share_B111))


def _translate_x(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    """By up to 0.45 of the width."""
    return _moved(images_BHWC, _matrix(share_B111, a02=0.9 * share_B111))


def _translate_y(images_BHWC: torch.Tensor, share_B111: torch.Tensor) -> torch.Tensor:
    return _moved(images_BHWC, _matrix(share_B111, a12=0.9 * share_B111))


CHANGES: tuple[Change, ...] = (
    _identity,
    _autocontrast,
    _equalize,
    _solarize,
    _posterize,
    _brightness,
    _contrast,
    _saturation,
    _sharpness,
    _rotate,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
)

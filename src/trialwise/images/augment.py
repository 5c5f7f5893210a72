"""Whole batches cut, shifted, flipped and mixed straight from the rows in memory; no image is handled alone.

Shapes: N rows, B images of a batch, H height, W width, C channels, K classes.
"""

import torch
from torch import nn

from trialwise.images.settings import Mix

CUTMIX_SHARE = 0.5  # of the images that get a square of another: the authors' choice for CIFAR
GREY = 128  # what a cutout leaves: near the mean of any picture


def shifted_batch(
    images_NHWC: torch.Tensor,
    index_B: torch.Tensor,
    *,
    shift: int,
    flipped_B: torch.Tensor | None,
    generator: torch.Generator,
) -> torch.Tensor:
    """The rows `index_B`, each moved by up to `shift` pixels (edges mirrored) and turned left to right where asked.

    One gather does it all: no padding, no copy of whole images, no loop over images.

    Args:
        images_NHWC: All rows, uint8.
        index_B: Which rows.
        shift: The largest shift in pixels, in each direction.
        flipped_B: Which of them to turn; None for none.
        generator: The source of randomness, on the CPU.

    Returns:
        uint8 images (B, H, W, C).
    """
    n = len(index_B)
    device = images_NHWC.device
    _, height, width, _ = images_NHWC.shape
    down_B1, right_B1 = (torch.randint(-shift, shift + 1, (2, n, 1), generator=generator)).to(device)
    rows_BH = _mirrored(torch.arange(height, device=device) + down_B1, height)
    columns_BW = _mirrored(torch.arange(width, device=device) + right_B1, width)
    if flipped_B is not None:
        columns_BW = torch.where(flipped_B[:, None].to(device), columns_BW.flip(1), columns_BW)
    return images_NHWC[index_B[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]]


def moved_by(images_NHWC: torch.Tensor, pixels: int) -> torch.Tensor:
    """All images moved down and right by `pixels` (up and left where negative), edges mirrored."""
    _, height, width, _ = images_NHWC.shape
    rows_H = _mirrored(torch.arange(height, device=images_NHWC.device) - pixels, height)
    columns_W = _mirrored(torch.arange(width, device=images_NHWC.device) - pixels, width)
    return images_NHWC[:, rows_H][:, :, columns_W]


def alternating_flips(row_seed: int, index_B: torch.Tensor, epoch: int) -> torch.Tensor:
    """Which of the rows `index_B` to turn in this epoch: each row at random at first, then every other epoch.

    So that any two epochs in a row show every image both ways round (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds",
    section 3.6).

    Args:
        row_seed: Decides how each row begins.
        index_B: Row numbers.
        epoch: From 1.
    """
    # A hash of row and seed (Knuth's multiplicative one, its high bits): no table of all rows is kept.
    mixed_B = ((index_B.cpu().long() + row_seed % 2**31) * 2654435761) % 2**32
    return ((mixed_B >> 17) + epoch) % 2 == 0


def cut_out(images_BHWC: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """The images with a grey square of `side` pixels at a random place, over the edge too (DeVries & Taylor 2017)."""
    n, height, width, _ = images_BHWC.shape
    hidden_BHW = _squares(n, height, width, torch.full((n,), side), generator).to(images_BHWC.device)
    return torch.where(hidden_BHW[..., None], torch.tensor(GREY, dtype=images_BHWC.dtype), images_BHWC)


def colour_changed(images_BHWC: torch.Tensor, largest: float, generator: torch.Generator) -> torch.Tensor:
    """The images with brightness, contrast and saturation changed by up to the share `largest`; float in 0..255."""
    n = len(images_BHWC)
    factors_3B111 = 1 + largest * (2 * torch.rand(3, n, 1, 1, 1, generator=generator) - 1)
    brightness, contrast, saturation = factors_3B111.to(images_BHWC.device)
    images = images_BHWC.float() * brightness
    images = images.mean(dim=(1, 2, 3), keepdim=True).lerp(images, contrast)
    images = images.mean(dim=3, keepdim=True).lerp(images, saturation)
    return images.clamp(0, 255)


def mixed(
    images_BHWC: torch.Tensor, targets_BK: torch.Tensor, how: Mix, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images mixed with others of the batch, and the targets in the same shares.

    Mixup (Zhang et al. 2018) blends each with another, in a share from Beta(0.2, 0.2). CutMix (Yun et al. 2019) pastes
    a square of the other, of an area uniform in 0..1, into every second image or so.

    Args:
        images_BHWC: uint8 or float.
        targets_BK: Shares of the classes, rows summing to 1.
        how: "mixup" or "cutmix"; "none" changes nothing.
        generator: The source of randomness, on the CPU.
    """
    if how == "none":
        return images_BHWC, targets_BK
    n, height, width, _ = images_BHWC.shape
    other_B = torch.randperm(n, generator=generator).to(images_BHWC.device)
    if how == "cutmix":
        is_cut_B = torch.rand(n, generator=generator) < CUTMIX_SHARE
        side_B = (torch.rand(n, generator=generator).sqrt() * min(height, width)).round().long() * is_cut_B
        inside_BHW = _squares(n, height, width, side_B, generator)
        share_B = 1 - inside_BHW.float().mean(dim=(1, 2))
        images = torch.where(inside_BHW[..., None].to(images_BHWC.device), images_BHWC[other_B], images_BHWC)
    else:
        # Beta(a, a) as the ratio of two gamma variables, which the generator of the batch can draw.
        share_B = _beta(0.2, n, generator)
        weight = share_B.view(n, 1, 1, 1).to(images_BHWC.device)
        images = images_BHWC[other_B].float().lerp(images_BHWC.float(), weight)
    share_B1 = share_B[:, None].to(targets_BK.device)
    return images, targets_BK[other_B].lerp(targets_BK, share_B1)


def _beta(a: float, n: int, generator: torch.Generator) -> torch.Tensor:
    """Draws from Beta(a, a) by Joehnk's method, with a fixed number of tries so that it cannot run for ever."""
    u, v = torch.rand(2, 64, n, generator=generator, dtype=torch.float64).pow(1 / a)
    total = u + v
    accepted = (total <= 1) & (total > 0)
    first = accepted.int().argmax(dim=0)
    ratio = (u / total.clamp(min=1e-300)).gather(0, first[None])[0]
    return ratio.float()


def _squares(n: int, height: int, width: int, side_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A mask (B, H, W) of one square an image, of its own side, with its centre anywhere in the image."""
    centre_2B = (torch.rand(2, n, generator=generator) * torch.tensor([[height], [width]])).long()
    first_2B = centre_2B - side_B // 2
    rows = torch.arange(height)
    columns = torch.arange(width)
    in_rows = (rows >= first_2B[0][:, None]) & (rows < (first_2B[0] + side_B)[:, None])
    in_columns = (columns >= first_2B[1][:, None]) & (columns < (first_2B[1] + side_B)[:, None])
    return in_rows[:, :, None] & in_columns[:, None, :]


def _mirrored(position: torch.Tensor, size: int) -> torch.Tensor:
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def normalised(images_BHWC: torch.Tensor, mean_C: torch.Tensor, std_C: torch.Tensor) -> torch.Tensor:
    """Network inputs (B, C, H, W) in channels-last memory from images in 0..255; mean and std on the 0..1 scale."""
    scaled_BHWC = (images_BHWC.float() - 255 * mean_C) / (255 * std_C)
    return scaled_BHWC.permute(0, 3, 1, 2)


def resized(images_BCHW: torch.Tensor, side: int) -> torch.Tensor:
    """The batch at `side` x `side` pixels, smoothed, in channels-last memory."""
    smaller = nn.functional.interpolate(images_BCHW, size=(side, side), mode="bilinear", antialias=True)
    return smaller.contiguous(memory_format=torch.channels_last)

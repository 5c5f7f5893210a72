"""Whole batches cut, shifted and flipped straight from the rows in memory.

Shapes: N rows, B images of a batch, H height, W width, C channels.
"""

import torch


def shifted_batch(
    images_NHWC: torch.Tensor, index_B: torch.Tensor, *, shift: int, flip: bool, generator: torch.Generator
) -> torch.Tensor:
    """The rows `index_B`, each moved by up to `shift` pixels (edges mirrored) and flipped left to right half the time.

    One gather does it all: no padding, no copy of whole images, no loop over images.

    Args:
        images_NHWC: All rows, uint8.
        index_B: Which rows.
        shift: The largest shift in pixels, in each direction.
        flip: Whether to flip at all.
        generator: The source of randomness, on the CPU.

    Returns:
        uint8 images (B, H, W, C).
    """
    n = len(index_B)
    _, height, width, _ = images_NHWC.shape
    down_B1, right_B1 = (torch.randint(-shift, shift + 1, (2, n, 1), generator=generator)).to(images_NHWC.device)
    rows_BH = _mirrored(torch.arange(height, device=images_NHWC.device) + down_B1, height)
    columns_BW = _mirrored(torch.arange(width, device=images_NHWC.device) + right_B1, width)
    if flip:
        flipped_B1 = torch.randint(0, 2, (n, 1), generator=generator).to(images_NHWC.device)
        columns_BW = torch.where(flipped_B1 == 1, columns_BW.flip(1), columns_BW)
    return images_NHWC[index_B[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]]


def _mirrored(position: torch.Tensor, size: int) -> torch.Tensor:
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def normalised(images_BHWC: torch.Tensor, mean_C: torch.Tensor, std_C: torch.Tensor) -> torch.Tensor:
    """Network inputs (B, C, H, W) in channels-last memory from uint8 images; mean and std on the 0..1 scale."""
    scaled_BHWC = (images_BHWC.float() - 255 * mean_C) / (255 * std_C)
    return scaled_BHWC.permute(0, 3, 1, 2)

"""A small residual CNN, as wide as a number of parameters allows.

Shapes: B images, C channels, H height, W width, K classes.
"""

import dataclasses
import itertools
from typing import Any

import torch
from torch import nn

from trialwise.base.errors import UserError

WIDTH_STEP = 8  # convolutions are fastest on multiples of 8 channels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything the network is built from.

    Attributes:
        channels: Of the images: 1 grey, 3 colour.
        image_size: Side of the images in pixels.
        n_classes: Outputs.
        widths: Channels of each stage; between two stages the maps are halved.
        dropout: Share of the last features dropped in training.
    """

    channels: int
    image_size: int
    n_classes: int
    widths: tuple[int, ...]
    dropout: float

    def to_document(self) -> dict[str, Any]:
        """The architecture as plain JSON values."""
        return dataclasses.asdict(self)


class ConvBlock(nn.Module):
    """Convolution 3x3, BatchNorm, ReLU; where asked, halving first: a quarter of the cost of halving last."""

    def __init__(self, width_in: int, width_out: int, *, halve: bool = False) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2) if halve else nn.Identity()
        self.convolution = nn.Conv2d(width_in, width_out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width_out)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Maps of `width_out` channels, half as high and wide where the block halves."""
        return torch.relu(self.norm(self.convolution(self.pool(maps_BCHW))))


class Residual(nn.Module):
    """A block added to its own input (He et al. 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = ConvBlock(width, width)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Maps of the same shape."""
        return maps_BCHW + self.block(maps_BCHW)


class ResidualCNN(nn.Module):
    """Stem, one residual stage a width with halvings between them, global max pooling, dropout, a linear head."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        widths = architecture.widths
        stride = (
            2 if architecture.image_size >= 24 else 1
        )  # a 4x4 stem with stride 2 halves the cost of the first stage
        kernel = 4 if stride == 2 else 3
        self.stem = nn.Sequential(
            nn.Conv2d(architecture.channels, widths[0], kernel, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = [Residual(widths[0])]
        for before, width in itertools.pairwise(widths):
            stages += [ConvBlock(before, width, halve=True), Residual(width)]
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(widths[-1], architecture.n_classes)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) of normalised images."""
        features_BC = self.stages(self.stem(images_BCHW)).amax(dim=(2, 3))
        return self.head(self.dropout(features_BC))


def n_params(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def architecture_for(
    *, channels: int, image_size: int, n_classes: int, max_params: int, width: float, dropout: float
) -> Architecture:
    """The widest architecture with at most `max_params` parameters, narrowed to the share `width`.

    Raises:
        UserError: Not even the narrowest network is that small.
    """

    def build(base: int) -> Architecture:
        widths = tuple(_step(base * share) for share in _shares(image_size))
        return Architecture(
            channels=channels, image_size=image_size, n_classes=n_classes, widths=widths, dropout=dropout
        )

    def size(base: int) -> int:
        with torch.device("meta"):
            return n_params(ResidualCNN(build(base)))

    if size(WIDTH_STEP) > max_params:
        raise UserError(
            f"--max-params {max_params}: the smallest network for {n_classes} classes of {image_size}x{image_size} "
            f"images has {size(WIDTH_STEP):,} parameters"
        )
    widest = WIDTH_STEP
    while widest < 1024 and size(widest + WIDTH_STEP) <= max_params:
        widest += WIDTH_STEP
    return build(_step(widest * width))


def _shares(image_size: int) -> tuple[float, ...]:
    """Widths of the stages relative to the first: one stage for each halving down to maps of 4 to 7 pixels."""
    side = image_size // 2 if image_size >= 24 else image_size
    shares = [1.0]
    while side >= 8:
        side //= 2
        shares.append(shares[-1] + 1 / 3)
    return tuple(shares)


def _step(width: float) -> int:
    return max(WIDTH_STEP, round(width / WIDTH_STEP) * WIDTH_STEP)


def build_network(architecture: Architecture, *, seed: int) -> ResidualCNN:
    """The network with weights drawn from `seed`, channels last."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualCNN(architecture).to(memory_format=torch.channels_last)  # type: ignore[no-matching-overload]

"""How large a network is and what it costs; and the widest one that a number of parameters allows."""

import dataclasses
import time

import torch
from torch import nn

from trialwise.base.errors import UserError
from trialwise.images.networks import Architecture, MirroredConv2d, build_network, n_params, n_stages
from trialwise.images.settings import Family

WIDTH_STEP = 8  # convolutions are fastest on multiples of 8 channels


def architecture_for(
    *,
    family: Family = "residual",
    channels: int,
    image_size: int,
    n_classes: int,
    max_params: int,
    width: float = 1.0,
    dropout: float = 0.0,
    mirrored: bool = False,
    separable: bool = False,
    batch_norm: bool = True,
    shortcuts: bool = True,
) -> Architecture:
    """The widest architecture of a family with at most `max_params` parameters, narrowed to the share `width`.

    Raises:
        UserError: Not even the narrowest network is that small.
    """
    stages = n_stages(channels, image_size)
    narrowest = Architecture(
        family=family,
        channels=channels,
        image_size=image_size,
        n_classes=n_classes,
        widths=_widths(family, WIDTH_STEP, stages, mirrored=mirrored),
        depth=1,
        mirrored=mirrored,
        separable=separable,
        batch_norm=batch_norm,
        shortcuts=shortcuts,
        dropout=dropout,
    )
    if _size(narrowest) > max_params:
        raise UserError(
            f"--max-params {max_params}: the smallest network for {n_classes} classes of {image_size}x{image_size} "
            f"images has {_size(narrowest):,} parameters"
        )

    def with_base(base: int) -> Architecture:
        return dataclasses.replace(narrowest, widths=_widths(family, base, stages, mirrored=mirrored))

    base = WIDTH_STEP
    while base < 4096 and _size(with_base(base + WIDTH_STEP)) <= max_params:
        base += WIDTH_STEP
    if width < 1:
        return with_base(_step(base * width))
    found = with_base(base)
    while True:  # what is left of the budget goes to the last stage
        wider = dataclasses.replace(found, widths=(*found.widths[:-1], found.widths[-1] + WIDTH_STEP))
        if _size(wider) > max_params or wider.widths[-1] > 2 * base:
            return found
        found = wider


def _size(architecture: Architecture) -> int:
    with torch.device("meta"):
        return n_params(build_network(architecture, seed=0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs.

    Attributes:
        n_params: Parameters, frozen ones included.
        n_macs: Multiplications with an addition in one forward pass of one image.
        microseconds: Measured here, one image of a batch of 256 forward and backward; what an image costs in training.
    """

    n_params: int
    n_macs: int
    microseconds: float


def cost_of(network: nn.Module, architecture: Architecture, *, dtype: torch.dtype) -> Cost:
    """What the network costs on its device with the present number of threads; takes a fraction of a second."""
    return Cost(
        n_params=n_params(network),
        n_macs=n_macs(architecture),
        microseconds=_measured_microseconds(network, architecture, dtype),
    )


def n_macs(architecture: Architecture) -> int:
    """Multiplications with an addition of one image's forward pass, in convolutions and linear layers."""
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        total += output[0].numel() * weight[0].numel()

    with torch.device("meta"):
        network = build_network(architecture, seed=0).eval()
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | MirroredConv2d | nn.Linear):
                layer.register_forward_hook(count)
        side = architecture.image_size
        network(torch.empty(1, architecture.channels, side, side))
    return total


def _measured_microseconds(network: nn.Module, architecture: Architecture, dtype: torch.dtype) -> float:
    device = next(network.parameters()).device
    side, n = architecture.image_size, 256
    images_BCHW = torch.randn(n, architecture.channels, side, side).to(device, memory_format=torch.channels_last)
    best = float("inf")
    network.eval()  # BatchNorm must not learn from noise
    for _ in range(3):
        start = time.perf_counter()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            outputs = network(images_BCHW)
        outputs.float().square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
        network.zero_grad(set_to_none=True)
    return best / n * 1e6


def _widths(family: Family, base: int, stages: int, *, mirrored: bool) -> tuple[int, ...]:
    if family == "feed_forward":  # 1024, 512, 256 for CIFAR-10 are the 3.8 million of many a first notebook
        return tuple(_step(base / 2**i) for i in range(3))
    # Narrow in the first stage, where maps are largest, wider in the last, where they are smallest.
    first, last = (1 / 2, 5 / 4)
    if mirrored:  # in some 36,000 parameters 24-40-48 beat 16-40-48 and 8-32-64
        first, last = min(1, max(1 / 3, 24 / base)), 4 / 3 if base > 48 else 6 / 5
    shares = [first, *[1.0] * (stages - 2), last]
    return tuple(_step(base * share) for share in shares)


def _step(width: float) -> int:
    return max(WIDTH_STEP, round(width / WIDTH_STEP) * WIDTH_STEP)

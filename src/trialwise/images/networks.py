"""The networks: a whitened residual CNN, and for comparison a plain CNN and a feed-forward net.

Shapes: B images, C channels, H height, W width, K classes.
"""

import copy
import dataclasses
import math
from typing import Any

import torch
from torch import nn

from trialwise.images.settings import Family


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything the network is built from.

    Attributes:
        family: "residual" is the one to use; "plain" (convolutions alone) and "feed_forward" (no convolutions) are
            there to be compared with.
        channels: Of the images: 1 grey, 3 colour.
        image_size: Side of the images in pixels.
        n_classes: Outputs.
        widths: Channels of each stage (CNNs, the maps halved in each as long as they are large enough), or units of
            each hidden layer.
        depth: Residual blocks a stage.
        mirrored: Whether the filters come in mirrored pairs, so that an image and its mirror image get the same
            logits; see `MirroredConv2d`. For "residual" only.
        separable: Whether convolutions look at each channel alone first and mix channels afterwards; see
            `SeparableConv2d`. For "residual" only, and not with mirrored pairs.
        batch_norm: Whether convolutions are followed by BatchNorm, or have biases instead.
        shortcuts: Whether residual blocks are added to their input, or take its place.
        dropout: Share of the last features dropped in training.
    """

    family: Family
    channels: int
    image_size: int
    n_classes: int
    widths: tuple[int, ...]
    depth: int
    mirrored: bool
    batch_norm: bool
    shortcuts: bool
    dropout: float
    separable: bool = False

    def to_document(self) -> dict[str, Any]:
        """The architecture as plain JSON values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemShape:
    """The first convolution: what it takes of an image, and how much of that it hands on.

    Attributes:
        kernel: Side of its filters in pixels.
        stride: Pixels from one patch to the next: the maps are that much smaller than the image.
        padding: Pixels of zeros around the image.
        width: Filters: each principal direction of the patches and its negative.
    """

    kernel: int
    stride: int
    padding: int
    width: int


def stem_shape(channels: int, image_size: int) -> StemShape:
    """Patches of 2 x 2 pixels (grey: 3 x 3), or so much larger that maps of 23 to 45 pixels are left of the image."""
    stride = 2 ** max(0, round(math.log2(image_size / 32)))
    if stride > 1:
        return StemShape(kernel=2 * stride, stride=stride, padding=stride // 2, width=24)
    if channels == 1:
        return StemShape(kernel=3, stride=1, padding=1, width=18)
    return StemShape(kernel=2, stride=1, padding=0, width=24)


def n_stages(channels: int, image_size: int) -> int:
    """As many as bring the maps down to 3 to 7 pixels, halving in each; at least two."""
    return max(2, _n_halvings(_stem_side(channels, image_size)))


def _stem_side(channels: int, image_size: int) -> int:
    """The side of the maps behind the stem."""
    stem = stem_shape(channels, image_size)
    return (image_size + 2 * stem.padding - stem.kernel) // stem.stride + 1


def _n_halvings(side: int) -> int:
    return max(0, (side // 3).bit_length() - 1)


class MirroredConv2d(nn.Module):
    """A 3x3 convolution whose second half of outputs is the mirror image of its first half.

    The network sees every image both ways round at once: maps have two halves, and mirroring the image mirrors the
    maps and swaps their halves (the group of reflections of Cohen & Welling 2016, "Group Equivariant Convolutional
    Networks"). Half of the filters are parameters; the other half are the same, mirrored. So a number of parameters
    buys 1.4 times the width, at twice the multiplications, and no epoch is needed to learn what flips would teach.

    Attributes:
        partner: For each input channel, the one that it becomes when the image is mirrored.
    """

    partner: torch.Tensor

    def __init__(self, width_in: int, width_out: int, *, bias: bool) -> None:
        super().__init__()
        half = nn.Conv2d(width_in, width_out // 2, 3, padding=1, bias=bias)  # for its usual first weights
        self.weight = half.weight
        self.bias = half.bias
        swapped = torch.arange(width_in).roll(width_in // 2)
        self.register_buffer("partner", swapped)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Maps of `width_out` channels, of the same size."""
        weight, bias = self.all_filters()
        return nn.functional.conv2d(maps_BCHW, weight, bias, padding=1)

    def all_filters(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The filters (width_out, width_in, 3, 3), mirrored ones last, and their biases."""
        weight = torch.cat([self.weight, self.weight.flip(3)[:, self.partner]])
        bias = None if self.bias is None else self.bias.repeat(2)
        return weight.contiguous(memory_format=torch.channels_last), bias


class MirroredBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that treats a channel and its mirrored partner as one: same mean, same variance, same bias."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, H, W) of the same shape."""
        n, width, height, side = input.shape
        # In channels-last memory the two halves of a pixel lie side by side, like two pixels of half the channels.
        joined = input.permute(0, 2, 3, 1).reshape(n, height, side * 2, width // 2).permute(0, 3, 1, 2)
        normed = super().forward(joined)
        return normed.permute(0, 2, 3, 1).reshape(n, height, side, width).permute(0, 3, 1, 2)


class SeparableConv2d(nn.Sequential):
    """A 3x3 convolution of each channel alone, then one of 1x1 across the channels (Sifre 2014; MobileNet 2017).

    A ninth of the parameters and multiplications of a dense one of the same width, so a number of parameters buys a far
    wider network. Convolutions of single channels are bound by memory: on a CPU they are slower than dense ones.
    """

    def __init__(self, width_in: int, width_out: int, *, bias: bool) -> None:
        across = nn.Conv2d(width_in, width_out, 1, bias=bias)
        super().__init__(nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False), across)

    @property
    def weight(self) -> nn.Parameter:
        """The filters across channels, (width_out, width_in, 1, 1)."""
        return self.get_parameter("1.weight")


class ConvBlock(nn.Module):
    """Convolution 3x3, max pooling where asked, BatchNorm (or a bias), SiLU.

    Pooling between convolution and BatchNorm is what the speed records do: BatchNorm and SiLU cost a quarter.
    BatchNorm has no scale, as in those records; the filters that follow have one.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        mirrored: bool,
        separable: bool,
        batch_norm: bool,
        halved_side: int | None = None,
    ) -> None:
        super().__init__()
        # Windows of 2 pixels fill an even side, windows of 3 an odd one: so left and right are treated alike.
        self.pool = nn.Identity() if halved_side is None else nn.MaxPool2d(2 + halved_side % 2, 2)
        self.convolution: nn.Module
        self.norm: nn.Module
        if mirrored:
            self.convolution = MirroredConv2d(width_in, width_out, bias=not batch_norm)
            self.norm = MirroredBatchNorm2d(width_out // 2, momentum=0.3) if batch_norm else nn.Identity()
        else:
            self.convolution = (
                SeparableConv2d(width_in, width_out, bias=not batch_norm)
                if separable
                else nn.Conv2d(width_in, width_out, 3, padding=1, bias=not batch_norm)
            )
            self.norm = nn.BatchNorm2d(width_out, momentum=0.3) if batch_norm else nn.Identity()
        weight = self.convolution.weight
        assert isinstance(weight, nn.Parameter)
        with torch.no_grad():  # as many filters as there are inputs start by handing them on (airbench's "dirac")
            nn.init.dirac_(weight[: weight.shape[1]])
        if isinstance(self.norm, nn.BatchNorm2d):
            self.norm.weight.requires_grad_(False)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Maps of `width_out` channels, half as high and wide where the block halves."""
        return nn.functional.silu(self.norm(self.pool(self.convolution(maps_BCHW))))


class Residual(nn.Module):
    """A block added to its own input (He et al. 2015), or in its place where shortcuts are off."""

    def __init__(self, width: int, *, mirrored: bool, separable: bool, batch_norm: bool, shortcut: bool) -> None:
        super().__init__()
        self.block = ConvBlock(width, width, mirrored=mirrored, separable=separable, batch_norm=batch_norm)
        self.shortcut = shortcut

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        """Maps of the same shape."""
        changed_BCHW = self.block(maps_BCHW)
        return maps_BCHW + changed_BCHW if self.shortcut else changed_BCHW


class ResidualCNN(nn.Module):
    """A frozen whitening stem, stages of a halving block and residual blocks, global max pooling, a linear head.

    The stem's filters are set from the training images by `whitening.whiten`; they stay as they are in training, so
    the most expensive gradient of all, that of the first maps, is never needed.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        shape = stem_shape(architecture.channels, architecture.image_size)
        self.stem = nn.Conv2d(architecture.channels, shape.width, shape.kernel, shape.stride, shape.padding, bias=False)
        self.stem.weight.requires_grad_(False)
        self.mirrored = architecture.mirrored
        kind = {
            "mirrored": architecture.mirrored,
            "separable": architecture.separable,
            "batch_norm": architecture.batch_norm,
        }
        side = _stem_side(architecture.channels, architecture.image_size)
        n_halvings = _n_halvings(side)
        stages: list[nn.Module] = []
        width_before = shape.width
        for i, width in enumerate(architecture.widths):
            halved_side = side if i >= len(architecture.widths) - n_halvings else None
            stages.append(ConvBlock(width_before, width, halved_side=halved_side, **kind))
            side = side if halved_side is None else side // 2
            stages += [Residual(width, shortcut=architecture.shortcuts, **kind) for _ in range(architecture.depth)]
            width_before = width
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(width_before // 2 if self.mirrored else width_before, architecture.n_classes)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) of normalised images."""
        features_BC = self.stages(nn.functional.silu(self.stem(images_BCHW))).amax(dim=(2, 3))
        if self.mirrored:  # which half saw the image the right way round is nothing to the head
            features_BC = features_BC.unflatten(1, (2, -1)).sum(1)
        return self.head(self.dropout(features_BC))


class PlainCNN(nn.Module):
    """What a first notebook builds: convolution, ReLU, pooling, once a stage; then one linear layer."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width_before, side = architecture.channels, architecture.image_size
        for width in architecture.widths:
            layers += [nn.Conv2d(width_before, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width)] if architecture.batch_norm else []
            layers += [nn.ReLU(), nn.MaxPool2d(2)] if side >= 4 else [nn.ReLU()]
            side = side // 2 if side >= 4 else side
            width_before = width
        self.stages = nn.Sequential(*layers)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(width_before * side * side, architecture.n_classes)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) of normalised images."""
        return self.head(self.dropout(self.stages(images_BCHW).flatten(1)))


class FeedForward(nn.Module):
    """Linear layers and ReLU on the flattened image, which knows nothing of neighbouring pixels."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width_before = architecture.channels * architecture.image_size**2
        for width in architecture.widths:
            layers.append(nn.Linear(width_before, width))
            layers += [nn.BatchNorm1d(width)] if architecture.batch_norm else []
            layers += [nn.ReLU(), nn.Dropout(architecture.dropout)]
            width_before = width
        self.stages = nn.Sequential(*layers)
        self.head = nn.Linear(width_before, architecture.n_classes)

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) of normalised images."""
        return self.head(self.stages(images_BCHW))


_CLASSES: dict[Family, type[nn.Module]] = {"residual": ResidualCNN, "plain": PlainCNN, "feed_forward": FeedForward}


def build_network(architecture: Architecture, *, seed: int) -> nn.Module:
    """The network with weights drawn from `seed`, channels last; a residual one is not whitened yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _CLASSES[architecture.family](architecture)
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-matching-overload]


def n_params(network: nn.Module) -> int:
    """The number of parameters, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def written_out(network: nn.Module) -> nn.Module:
    """A copy in which all mirrored filters are ordinary ones: the same answers, for tools that know only those."""
    network = copy.deepcopy(network)
    for name, layer in list(network.named_modules()):
        if isinstance(layer, MirroredConv2d):
            weight, bias = layer.all_filters()
            plain = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=bias is not None)
            state = {"weight": weight} | ({} if bias is None else {"bias": bias})
        elif isinstance(layer, MirroredBatchNorm2d):
            plain = nn.BatchNorm2d(2 * layer.num_features, eps=layer.eps, momentum=layer.momentum)
            state = {key: value.repeat(2) if value.ndim else value for key, value in layer.state_dict().items()}
        else:
            continue
        plain.load_state_dict({key: value.detach() for key, value in state.items()})
        network.set_submodule(name, plain.to(layer.weight.device).train(layer.training))
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-matching-overload]

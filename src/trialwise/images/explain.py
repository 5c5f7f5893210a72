"""What a network looks at: its first filters, the maps inside it, and Grad-CAM.

Shapes: B images, O filters, C channels, H height, W width, K classes; h, w: height and width of a layer's maps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trialwise.base.errors import UserError
from trialwise.base.settings import unknown_name

_FEWEST_CAM_PIXELS = 4  # maps of 3 x 3 say hardly where; those of an earlier layer are taken


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the first layer looks for.

    Attributes:
        layer: Its name.
        tiles_OHWC: One picture a filter, 0..1, all on one scale: 0.5 is a weight of zero.
        is_fixed: Whether training leaves them as they are: the principal directions of patches (whitening).
    """

    layer: str
    tiles_OHWC: NDArray[np.float32]
    is_fixed: bool


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer whose output is maps.

    Attributes:
        name: Its dotted name in the network.
        channels: Maps it puts out.
        height: Of each map.
        width: Of each map.
        is_group: Whether it only runs others one after the other.
        is_bare: Whether it is a convolution or a normalisation alone, without the activation after it.
    """

    name: str
    channels: int
    height: int
    width: int
    is_group: bool
    is_bare: bool


def first_filters(network: nn.Module, *, channels: int, image_size: int) -> Filters | None:
    """The filters of the first convolution, or of a first linear layer on all pixels; None where there is neither."""
    for name, part in network.named_modules():
        if not isinstance(part, nn.Conv2d | nn.Linear):
            continue
        weights = part.weight.detach().float().cpu()
        if isinstance(part, nn.Linear):
            if part.in_features != channels * image_size**2:
                return None
            weights = weights.reshape(-1, channels, image_size, image_size)
        elif part.weight.shape[1] != channels:
            return None
        scaled_OCHW = 0.5 + weights / (2 * weights.abs().max().clamp(min=torch.finfo(torch.float32).tiny))
        return Filters(
            layer=name,
            tiles_OHWC=scaled_OCHW.permute(0, 2, 3, 1).numpy(),
            is_fixed=not part.weight.requires_grad,
        )
    return None


def map_layers(network: nn.Module, inputs_BCHW: torch.Tensor) -> list[Layer]:
    """Every layer whose output is maps, in the order in which they are computed.

    Args:
        network: The network.
        inputs_BCHW: Any normalised images.
    """
    found: dict[str, Layer] = {}
    with _watched(network, None) as outputs, torch.no_grad():
        network.eval()(inputs_BCHW[:1])
    for name, maps_BCHW in outputs.items():
        _, n_maps, height, width = maps_BCHW.shape
        part = network.get_submodule(name)
        found[name] = Layer(
            name=name,
            channels=n_maps,
            height=height,
            width=width,
            is_group=isinstance(part, nn.Sequential),
            is_bare=any(True for _ in part.parameters(recurse=False)),
        )
    return list(found.values())


def typical_layers(layers: list[Layer], n: int) -> list[Layer]:
    """At most `n` layers along the way through the network: the last of each size of maps, activated if possible."""
    single = [layer for layer in layers if not layer.is_group and layer.height > 1]
    last_of_size = {(layer.height, layer.width): layer for layer in sorted(single, key=lambda layer: not layer.is_bare)}
    chosen = sorted(last_of_size.values(), key=layers.index)
    if len(chosen) <= n:
        return chosen
    return [chosen[i] for i in np.linspace(0, len(chosen) - 1, n).round().astype(int)]


def find_layer(layers: list[Layer], name: str) -> Layer:
    """The layer of that name.

    Raises:
        UserError: There is none; it names the nearest and all others.
    """
    for layer in layers:
        if layer.name == name:
            return layer
    names = [layer.name for layer in layers]
    error = unknown_name("layer", name, names)
    listed = f"the layers that have maps: {', '.join(names) or 'none'}"
    raise UserError(error.message, hint=f"{error.hint} {listed}" if "did you mean" in error.hint else listed)


def cam_layer(layers: list[Layer]) -> Layer | None:
    """The layer for Grad-CAM: the last with maps of at least 4 x 4 pixels, else the last with more than one pixel.

    What comes out of an activation goes before the bare convolution that follows it: it is what the rest builds on.
    """
    usable = typical_layers(layers, len(layers))
    large = [layer for layer in usable if min(layer.height, layer.width) >= _FEWEST_CAM_PIXELS]
    return (large or usable or [None])[-1]


def feature_maps(network: nn.Module, inputs_BCHW: torch.Tensor, layer: str) -> NDArray[np.float32]:
    """The output (B, C, h, w) of a layer on normalised images."""
    with _watched(network, layer) as outputs, torch.no_grad():
        network.eval()(inputs_BCHW)
    return outputs[layer].float().cpu().numpy()


def grad_cam(network: nn.Module, inputs_BCHW: torch.Tensor, classes_B: torch.Tensor, layer: str) -> NDArray[np.float32]:
    """Where in each image the evidence for a class lies (Selvaraju et al. 2017, "Grad-CAM").

    Each map of the layer is weighted by how much the class's logit grows with it, on average over the map; what is
    positive of their sum is scaled up to the image.

    Args:
        network: The network; its weights and their gradients are left as they are.
        inputs_BCHW: Normalised images.
        classes_B: The class to explain of each image.
        layer: Whose maps to look at; see `cam_layer`.

    Returns:
        (B, H, W) in 0..1, the largest value of each image 1; all 0 where nothing speaks for the class.
    """
    with _watched(network, layer, with_gradients=True) as outputs, torch.enable_grad():
        logits_BK = network.eval()(inputs_BCHW)
        score = logits_BK.gather(1, classes_B[:, None]).sum()
        maps_BCHW = outputs[layer]
        (slope_BCHW,) = torch.autograd.grad(score, maps_BCHW)
    weights_BC11 = slope_BCHW.mean(dim=(2, 3), keepdim=True)
    heat_B1HW = torch.relu((weights_BC11 * maps_BCHW.detach()).sum(1, keepdim=True))
    heat_B1HW = nn.functional.interpolate(heat_B1HW, size=inputs_BCHW.shape[2:], mode="bilinear", align_corners=False)
    highest_B111 = heat_B1HW.amax(dim=(2, 3), keepdim=True)
    return torch.where(highest_B111 > 0, heat_B1HW / highest_B111, 0.0)[:, 0].cpu().numpy()


@contextmanager
def _watched(
    network: nn.Module, layer: str | None, *, with_gradients: bool = False
) -> Iterator[dict[str, torch.Tensor]]:
    """The maps (B, C, h, w) that one layer, or every layer, puts out within the block; nothing is left on the network.

    With gradients the maps are made the start of a graph of their own, so that frozen layers before them do not matter.
    """
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., torch.Tensor | None]:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor | None:
            if not isinstance(output, torch.Tensor) or output.ndim != 4:
                return None
            if not with_gradients:
                outputs[name] = output
                return None
            outputs[name] = output.detach().requires_grad_()
            return outputs[name].clone()  # what follows may work in place, which the start of a graph does not allow

        return hook

    watched = {name: part for name, part in network.named_modules() if name and layer in (None, name)}
    handles = [part.register_forward_hook(keep(name)) for name, part in watched.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()

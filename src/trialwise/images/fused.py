"""A trained network made ready for use: BatchNorm folded into the convolutions, weights in the fast format.

Shapes: B images of a batch, C channels, H height, W width, K classes.
"""

import operator
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trialwise.images.networks import written_out
from trialwise.images.saved import SavedModel

# Logits (B, K) in float32 from uint8 images (B, H, W, C).
Network = Callable[[torch.Tensor], torch.Tensor]

Kind = TypeVar("Kind", bound=nn.Module)

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)  # their statistics need all their digits
_LEAVES = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
_POOLS = (nn.functional.max_pool2d, torch.max_pool2d)
_ELEMENTWISE = (operator.mul, operator.truediv, operator.add, torch.mul, torch.div)

TOLERANCE = 0.05  # relative, in logits; on trained networks bfloat16's rounding made less than 0.01
_PROBES = 16


def ready_network(saved: SavedModel, dtype: torch.dtype) -> Network:
    """The saved network with its preprocessing, as fast as it gets here with the same answers.

    Folding leaves one convolution where there were a convolution and a BatchNorm; weights are converted to `dtype`
    once instead of in every batch. A network that `torch.fx` cannot follow, or whose logits then differ from the
    plain ones, is run under autocast as in training.

    Args:
        saved: The model; its network is not changed.
        dtype: What convolutions are computed in; see `training.device.number_format`.
    """
    plain = written_out(saved.network).eval()
    careful = _with_preprocessing(saved, _autocast(plain, saved.mean.device, dtype), torch.float32)
    try:
        fast = _with_preprocessing(saved, _converted(fold_batch_norms(plain), dtype), dtype)
        return fast if _agree(saved, _with_preprocessing(saved, plain, torch.float32), fast) else careful
    except Exception:  # whatever tracing or running the copy may raise, the network itself still works
        return careful


def fold_batch_norms(network: nn.Module) -> fx.GraphModule:
    """A copy of the network for evaluation, each BatchNorm folded into the convolution before it where that is exact.

    Exact where the convolution feeds nothing else, directly or through a max pooling: pooling and a BatchNorm of
    positive scales can change places.

    Raises:
        Exception: Whatever `torch.fx` raises on a network whose steps depend on its input.
    """
    root = written_out(network).eval()
    graph = _Tracer().trace(root)
    module = fx.GraphModule(root, graph)
    uses = Counter(node.target for node in graph.nodes if node.op == "call_module")
    for node in list(graph.nodes):
        norm = _module(module, node, nn.BatchNorm2d)
        if norm is None or uses[node.target] > 1:
            continue
        source, is_pooled = _before_pooling(module, node.all_input_nodes[0])
        convolution = _module(module, source, nn.Conv2d)
        if convolution is None or uses[source.target] > 1 or len(_readers(source)) > 1:
            continue
        if is_pooled and norm.weight is not None and not bool((norm.weight > 0).all()):
            continue
        module.set_submodule(str(source.target), fuse_conv_bn_eval(convolution, norm))
        node.replace_all_uses_with(node.all_input_nodes[0])
        graph.erase_node(node)
    module.delete_all_unused_submodules()
    module.recompile()
    return module


class _Tracer(fx.Tracer):
    """Keeps convolutions, BatchNorms and linear layers whole, subclasses that compute the same included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or any(
            isinstance(m, leaf) and type(m).forward is leaf.forward for leaf in _LEAVES
        )


class _Float32Linear(nn.Module):
    """A linear layer computed in float32 whatever it is given: it costs nothing, and logits keep their digits."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features_BC: torch.Tensor) -> torch.Tensor:
        return self.linear(features_BC.float())


def _module(module: fx.GraphModule, node: object, kind: type[Kind]) -> Kind | None:
    """The layer of that kind that the node calls; None where it calls something else."""
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    found = module.get_submodule(str(node.target))
    return found if isinstance(found, kind) else None


def _before_pooling(module: fx.GraphModule, node: fx.Node) -> tuple[fx.Node, bool]:
    """The node before any max poolings that nothing else looks at, and whether there were any."""
    is_pooled = False
    while len(_readers(node)) == 1 and (is_pool := _is_pool(module, node)) is not None:
        node, is_pooled = node.all_input_nodes[0], is_pooled or is_pool
    return node, is_pooled


def _readers(node: fx.Node) -> list[fx.Node]:
    """What is computed from a node's values; who asks for its shape alone does not count."""
    return [user for user in node.users if not (user.target is getattr and user.args[1] == "shape")]


def _is_pool(module: fx.GraphModule, node: fx.Node) -> bool | None:
    """Whether the node is a max pooling; None where it is neither that nor one that changes nothing."""
    if node.op == "call_function":
        return True if node.target in _POOLS else None
    if _module(module, node, nn.MaxPool2d) is not None:
        return True
    return False if _module(module, node, nn.Identity) is not None else None


def _converted(module: fx.GraphModule, dtype: torch.dtype) -> nn.Module:
    """The network with its weights in `dtype`: all but the last linear layer and what is left of BatchNorm."""
    last = [node for node in module.graph.nodes if node.op not in ("output", "placeholder", "get_attr")]
    while last and last[-1].op == "call_function" and last[-1].target in _ELEMENTWISE:
        last.pop()
    head = _module(module, last[-1], nn.Linear) if last else None
    for part in module.modules():
        if part is not head and not isinstance(part, _NORMS):
            for parameter in part.parameters(recurse=False):
                parameter.data = parameter.data.to(dtype)
    if head is not None:
        module.set_submodule(str(last[-1].target), _Float32Linear(head))
    return module.to(memory_format=torch.channels_last)  # type: ignore[no-matching-overload]


def _autocast(network: nn.Module, device: torch.device, dtype: torch.dtype) -> Network:
    def run(images_BCHW: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            return network(images_BCHW)

    return run


def _with_preprocessing(saved: SavedModel, network: Network, dtype: torch.dtype) -> Network:
    """The network taking uint8 images. The numbers are those of `augment.normalised`, eight times faster.

    It is the mean and the standard deviation of every pixel, not of every channel, that are subtracted and divided
    by: a row of three numbers is too short to be worked on as a vector.
    """
    size, channels = saved.architecture.image_size, saved.architecture.channels
    mean_HWC = (255 * saved.mean).expand(size, size, channels).contiguous()
    std_HWC = (255 * saved.std).expand(size, size, channels).contiguous()

    def run(images_BHWC: torch.Tensor) -> torch.Tensor:
        scaled_BHWC = images_BHWC.float().sub_(mean_HWC).div_(std_HWC)
        return network(scaled_BHWC.permute(0, 3, 1, 2).to(dtype)).float()

    return run


def _agree(saved: SavedModel, plain: Network, fast: Network) -> bool:
    """Whether both give the same logits, to rounding, on images of noise and of plain colours."""
    generator = torch.Generator().manual_seed(0)
    shape = (_PROBES, saved.architecture.image_size, saved.architecture.image_size, saved.architecture.channels)
    noise_BHWC = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    noise_BHWC[::2] = noise_BHWC[::2, :1, :1]
    probes_BHWC = noise_BHWC.to(saved.mean.device)
    with torch.inference_mode():
        wanted_BK, got_BK = plain(probes_BHWC), fast(probes_BHWC)
    return bool((wanted_BK - got_BK).norm() < TOLERANCE * wanted_BK.norm())  # false where there is a NaN

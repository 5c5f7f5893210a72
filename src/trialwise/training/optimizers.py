"""Optimizers with the weight decay where it belongs, and the learning-rate schedule."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

OptimizerName = Literal["muon", "sgd", "adamw"]

ADAM_SHARE = 0.05  # of Muon's learning rate, for what AdamW trains beside it: 0.005 at the usual 0.1


def build_optimizer(
    model: nn.Module, name: OptimizerName, *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Muon, SGD with Nesterov momentum 0.9, or AdamW, over the model's trainable parameters.

    Only weights of two or more dimensions decay; biases and normalisation scales do not
    (He et al. 2019, "Bag of Tricks for Image Classification", section 3.1). Filters that Muon trains do not decay
    either: it keeps their length fixed.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if name == "muon":
        return Muon(trainable, learning_rate=learning_rate, weight_decay=weight_decay)
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


class Muon(torch.optim.AdamW):
    """Momentum whose steps are made orthogonal, for the filters of normalised convolutions; AdamW for all else.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", in the form of the CIFAR-10 speed
    records (airbench94_muon): a filter bank is a matrix (outputs, inputs x height x width), all singular values of
    a step are near 1, and the bank is kept at the norm sqrt(outputs). Behind a convolution stands a BatchNorm, to
    which the length of filters is nothing; so the learning rate is the share of its length that a filter moves.
    `torch.optim.Muon` takes matrices alone. AdamW gets a fixed share of the learning rate: one is enough to tune.
    """

    def __init__(
        self, parameters: list[nn.Parameter], *, learning_rate: float, weight_decay: float, momentum: float = 0.6
    ) -> None:
        filters = [p for p in parameters if _is_filter_bank(p)]
        others = [p for p in parameters if not _is_filter_bank(p)]
        groups: list[dict[str, Any]] = [
            {"params": filters, "lr": learning_rate, "weight_decay": 0.0},
            {"params": [p for p in others if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
        ]
        super().__init__(
            [group for group in groups if group["params"]], lr=ADAM_SHARE * learning_rate, betas=(0.9, 0.95)
        )
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        assert closure is None, "no closure is needed anywhere in trialwise"
        for group in self.param_groups:
            for bank in group["params"]:
                if _is_filter_bank(bank) and bank.grad is not None:
                    self._turn(bank, group["lr"])
                    bank.grad = None  # AdamW passes by what has no gradient
        return super().step()

    def _turn(self, bank: nn.Parameter, learning_rate: float) -> None:
        state = self.state[bank]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(bank)
            state["step"] = torch.tensor(0.0)  # AdamW looks for it in every state that it loads
        gradient = bank.grad
        assert gradient is not None
        velocity = state["momentum_buffer"].mul_(self.momentum).add_(gradient)
        step = orthogonalised(gradient.add(velocity, alpha=self.momentum).flatten(1)).view_as(bank)
        bank.mul_(len(bank) ** 0.5 / bank.norm().clamp(min=1e-7)).add_(step, alpha=-learning_rate)


def _is_filter_bank(parameter: nn.Parameter) -> bool:
    """Whether it is of a convolution across channels: a depthwise filter is no matrix."""
    return parameter.ndim == 4 and parameter.shape[1] > 1


def orthogonalised(matrix: torch.Tensor, *, steps: int = 5) -> torch.Tensor:
    """The matrix with all its singular values brought near 1 (0.7 to 1.2), by Newton-Schulz iteration.

    The quintic polynomial is Jordan's; it trades accuracy for speed, which costs Muon nothing.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def one_cycle(fraction: float, *, warmup_fraction: float = 0.2) -> float:
    """The learning rate's share of its peak after `fraction` (0 to 1) of all steps: up in a line, down in a line to 0.

    Smith & Topin 2017, "Super-Convergence", with the linear descent of the CIFAR-10 speed records.
    """
    if fraction < warmup_fraction:
        return 0.1 + 0.9 * fraction / warmup_fraction
    return max(0.0, (1.0 - fraction) / (1.0 - warmup_fraction))


def linear(fraction: float) -> float:
    """The learning rate's share of its peak: up within the first twentieth of all steps, then down in a line to 0."""
    return one_cycle(fraction, warmup_fraction=0.05)


def constant(fraction: float) -> float:
    """The learning rate's share of its peak: always 1."""
    return 1.0

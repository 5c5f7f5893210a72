"""Optimizers with the weight decay where it belongs, and the learning-rate schedule."""

from typing import Literal

import torch
from torch import nn

OptimizerName = Literal["sgd", "adamw"]


def build_optimizer(
    model: nn.Module, name: OptimizerName, *, learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum 0.9, or AdamW, over the model's trainable parameters.

    Only weights of two or more dimensions decay; biases and normalisation scales do not
    (He et al. 2019, "Bag of Tricks for Image Classification", section 3.1).
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def one_cycle(fraction: float, *, warmup_fraction: float = 0.2) -> float:
    """The learning rate's share of its peak after `fraction` (0 to 1) of all steps: up in a line, down in a line to 0.

    Smith & Topin 2017, "Super-Convergence", with the linear descent of the CIFAR-10 speed records.
    """
    if fraction < warmup_fraction:
        return 0.1 + 0.9 * fraction / warmup_fraction
    return max(0.0, (1.0 - fraction) / (1.0 - warmup_fraction))


def constant(fraction: float) -> float:
    """The learning rate's share of its peak: always 1."""
    return 1.0

"""The training loop: a generator that yields one result an epoch and leaves the rest to ordinary loops around it."""

import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from trialwise.base.errors import WorkError
from trialwise.base.seeds import child_seed
from trialwise.training.best_weights import BestWeights
from trialwise.training.checkpoints import Checkpoint, Stateful


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What one epoch gave.

    Attributes:
        epoch: 1 for the first.
        train_loss: Mean loss over the epoch's batches.
        valid: Scores on the validation rows, by name, e.g. {"accuracy": 0.93, "loss": 0.2}.
        learning_rate: The learning rate of the epoch's last step.
        seconds: Wall time of the epoch, training and validation together.
    """

    epoch: int
    train_loss: float
    valid: dict[str, float]
    learning_rate: float
    seconds: float


def fit(
    model: nn.Module,
    *,
    batches: Callable[[int], Iterable[tuple[torch.Tensor, torch.Tensor]]],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    validate: Callable[[], dict[str, float]],
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[float], float],
    n_epochs: int,
    steps_per_epoch: int,
    seed: int,
    checkpoint: Checkpoint | None = None,
    results_known: int = 0,
    autocast: torch.dtype | None = None,
    clip_norm: float | None = None,
    average: AveragedModel | None = None,
    best: BestWeights | None = None,
) -> Generator[EpochResult]:
    """Train `model`, yielding one `EpochResult` an epoch; not calling `next` is a pause, closing is a stop.

    With a `checkpoint` the state is saved before each yield, and a saved state is picked up again: the epochs
    already done are not repeated and the rest gives the numbers of an uninterrupted run (to the bit on one CPU
    with the same number of threads), because an epoch's randomness comes from `seed` and its number alone.

    Args:
        model: Trained in place.
        batches: The (inputs, targets) of epoch e (from 1), on the model's device.
        loss: The scalar loss of (model output, targets).
        validate: The scores on the validation rows; called after every epoch with the model in eval mode.
        optimizer: Its learning rates are the peaks that `schedule` scales.
        schedule: The share of the peak learning rate after a fraction (0 to 1) of all steps.
        n_epochs: The length of the whole training, which the schedule spans.
        steps_per_epoch: Batches an epoch.
        seed: Seeds dropout.
        checkpoint: Where the state is kept between epochs.
        results_known: Results already on record elsewhere: those of later epochs that the checkpoint holds are
            yielded again first, so that a crash between the saving and the recording loses nothing.
        autocast: `torch.bfloat16` or `torch.float16` to compute the forward pass in it; None for float32. With float16
            the loss is scaled, as high as its small range of numbers allows, and steps that overflow are left out.
        clip_norm: The largest gradient norm; None for no clipping.
        average: Moving average of the model's weights, brought up to date after each step; None for none.
        best: Is offered the weights and the validation "loss" of each epoch; None for no keeping of the best.

    Raises:
        WorkError: The loss is no longer a finite number.
    """
    device = next(model.parameters()).device
    peaks = [group["lr"] for group in optimizer.param_groups]
    scaler = torch.amp.GradScaler(device.type, enabled=autocast == torch.float16)
    parts = _in_use(model=model, optimizer=optimizer, average=average, best=best, scaler=scaler)
    history = checkpoint.load(parts, device) if checkpoint else []
    yield from (EpochResult(**result) for result in history[results_known:])
    for epoch in range(len(history) + 1, n_epochs + 1):
        start = time.perf_counter()
        model.train()
        losses = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(child_seed(seed, "epoch", epoch))
            for inputs, targets in batches(epoch):
                n_done = (epoch - 1) * steps_per_epoch + len(losses)
                _set_rates(optimizer, peaks, schedule(n_done / (n_epochs * steps_per_epoch)))
                with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                    outputs = model(inputs)
                losses.append(_step(model, optimizer, loss(outputs.float(), targets), scaler, clip_norm, average))
        model.eval()
        result = EpochResult(
            epoch=epoch,
            train_loss=_finite_mean(losses, epoch),
            valid=validate(),
            learning_rate=optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - start,
        )
        history.append(dataclasses.asdict(result))
        if best:
            best.offer(result.valid["loss"], epoch)
        if checkpoint:
            checkpoint.save(parts, history)
        yield result


def _in_use(*, scaler: torch.amp.GradScaler, **parts: Stateful | None) -> dict[str, Stateful]:
    """What a checkpoint holds."""
    used = {name: part for name, part in parts.items() if part is not None}
    return used | ({"scaler": scaler} if scaler.is_enabled() else {})


def _finite_mean(losses: list[torch.Tensor], epoch: int) -> float:
    mean = float(torch.stack(losses).mean())
    if not math.isfinite(mean):
        raise WorkError(f"the loss became {mean} in epoch {epoch}", hint="a lower learning rate may help")
    return mean


def _set_rates(optimizer: torch.optim.Optimizer, peaks: list[float], share: float) -> None:
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * share


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch_loss: torch.Tensor,
    scaler: torch.amp.GradScaler,
    clip_norm: float | None,
    average: AveragedModel | None,
) -> torch.Tensor:
    """One step down the batch's loss; the loss, cut from its graph."""
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(batch_loss).backward()
    if clip_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    scaler.step(optimizer)
    scaler.update()
    if average is not None:
        average.update_parameters(model)
    return batch_loss.detach()

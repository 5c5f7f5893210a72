"""How fast a training and its network go here, and how many epochs fit into a time."""

import copy
import dataclasses
import time
from contextlib import closing

from trialwise.base.errors import UserError
from trialwise.images.train import Training, predict_logits

MEASURED_SECONDS = 3.0
MEASURED_IMAGES = 256


def answer_microseconds(training: Training) -> float:
    """What the network takes for the answer to one image of a batch of 256, with the present number of threads.

    The fastest of five batches: whatever else the machine does can only make one slower.
    """
    index_B = training.valid_index[:MEASURED_IMAGES].to(training.images_NHWC.device)
    fastest = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        predict_logits(training.saved, training.images_NHWC, index_B, dtype=training.dtype).cpu()
        fastest = min(fastest, time.perf_counter() - start)
    return 1e6 * fastest / len(index_B)


def epochs_within(training: Training, minutes: float) -> int:
    """As many epochs of the training as fit into `minutes`, validation included, at the speed measured here.

    Speed is measured on a copy for three seconds; the training itself stays as it is.

    Raises:
        UserError: Not even one epoch fits.
    """
    seconds = _epoch_seconds(training)
    epochs = int(60 * minutes / seconds)
    if epochs < 1:
        raise UserError(
            f"--minutes {minutes:g}: one epoch takes {seconds / 60:.1f} minutes here",
            hint="a smaller --max-params or --image-size is faster",
        )
    return epochs


def _epoch_seconds(training: Training) -> float:
    _rehearsed_seconds(training, n_steps=2)  # the first steps find their kernels and their memory
    step_seconds = _rehearsed_seconds(training, n_steps=2) / 2
    n_steps = max(2, min(training.steps_per_epoch, round(MEASURED_SECONDS / step_seconds)))
    step_seconds = _rehearsed_seconds(training, n_steps=n_steps) / n_steps
    start = time.perf_counter()
    training.validate()
    return step_seconds * training.steps_per_epoch + time.perf_counter() - start


def _rehearsed_seconds(training: Training, *, n_steps: int) -> float:
    """How long `n_steps` take, on copies of everything that training changes."""
    settings = training.settings
    network, average = copy.deepcopy((training.network, training.average))
    rehearsal = dataclasses.replace(
        training,
        network=network,
        average=average,
        saved=dataclasses.replace(training.saved, network=average.module if average else network),
        settings=dataclasses.replace(
            settings, epochs=1, freeze="none" if settings.freeze == "gradual" else settings.freeze
        ),
        train_index=training.train_index[: n_steps * training.batch_size],
        valid_index=training.valid_index[:1],
    )
    start = time.perf_counter()
    with closing(rehearsal.epochs()) as epochs:
        next(epochs)
    return time.perf_counter() - start

"""Train image classifiers."""

import dataclasses
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from trialwise.api.images.data import data_and_settings, data_document, run_record, save_trained_on
from trialwise.api.runs import Part, Watch, ends_well, finish, unwatched
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import check_range
from trialwise.images.calibrate import calibrated
from trialwise.images.networks import n_params
from trialwise.images.recipes import TrainSettings
from trialwise.images.saved import save_model
from trialwise.images.store import Prepared
from trialwise.images.train import Training, prepare_training
from trialwise.statistics.intervals import wilson_interval
from trialwise.training.device import free_cores, number_format, pick_device, threads, usable_cores

FEW_VALUES = 20_000_000  # below so many pixel values one thread is faster than several


def train(
    data: str = "digits",
    *,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Train an image classifier on "digits", "cifar10", a folder of class folders or an archive of one.

    Args:
        data: What to train on; the test rows stay unread.
        settings: Fields of `images.recipes.TrainSettings`.
        seed: The one seed: validation split, weights, batches, dropout.
        data_dir: Where CIFAR-10 may lie already.
        n_threads: PyTorch threads; by default the free cores, or 1 where the images are few.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder; its `result` has "n_params", "valid", "epochs", "seconds" and more.

    Raises:
        UserError: The data or a setting cannot be used.
        WorkError: The loss is no longer a number.
        Interrupted: Ctrl-C, after the model as it stands was saved.
    """
    start = time.perf_counter()
    check_out(out)
    if n_threads is not None:
        check_range("threads", n_threads, low=1, high=usable_cores())
    prepared, resolved = data_and_settings(data, settings, data_dir, watch)
    n_threads = n_threads or _fitting_threads(prepared)
    dtype = number_format(pick_device()).dtype
    with threads(n_threads):
        training = prepare_training(prepared, resolved, seed=seed, split_seed=seed, dtype=dtype)
        run = RunFolder.create("image-train", run_record(data, data_dir, resolved, prepared), seed=seed, out=out)
        watch(Part(name=f"train on {prepared.description.name}", total=resolved.epochs))
        results = []
        interrupted = False
        with ends_well(run):
            try:
                with closing(training.epochs()) as epochs:
                    for result in epochs:
                        results.append(result)
                        run.add_metrics(dataclasses.asdict(result))
                        watch(result)
            except KeyboardInterrupt:
                interrupted = True
            # Stopped within an epoch, the weights are no longer those that were scored.
            valid = training.validate() if interrupted else results[-1].valid
            n_valid = len(training.valid_index)
            saved = calibrated(training, run.path)
            save_model(saved, run.path)
            save_trained_on(prepared, run.path)
            document = _training_document(training, prepared, n_threads) | {
                "epochs": len(results),
                "temperature": saved.temperature,
                "valid": valid | {"n": n_valid, "ci95": wilson_interval(round(valid["accuracy"] * n_valid), n_valid)},
                "seconds": {
                    "train": sum(result.seconds for result in results),
                    "total": time.perf_counter() - start,
                },
            }
    return finish(run, document, interrupted=interrupted, hint="the model as it stood is saved there")


def _training_document(training: Training, prepared: Prepared, n_threads: int) -> dict[str, Any]:
    device = training.images_NHWC.device
    return {
        "n_params": n_params(training.network),
        "architecture": training.saved.architecture.to_document(),
        "device": str(device),
        "threads": n_threads,
        "number_format": number_format(device).reason,
        "data": data_document(prepared),
    }


def _fitting_threads(prepared: Prepared) -> int:
    data = prepared.description
    values = data.n_train * data.height * data.width * data.channels
    return 1 if values < FEW_VALUES else free_cores()

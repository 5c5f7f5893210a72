"""Train image classifiers."""

import dataclasses
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from trialwise.api.images.data import (
    data_and_settings,
    data_document,
    prepared_again,
    run_record,
    save_trained_on,
    split_seed_of,
    trained_on,
)
from trialwise.api.images.evaluation import forget_evaluation
from trialwise.api.runs import Note, Part, Watch, ends_well, finish, unwatched
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import check_range, fill
from trialwise.images.budget import Cost, cost_of
from trialwise.images.calibrate import calibrated
from trialwise.images.expectations import expectation
from trialwise.images.objective import CHECKPOINT
from trialwise.images.pace import epochs_within
from trialwise.images.recipes import RecipeName
from trialwise.images.saved import load_model, save_model
from trialwise.images.settings import TrainSettings
from trialwise.images.store import DataDescription, Prepared, open_train, picture_digests
from trialwise.images.train import Training, training_on
from trialwise.statistics.intervals import wilson_interval
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import free_cores, number_format, pick_device, threads, usable_cores
from trialwise.tuning.studies import exclusive

FEW_VALUES = 20_000_000  # below so many pixel values one thread is faster than several


def train(
    data: str = "digits",
    *,
    recipe: RecipeName = "auto",
    settings: TrainSettings | Mapping[str, Any] | None = None,
    minutes: float | None = None,
    start_from: RunFolder | Path | str | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Train an image classifier on a named data set, a folder of class folders or an archive of one.

    Args:
        data: What to train on; the test rows stay unread.
        recipe: Which settings to begin with; "auto" follows from the size of the data. See `images.recipes`.
        settings: Fields of `images.settings.TrainSettings` by name, in place of the recipe's; or all of them.
        minutes: How long training may take: as many epochs as fit at the speed measured here, in place of `epochs`.
        start_from: A run whose trained model to go on from, with a new head where the classes are others.
        seed: The one seed: validation split, weights, batches, dropout.
        data_dir: Where a named data set may lie already.
        n_threads: PyTorch threads; by default the free cores, or 1 where the images are few.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder; its `result` has "n_params", "valid", "epochs", "seconds" and more.

    Raises:
        UserError: The data or a setting cannot be used.
        WorkError: The loss is no longer a number.
        Interrupted: Ctrl-C, after the model as it stands was saved; `resume_training` goes on.
    """
    start = time.perf_counter()
    check_out(out)
    if n_threads is not None:
        check_range("threads", n_threads, low=1, high=usable_cores())
    if minutes is not None:
        check_range("minutes", minutes, low=0, low_open=True)
    trained_in = None if start_from is None else _image_run(start_from)
    prepared, chosen = data_and_settings(data, recipe, settings, data_dir, watch, trained_in=trained_in)
    record = run_record(data, data_dir, chosen.settings, prepared) | {
        "recipe": chosen.recipe,
        "minutes": minutes,
        "start_from": str(trained_in.path) if trained_in else None,
        "threads": n_threads or fitting_threads(prepared.description),
        "number_format": str(number_format(pick_device()).dtype).removeprefix("torch."),
    }
    record["split_seed"] = _split_seed(trained_in, record["content_sha256"], seed)
    with threads(record["threads"]):
        training = _prepared_training(prepared, record, seed)
        if minutes is not None:
            chosen = chosen.lasting(epochs_within(training, minutes), prepared.description)
            training = dataclasses.replace(training, settings=chosen.settings)
            record["train"] = dataclasses.asdict(chosen.settings)
        cost = cost_of(training.network, training.saved.architecture, dtype=training.dtype)
        watch(Note(text=_announcement(training, cost)))
        if minutes is not None:
            assert chosen.settings.epochs is not None
            like_it = expectation(prepared.description, epochs=chosen.settings.epochs, n_params=cost.n_params)
            watch(Note(text=like_it))
        if trained_in is not None and (seen := _seen_before(training, prepared, trained_in)):
            watch(Note(text=seen))
        run = RunFolder.create("image-train", record, seed=seed, out=out)
        with exclusive(run.path):
            return _finish_training(run, training, prepared, cost, watch, start)


def resume_training(run: RunFolder | Path | str, *, watch: Watch = unwatched) -> RunFolder:
    """Go on with a training that was stopped or killed, from its last complete epoch.

    The epochs that are left give the weights of a training never stopped: to the bit on a CPU, with the number of
    threads it began with.

    Raises:
        UserError: The run is complete, or its data or its checkpoint is not what it was.
        Interrupted: Ctrl-C again.
    """
    start = time.perf_counter()
    run = RunFolder.open(run) if not isinstance(run, RunFolder) else run
    if run.kind != "image-train":
        raise UserError(
            f"{run.label} is a run of {run.kind}: expected one of image train",
            hint=f"trialwise study resume {run.label}",
        )
    if run.record["status"] == "complete":
        raise UserError(f"{run.label} is complete: there is nothing left to train")
    with exclusive(run.path):
        prepared = prepared_again(run, watch)
        with threads(min(run.settings["threads"], usable_cores())):
            training = _prepared_training(prepared, run.settings, run.seed)
            cost = cost_of(training.network, training.saved.architecture, dtype=training.dtype)
            forget_evaluation(run)
            run.reopen()
            return _finish_training(run, training, prepared, cost, watch, start)


def _image_run(run: RunFolder | Path | str) -> RunFolder:
    opened = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if not opened.kind.startswith("image-"):
        raise UserError(f"{opened.label} is a run of {opened.kind}: expected one of image train or image tune")
    return opened


def _prepared_training(prepared: Prepared, record: Mapping[str, Any], seed: int) -> Training:
    """The training that a run's record describes."""
    start_from = record["start_from"]
    return training_on(
        open_train(prepared),
        prepared.description,
        fill(TrainSettings, record["train"]),
        seed=seed,
        split_seed=record.get("split_seed", seed),
        dtype=getattr(torch, record["number_format"]),
        start_from=load_model(Path(start_from), torch.device("cpu")) if start_from else None,
    )


def _split_seed(earlier: RunFolder | None, content: str, seed: int) -> int:
    """The earlier run's own where the data is the same: what it was trained on must not become validation rows."""
    if earlier is None or earlier.settings["content_sha256"] != content:
        return seed
    return split_seed_of(earlier)


def _seen_before(training: Training, prepared: Prepared, earlier: RunFolder) -> str | None:
    """What to say where other data has validation images that the earlier model was trained on."""
    if earlier.settings["content_sha256"] == prepared.description.content_sha256:
        return None
    known = {digest.tobytes() for digest in trained_on(earlier.path)}
    valid_NHWC = open_train(prepared).images_NHWC[training.valid_index.numpy()]
    n_seen = sum(digest in known for digest in picture_digests(valid_NHWC))
    if not n_seen:
        return None
    return (
        f"{n_seen:,} of the {len(valid_NHWC):,} validation images are among those of {earlier.label}, whose model this "
        "one goes on from: the validation accuracy will be too good (image evaluate leaves such images out)"
    )


def _announcement(training: Training, cost: Cost) -> str:
    """What is about to happen."""
    assert training.settings.epochs is not None
    return (
        f"{cost.n_params:,} parameters, {cost.n_macs / 1e6:.1f} million multiply-adds and {cost.microseconds:.0f} us "
        f"an image in training here; {training.settings.epochs} epochs of {len(training.train_index):,} images"
    )


def _finish_training(
    run: RunFolder, training: Training, prepared: Prepared, cost: Cost, watch: Watch, start: float
) -> RunFolder:
    """Train to the end, from the run's checkpoint where it has one, and put the result on record."""
    watch(Part(name=f"train on {prepared.description.name}", total=training.settings.epochs))
    checkpoint = Checkpoint(run.path / CHECKPOINT)
    (run.path / "metrics.jsonl").unlink(missing_ok=True)  # the checkpoint's own results come first, again
    results = []
    interrupted = False
    with ends_well(run):
        try:
            with closing(training.epochs(checkpoint)) as epochs:
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
        earlier = run.settings["start_from"]
        save_trained_on(prepared, run.path, Path(earlier) if earlier else None)
        document = _training_document(training, prepared, cost, run.settings) | {
            "epochs": len(results),
            "temperature": saved.temperature,
            "valid": valid | {"n": n_valid, "ci95": wilson_interval(round(valid["accuracy"] * n_valid), n_valid)},
            "seconds": {
                "train": sum(result.seconds for result in results),
                "total": time.perf_counter() - start,
                "per_image": cost.microseconds / 1e6,
            },
        }
    hint = f"the model as it stood is saved there; trialwise image resume {run.label} goes on"
    finish(run, document, interrupted=interrupted, hint=hint)
    checkpoint.path.unlink(missing_ok=True)  # not before the result is on record
    return run


def _training_document(training: Training, prepared: Prepared, cost: Cost, record: Mapping[str, Any]) -> dict[str, Any]:
    device = training.images_NHWC.device
    return {
        "recipe": record["recipe"],
        "n_params": cost.n_params,
        "n_macs": cost.n_macs,
        "architecture": training.saved.architecture.to_document(),
        "device": str(device),
        "threads": record["threads"],
        "number_format": number_format(device).reason,
        "data": data_document(prepared),
    }


def fitting_threads(data: DataDescription) -> int:
    """PyTorch threads for a training on this data: the free cores, or 1 where the images are few."""
    values = data.n_train * data.height * data.width * data.channels
    return 1 if values < FEW_VALUES else free_cores()

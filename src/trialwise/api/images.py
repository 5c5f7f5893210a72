"""Train, tune and evaluate image classifiers."""

import dataclasses
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from trialwise.api.runs import Part, Stage, Watch, check_trials, drive, ends_well, finish, report, unwatched
from trialwise.base.errors import UserError
from trialwise.base.files import replacing, write_json, write_text
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import check_range, fill
from trialwise.images.evaluate import evaluate as evaluate_on_test
from trialwise.images.networks import n_params
from trialwise.images.objective import CHECKPOINT, ImageObjective
from trialwise.images.recipes import TrainSettings, epochs_for_tuning, first_rung_epochs, resolve, search_space
from trialwise.images.saved import load_model, save_model
from trialwise.images.sources import NAMES, find_source
from trialwise.images.store import Prepared, open_train, picture_digests, prepare
from trialwise.images.train import Training, prepare_training
from trialwise.reports.verdicts import verdict
from trialwise.statistics.intervals import wilson_interval
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import free_cores, number_format, pick_device, threads, usable_cores
from trialwise.tuning.driver import StudyPlan, trial_folder
from trialwise.tuning.samplers import SamplerName, choose_sampler
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.workers import ProcessPool

BATCH_OF_TRIALS = 9  # as measured best for lockstep halving: 9 trials, then 3, then 1
TRAINED_ON = "trained_on.npy"
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
    prepared, resolved = _data_and_settings(data, settings, data_dir, watch)
    n_threads = n_threads or _fitting_threads(prepared)
    dtype = number_format(pick_device()).dtype
    with threads(n_threads):
        training = prepare_training(prepared, resolved, seed=seed, split_seed=seed, dtype=dtype)
        run = RunFolder.create("image-train", _record(data, data_dir, resolved, prepared), seed=seed, out=out)
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
            save_model(training.saved, run.path)
            _save_trained_on(prepared, run.path)
            document = _training_document(training, prepared, n_threads) | {
                "epochs": len(results),
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


def tune(
    data: str = "digits",
    *,
    trials: int = 20,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    workers: int | None = None,
    sampler: SamplerName = "auto",
    data_dir: Path | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Search learning rate, batch size, dropout, weight decay and width of an image classifier, with pruning.

    Args:
        data: See `train`.
        trials: Configurations to try; the first is the untuned default.
        settings: Fields of `images.recipes.TrainSettings`: the default that is searched around, and what stays
            fixed; "epochs" is the length of a trial that is never pruned.
        seed: The one seed.
        workers: Processes of one thread each; by default the free cores.
        sampler: Which sampler proposes.
        data_dir: See `train`.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder with the winner's model; its `result` has "best", "default", "gain", "counts", "trials".

    Raises:
        UserError: The data or a setting cannot be used.
        WorkError: The first trials all failed alike.
        Interrupted: Ctrl-C; `resume` goes on.
    """
    check_trials(trials)
    check_out(out)
    if workers is not None and workers < 1:
        raise UserError(f"--workers: expected at least 1, got {workers}")
    prepared, resolved = _data_and_settings(data, settings, data_dir, watch, tuning=True)
    # What cannot be trained is refused before a run is made.
    prepare_training(prepared, resolved, seed=seed, split_seed=seed)
    space = search_space(resolved, prepared.description.n_train)
    record = _record(data, data_dir, resolved, prepared) | {
        "space": space,
        "trials": trials,
        "workers": workers,
        "sampler": sampler,
        "first_rung": first_rung_epochs(resolved, prepared.description.n_train),
        "number_format": str(number_format(pick_device()).dtype).removeprefix("torch."),
    }
    run = RunFolder.create("image-tune", record, seed=seed, out=out)
    return _continue_tune(run, prepared, watch)


def continue_tune(run: RunFolder, watch: Watch) -> RunFolder:
    """Go on with the study of a run folder that `tune` made.

    Raises:
        UserError: The data is not what it was.
    """
    return _continue_tune(run, prepared_again(run, watch), watch)


def _continue_tune(run: RunFolder, prepared: Prepared, watch: Watch) -> RunFolder:
    settings = fill(TrainSettings, run.settings["train"])
    assert settings.epochs is not None
    space = space_from_document(run.settings["space"])
    choice = choose_sampler(run.settings["sampler"], space, pruning=True)
    plan = StudyPlan(
        n_trials=run.settings["trials"],
        max_epochs=settings.epochs,
        first_rung=run.settings["first_rung"],
        batch_size=BATCH_OF_TRIALS,
        direction="maximize",
        sampler=choice.name,
        seed=run.seed,
    )
    n_workers = min(run.settings["workers"] or free_cores(), plan.n_trials)
    objective = ImageObjective(
        prepared=prepared, settings=settings, split_seed=run.seed, dtype=run.settings["number_format"]
    )
    facts = {
        "score": "validation accuracy",
        "max_epochs": settings.epochs,
        "sampler": choice.name,
        "sampler_reason": choice.reason,
        "workers": n_workers,
        "data": data_document(prepared),
    }

    default = {name: getattr(settings, name) for name in space}
    name = f"tune on {prepared.description.name}"
    return drive(
        run,
        name,
        space,
        plan,
        lambda: ProcessPool(objective, n_workers),
        facts,
        watch,
        default=default,
        after=lambda run, best: _keep_winner(run, best, settings, prepared),
    )


def _keep_winner(run: RunFolder, best: TrialRecord, settings: TrainSettings, prepared: Prepared) -> None:
    """Put the winner's model, its curve and its settings into the run folder."""
    if (run.record.get("evaluation") or {}).get("trial", best.number) != best.number:
        run.record["evaluation"] = None  # it was of another winner
    folder = trial_folder(run.path, best.number)
    save_model(load_model(folder, pick_device()), run.path)
    _save_trained_on(prepared, run.path)
    (run.path / "metrics.jsonl").unlink(missing_ok=True)
    for result in Checkpoint(folder / CHECKPOINT).results():
        run.add_metrics(result)
    winner = dataclasses.replace(settings, **best.params)
    write_text(run.path / "best.toml", _toml(winner, f"trial {best.number} of {run.path.name}"))


def evaluate(
    run: RunFolder | Path | str,
    data: str | None = None,
    *,
    data_dir: Path | None = None,
    tta: bool = False,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Measure a trained classifier on test rows, once, at the end; the result is kept in the run folder.

    Args:
        run: A run of `train` or `tune`.
        data: Other images of the same classes: their test folder, or all of them where they have none; images that
            the run was trained on are left out and counted. By default the test rows of the run's own data.
        data_dir: Where CIFAR-10 may lie already.
        tta: Give the accuracy averaged over mirror images beside the plain one.
        out: A folder for `evaluation.json`, beside what the run folder keeps.
        watch: See `Watch`.

    Returns:
        "test" with "accuracy", "ci95", "n", "accuracy_tta" where asked, "per_class", "confusion"; and "times_opened":
        how often the test rows were read for this run, since a number looked at often is no longer a fresh one.

    Raises:
        UserError: The run holds no image model, the data does not fit it, or it is not what it was.
    """
    check_out(out)
    run = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if not run.kind.startswith("image-"):
        raise UserError(f"{run.label} is a run of {run.kind}: expected one of image train or image tune")
    if "data" not in run.result:
        on = f"trialwise study resume {run.label}" if run.kind == "image-tune" else "train again"
        raise UserError(f"{run.label} was stopped before it had a result", hint=on)
    saved = load_model(run.path, pick_device())
    if data is None:
        prepared, trained_on = prepared_again(run, watch), None
    else:
        prepared = _prepare(data, data_dir, saved.architecture.image_size, watch)
        trained_on = np.load(run.path / TRAINED_ON, allow_pickle=False)
    run.record["test_opened"] = run.record.get("test_opened", 0) + 1
    run.save()  # before they are read: what is looked at counts, whatever happens next
    with threads(free_cores()):
        test = evaluate_on_test(saved, prepared, tta=tta, trained_on=trained_on)
    document: dict[str, Any] = {
        "schema": "trialwise.image-evaluate/1",
        "run": run.label,
        "test": test,
        "data": data_document(prepared),
        "trial": run.result.get("best_trial"),
        "times_opened": run.record["test_opened"],
        "valid": {"accuracy": _valid_accuracy(run)},
    }
    document["verdict"] = verdict(run.kind, run.result, document)
    if data is None:
        document["report"] = f"{run.label}/report.html"
        run.record["evaluation"] = document
        run.save()
        report([run])
    write_json((out or run.path) / ("evaluation.json" if data is None else "evaluation-elsewhere.json"), document)
    return document


def _save_trained_on(prepared: Prepared, folder: Path) -> None:
    """Keep digests of the rows trained on, by which other data can be told to be really other."""
    digests = picture_digests(open_train(prepared).images_NHWC)
    with replacing(folder / TRAINED_ON) as partial, partial.open("wb") as file:
        np.save(file, np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1))


def _valid_accuracy(run: RunFolder) -> float | None:
    if run.kind == "image-tune":
        return run.result.get("best_value")
    return run.result.get("valid", {}).get("accuracy")


def prepared_again(run: RunFolder, watch: Watch) -> Prepared:
    """The data that a run was made on.

    Raises:
        UserError: It is gone, or it has changed since.
    """
    settings = run.settings
    data_dir = Path(settings["data_dir"]) if settings["data_dir"] else None
    prepared = _prepare(settings["data"], data_dir, settings["train"]["image_size"], watch)
    if prepared.description.content_sha256 != run.settings["content_sha256"]:
        raise UserError(
            f"{settings['data']} is not what it was when {run.label} was made",
            hint="some of its test rows may be among those trained on; train again on what it is now",
        )
    return prepared


def _data_and_settings(
    data: str,
    settings: TrainSettings | Mapping[str, Any] | None,
    data_dir: Path | None,
    watch: Watch,
    *,
    tuning: bool = False,
) -> tuple[Prepared, TrainSettings]:
    given = settings if isinstance(settings, TrainSettings) else fill(TrainSettings, settings or {})
    prepared = _prepare(data, data_dir, given.image_size, watch)
    description = prepared.description
    if tuning and given.epochs is None:
        given = dataclasses.replace(given, epochs=epochs_for_tuning(description.n_train))
    resolved = resolve(given, n_train=description.n_train, image_size=description.height, channels=description.channels)
    return prepared, resolved


def _prepare(data: str, data_dir: Path | None, image_size: int | None, watch: Watch) -> Prepared:
    def progress(done: int, total: int | None) -> None:
        watch(Stage(name="reading images", done=done, total=total))

    return prepare(find_source(data, data_dir=data_dir), image_size=image_size, progress=progress)


def _record(data: str, data_dir: Path | None, settings: TrainSettings, prepared: Prepared) -> dict[str, Any]:
    return {
        "data": data if data in NAMES else str(Path(data).absolute()),
        "data_dir": str(data_dir.absolute()) if data_dir else None,
        "content_sha256": prepared.description.content_sha256,
        "train": dataclasses.asdict(settings),
    }


def data_document(prepared: Prepared) -> dict[str, Any]:
    """What the data is, as plain JSON values."""
    data = prepared.description
    document = {
        name: getattr(data, name)
        for name in ("name", "kind", "classes", "channels", "height", "width", "n_train", "n_test", "test_origin")
    }
    return document | {
        "train_counts": dict(zip(data.classes, data.train_counts, strict=True)),
        "n_left_out": len(data.left_out),
        "left_out": [{"file": file, "reason": reason} for file, reason in data.left_out],
        "content_sha256": data.content_sha256,
        "notes": data.notes,
    }


def _fitting_threads(prepared: Prepared) -> int:
    data = prepared.description
    values = data.n_train * data.height * data.width * data.channels
    return 1 if values < FEW_VALUES else free_cores()


def _toml(settings: TrainSettings, origin: str) -> str:
    lines = [f"# {origin}; use it with: trialwise image train DATA --config best.toml"]
    for name, value in dataclasses.asdict(settings).items():
        if value is not None:
            lines.append(f"{name} = {repr(value).lower() if isinstance(value, bool) else _toml_value(value)}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)

"""Measure trained image classifiers on test rows."""

import dataclasses
from pathlib import Path
from typing import Any

from trialwise.api.images.data import data_document, prepare_data, prepared_again, trained_on
from trialwise.api.runs import Stage, Watch, unwatched, write_page
from trialwise.base.arrays import save_arrays
from trialwise.base.errors import UserError
from trialwise.base.files import write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.images.evaluate import Evaluation, right_on_test
from trialwise.images.evaluate import evaluate as evaluate_on_test
from trialwise.images.predictions import PICTURES_FILE, TEST_FILE, TestPredictions, load_valid, save_predictions
from trialwise.images.saved import DEFAULT_MODEL, load_model
from trialwise.images.scores import accuracy_with_interval
from trialwise.images.store import Prepared, Rows, open_train
from trialwise.reports.results import valid_accuracy
from trialwise.reports.verdicts import verdict
from trialwise.statistics.comparisons import compare_accuracies
from trialwise.training.device import free_cores, pick_device, threads
from trialwise.tuning.studies import exclusive

OWN_TEST, OTHER_DATA = "evaluation.json", "evaluation-elsewhere.json"


def evaluate(
    run: RunFolder | Path | str,
    data: str | None = None,
    *,
    data_dir: Path | None = None,
    tta: bool = False,
    robustness: bool = False,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Measure a trained classifier on test rows, once, at the end; the result is kept in the run folder.

    Args:
        run: A run of `train` or `tune`.
        data: Other images of the same classes: their test folder, or all of them where they have none; images that
            the run was trained on are left out and counted. By default the test rows of the run's own data.
        data_dir: Where CIFAR-10 may lie already.
        tta: Give the accuracy averaged over moved and mirrored views beside the plain one.
        robustness: Give the accuracy on corrupted images too: noise, blur, light, compression, something in front.
        out: A folder for `evaluation.json`, beside what the run folder keeps.
        watch: See `Watch`.

    Returns:
        "test" with "accuracy", "ci95", "n", "accuracy_tta" where asked, "per_class", "confusion", "confused_pairs",
        "calibration", "near_duplicates", "label_errors", "robustness" where asked; "default": of a tuned model, the
        untuned one on the same rows, with the "difference", its "interval" and McNemar's "p_value"; and
        "times_opened": how often the test rows were read for this run, since a number looked at often is no longer a
        fresh one.

    Raises:
        UserError: The run holds no image model, the data does not fit it, or it is not what it was; or its study is
            running now.
    """
    check_out(out)
    run = open_classifier(run)
    with exclusive(run.path):  # a study that goes on meanwhile would put its own record over this one's
        on_disk = RunFolder.open(run.path).record
        if any(on_disk.get(name) != run.record.get(name) for name in ("ended", "test_opened")):
            run.record = on_disk  # another process has worked on it since it was opened
        return _measured(run, data, data_dir, tta=tta, robustness=robustness, out=out, watch=watch)


def _measured(
    run: RunFolder,
    data: str | None,
    data_dir: Path | None,
    *,
    tta: bool,
    robustness: bool,
    out: Path | None,
    watch: Watch,
) -> dict[str, Any]:
    saved = load_model(run.path, pick_device())
    own = data is None
    if data is None:
        prepared = prepared_again(run, watch)
    else:
        prepared = prepare_data(data, data_dir, saved.architecture.image_size, watch)
    # A test row of its own may have been a training row of the model that this one went on from.
    may_have_seen = not own or run.settings.get("start_from")
    times_opened = _count_opening(run)
    with threads(free_cores()):
        found = evaluate_on_test(
            saved,
            prepared,
            tta=tta,
            robustness=robustness,
            trained_on=trained_on(run.path) if may_have_seen else None,
            only_test=own,
            train=open_train(prepared) if own else _own_training_rows(run, watch),
            valid=load_valid(run.path) if own else None,
            progress=lambda step, done, total: watch(Stage(name=step, done=done, total=total)),
        )
        default = _default_beside(run, prepared, found.predictions) if own else None
    document: dict[str, Any] = {
        "schema": "trialwise.image-evaluate/1",
        "run": run.label,
        "test": found.document,
        "data": data_document(prepared),
        "default": default,
        "trial": run.result.get("best_trial"),
        "model": run.result.get("model"),
        "times_opened": times_opened,
        "valid": {"accuracy": valid_accuracy(run)},
    }
    document["verdict"] = verdict(run.kind, run.result, document)
    if own:
        document["report"] = f"{run.label}/report.html"
    write_json((out or run.path) / (OWN_TEST if own else OTHER_DATA), document)
    if own:
        _keep(run, found, document)
    return document


def _keep(run: RunFolder, found: Evaluation, document: dict[str, Any]) -> None:
    """Put what was found on the run's own test rows on record, and into its report."""
    save_predictions(found.predictions, run.path)
    save_arrays(run.path / PICTURES_FILE, found.pictures)
    run.record["evaluation"] = document
    run.save()
    write_page([run])


def forget_evaluation(run: RunFolder) -> None:
    """Drop what was found on test rows: it is of weights that are this run's no more."""
    run.record["evaluation"] = None
    run.save()
    for name in (TEST_FILE, PICTURES_FILE, OWN_TEST, OTHER_DATA):
        (run.path / name).unlink(missing_ok=True)


def _default_beside(run: RunFolder, prepared: Prepared, winner: TestPredictions) -> dict[str, Any] | None:
    """The untuned default on the same test rows, and the paired test; None where the run keeps no default of its own.

    "difference" is the winner's accuracy less the default's.
    """
    if not (run.path / DEFAULT_MODEL / "model.json").exists():
        return None
    right_N = right_on_test(load_model(run.path / DEFAULT_MODEL, pick_device()), prepared)
    paired = compare_accuracies(right_N, winner.plain_N == winner.labels_N)
    return accuracy_with_interval(right_N) | dataclasses.asdict(paired)


def open_classifier(run: RunFolder | Path | str) -> RunFolder:
    """The run of `train` or `tune` in a folder.

    Raises:
        UserError: It is no such run, or it has no result yet.
    """
    run = run if isinstance(run, RunFolder) else RunFolder.open(run)
    if not run.kind.startswith("image-"):
        raise UserError(f"{run.label} is a run of {run.kind}: expected one of image train or image tune")
    if "data" not in run.result:
        on = f"trialwise study resume {run.label}" if run.kind == "image-tune" else "train again"
        raise UserError(f"{run.label} was stopped before it had a result", hint=on)
    return run


def _count_opening(run: RunFolder) -> int:
    """How often the test rows have been read for this run, with this time."""
    run.record["test_opened"] = run.record.get("test_opened", 0) + 1
    run.save()  # before they are read: what is looked at counts, whatever happens next
    return run.record["test_opened"]


def _own_training_rows(run: RunFolder, watch: Watch) -> Rows | None:
    """What the run was trained on; None where it is gone or has changed, which does not matter for other data."""
    try:
        return open_train(prepared_again(run, watch))
    except UserError:
        return None

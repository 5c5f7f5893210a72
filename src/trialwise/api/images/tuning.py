"""Tune image classifiers."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.images.data import data_and_settings, data_document, prepared_again, run_record, save_trained_on
from trialwise.api.images.evaluation import forget_evaluation
from trialwise.api.runs import Watch, unwatched
from trialwise.api.searches import Search, check_search, search_record
from trialwise.api.tunable import Tunable
from trialwise.api.tuning import run_tuning
from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import changed, fill, flat, to_toml
from trialwise.images.objective import CHECKPOINT, NOTES, ImageObjective
from trialwise.images.predictions import copy_valid
from trialwise.images.recipes import RecipeName
from trialwise.images.saved import DEFAULT_MODEL, load_model, save_model
from trialwise.images.settings import TrainSettings, first_rung_epochs, search_space
from trialwise.images.store import Prepared
from trialwise.images.train import network_for
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import number_format, pick_device
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import TrialRecord

TRIALS = 20  # where the caller names no number


def tune_images(
    data: str = "digits",
    *,
    recipe: RecipeName = "auto",
    settings: TrainSettings | Mapping[str, Any] | None = None,
    search: Search = None,
    seed: int = 0,
    data_dir: Path | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Search learning rate, batch size, dropout, weight decay and width of an image classifier, with pruning.

    Args:
        data: See `train`.
        recipe: Which settings to begin with; see `train`.
        settings: Fields of `images.settings.TrainSettings`: the default that is searched around, and what stays
            fixed; "epochs" is the length of a trial that is never pruned.
        search: Fields of `tuning.settings.SearchSettings`: trials, workers, sampler and more.
        seed: The one seed.
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
    check_out(out)
    searched = search_record(search, trials=TRIALS)
    prepared, chosen = data_and_settings(data, recipe, settings, data_dir, watch, tuning=True)
    resolved = chosen.settings
    network_for(resolved, prepared.description)  # what cannot be built is refused before a run is made
    space = search_space(resolved, prepared.description.n_train)
    assert resolved.epochs is not None
    known = space_from_document(space)
    default = {name: flat(resolved)[name] for name in known}
    check_search(searched, known, max_epochs=resolved.epochs, direction="maximize", default=default, notes=NOTES)
    record = run_record(data, data_dir, resolved, prepared) | {
        "recipe": chosen.recipe,
        "space": space,
        "search": searched,
        "first_rung": first_rung_epochs(resolved, prepared.description.n_train),
        "number_format": str(number_format(pick_device()).dtype).removeprefix("torch."),
    }
    run = RunFolder.create("image-tune", record, seed=seed, out=out)
    return _continue_tune_images(run, prepared, watch)


def continue_tune_images(run: RunFolder, watch: Watch) -> RunFolder:
    """Go on with the study of a run folder that `tune_images` made.

    Raises:
        UserError: The data is not what it was.
    """
    return _continue_tune_images(run, prepared_again(run, watch), watch)


def _continue_tune_images(run: RunFolder, prepared: Prepared, watch: Watch) -> RunFolder:
    settings = fill(TrainSettings, run.settings["train"])
    assert settings.epochs is not None
    space = space_from_document(run.settings["space"])
    objective = ImageObjective(
        prepared=prepared, settings=settings, split_seed=run.seed, dtype=run.settings["number_format"]
    )
    tuned = Tunable(
        name=f"tune on {prepared.description.name}",
        objective=objective,
        space=space,
        direction="maximize",
        max_epochs=settings.epochs,
        first_rung=run.settings["first_rung"],
        default={name: flat(settings)[name] for name in space},
        facts={
            "score": "validation accuracy",
            "data": data_document(prepared),
            "device": str(pick_device()),
            "number_format": run.settings["number_format"],
        },
        on_gpu=True,
        keep=lambda run, best, folder: _keep_winner(run, best, folder, settings, prepared),
        keep_default=_keep_default,
    )
    return run_tuning(run, tuned, watch)


def _keep_winner(
    run: RunFolder, best: TrialRecord, folder: Path | None, settings: TrainSettings, prepared: Prepared
) -> None:
    """Put the winner's model, its curve and its settings into the run folder."""
    winner = changed(settings, best.params)
    origin = f"trial {best.number} of {run.path.name}; use it with: trialwise image train DATA --config best.toml"
    write_text(run.path / "best.toml", to_toml(winner, comment=origin))
    shutil.rmtree(run.path / DEFAULT_MODEL, ignore_errors=True)
    if folder is None:
        return
    if (run.record.get("evaluation") or run.result).get("model", folder.name) != folder.name:
        forget_evaluation(run)  # it was of another model
    save_model(load_model(folder, pick_device()), run.path)
    copy_valid(folder, run.path)
    save_trained_on(prepared, run.path)
    (run.path / "metrics.jsonl").unlink(missing_ok=True)
    for result in Checkpoint(folder / CHECKPOINT).results():
        run.add_metrics(result)


def _keep_default(run: RunFolder, folder: Path) -> None:
    """Put the default's model beside the winner's: `evaluate` measures both on the same test rows."""
    save_model(load_model(folder, pick_device()), run.path / DEFAULT_MODEL)

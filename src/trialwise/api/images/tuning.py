"""Tune image classifiers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.images.data import data_and_settings, data_document, prepared_again, run_record, save_trained_on
from trialwise.api.runs import Watch, check_trials, drive, unwatched
from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import changed, fill, flat, to_toml
from trialwise.images.objective import CHECKPOINT, ImageObjective
from trialwise.images.predictions import copy_valid
from trialwise.images.recipes import RecipeName
from trialwise.images.saved import load_model, save_model
from trialwise.images.settings import TrainSettings, first_rung_epochs, search_space
from trialwise.images.store import Prepared
from trialwise.images.train import network_for
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.device import free_cores, number_format, pick_device
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyPlan
from trialwise.tuning.ledger import trial_folder
from trialwise.tuning.samplers import SamplerName, choose_sampler
from trialwise.tuning.spaces import space_from_document
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.workers import ProcessPool


def tune(
    data: str = "digits",
    *,
    trials: int = 20,
    recipe: RecipeName = "auto",
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
        recipe: Which settings to begin with; see `train`.
        settings: Fields of `images.settings.TrainSettings`: the default that is searched around, and what stays
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
    check_trials(trials, workers)
    check_out(out)
    prepared, chosen = data_and_settings(data, recipe, settings, data_dir, watch, tuning=True)
    resolved = chosen.settings
    network_for(resolved, prepared.description)  # what cannot be built is refused before a run is made
    space = search_space(resolved, prepared.description.n_train)
    record = run_record(data, data_dir, resolved, prepared) | {
        "recipe": chosen.recipe,
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
        budget=Budget(trials=run.settings["trials"]),
        max_epochs=settings.epochs,
        first_rung=run.settings["first_rung"],
        direction="maximize",
        sampler=choice.name,
        seed=run.seed,
    )
    n_workers = min(run.settings["workers"] or free_cores(), run.settings["trials"])
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

    default = {name: flat(settings)[name] for name in space}
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
    copy_valid(folder, run.path)
    save_trained_on(prepared, run.path)
    (run.path / "metrics.jsonl").unlink(missing_ok=True)
    for result in Checkpoint(folder / CHECKPOINT).results():
        run.add_metrics(result)
    winner = changed(settings, best.params)
    origin = f"trial {best.number} of {run.path.name}; use it with: trialwise image train DATA --config best.toml"
    write_text(run.path / "best.toml", to_toml(winner, comment=origin))

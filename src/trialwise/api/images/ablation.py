"""Find out what each ingredient of a training is worth."""

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from trialwise.api.images.data import data_and_settings, data_document, run_record
from trialwise.api.local_workers import local_pool
from trialwise.api.runs import Part, Watch, ends_well, finish, unwatched
from trialwise.base.errors import WorkError
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.seeds import child_seed
from trialwise.base.settings import check_range
from trialwise.images.ablation import Ingredient, effects, ingredients
from trialwise.images.objective import ImageObjective
from trialwise.images.recipes import RecipeName
from trialwise.images.settings import TrainSettings
from trialwise.images.train import network_for
from trialwise.training.device import number_format, pick_device
from trialwise.tuning.driver import TrialEvent
from trialwise.tuning.task_lists import run_all
from trialwise.tuning.tasks import Failure, Pool, Score, Task
from trialwise.tuning.trials import Trial

BASE = "everything"


def ablate(
    data: str = "digits",
    *,
    recipe: RecipeName = "auto",
    settings: TrainSettings | Mapping[str, Any] | None = None,
    seeds: int = 3,
    seed: int = 0,
    workers: int | None = None,
    data_dir: Path | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Train with every ingredient and without each of them in turn, over seeds; on validation rows.

    Args:
        data: See `train`.
        recipe: What the ingredients are taken from.
        settings: Changes to the recipe; "epochs" is the length of each training.
        seeds: Trainings of each kind; differences are taken between trainings of the same seed.
        seed: The first seed.
        workers: Processes of one thread each; by default the free cores, or on GPUs one a GPU.
        data_dir: See `train`.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder; its `result` has "effects", largest first: see `images.ablation.effects`.

    Raises:
        UserError: The data or a setting cannot be used.
        WorkError: The recipe itself could not be trained.
        Interrupted: Ctrl-C, after what was measured so far is on record.
    """
    start = time.perf_counter()
    check_range("seeds", seeds, low=1)
    check_out(out)
    prepared, chosen = data_and_settings(data, recipe, settings, data_dir, watch, tuning=True)
    network_for(chosen.settings, prepared.description)
    varied = ingredients(chosen.settings)
    record = run_record(data, data_dir, chosen.settings, prepared) | {"recipe": chosen.recipe, "seeds": seeds}
    run = RunFolder.create("image-ablate", record, seed=seed, out=out)
    dtype = str(number_format(pick_device()).dtype).removeprefix("torch.")
    objective = ImageObjective(prepared=prepared, settings=chosen.settings, split_seed=seed, dtype=dtype)
    tasks = _tasks(run, chosen.settings, varied, seeds)
    watch(Part(name=f"ablate on {prepared.description.name}", total=len(tasks)))
    accuracy: dict[int, float] = {}
    interrupted = False
    with ends_well(run):
        try:
            with closing(local_pool(objective, workers=workers, n_tasks=len(tasks), on_gpu=True)) as pool:
                _collect(pool, tasks, accuracy, watch)
        except KeyboardInterrupt:
            interrupted = True
        document = _document(accuracy, varied, seeds) | {
            "data": data_document(prepared),
            "epochs": chosen.settings.epochs,
            "seconds": time.perf_counter() - start,
        }
        if not interrupted and document["base"]["mean"] is None:
            raise WorkError("the recipe itself could not be trained with any seed")
    return finish(run, document, interrupted=interrupted, hint="what was measured so far is saved there")


def _tasks(run: RunFolder, settings: TrainSettings, varied: list[Ingredient], seeds: int) -> list[Task]:
    """Seed by seed, so that Ctrl-C leaves whole comparisons behind; the recipe itself first."""
    assert settings.epochs is not None
    kinds = [{}, *(ingredient.changes for ingredient in varied)]
    tasks = []
    for number in range(seeds * len(kinds)):
        folder = run.path / "trainings" / str(number)
        folder.mkdir(parents=True)
        training_seed = child_seed(run.seed, "ablate", number // len(kinds))  # the same for every kind
        trial = Trial(number=number, seed=training_seed, max_epochs=settings.epochs, folder=folder)
        tasks.append(Task(trial=trial, config=kinds[number % len(kinds)], until_epoch=settings.epochs))
    return tasks


def _collect(pool: Pool, tasks: list[Task], accuracy: dict[int, float], watch: Watch) -> None:
    """Put each training's last validation accuracy into `accuracy`, by number."""
    for message in run_all(pool, tasks):
        if isinstance(message, Score):
            kind = "complete" if message.epoch == tasks[message.number].until_epoch else "score"
            if kind == "complete":
                accuracy[message.number] = message.score
            watch(
                TrialEvent(
                    kind=kind,
                    number=message.number,
                    config=tasks[message.number].config,
                    epoch=message.epoch,
                    score=message.score,
                )
            )
        elif isinstance(message, Failure):
            config = tasks[message.number].config
            watch(TrialEvent(kind="failed", number=message.number, config=config, reason=message.reason))


def _document(accuracy: Mapping[int, float], varied: list[Ingredient], seeds: int) -> dict[str, Any]:
    names = [BASE, *(ingredient.name for ingredient in varied)]
    by_kind: dict[str, dict[int, float]] = {name: {} for name in names}
    for number, value in accuracy.items():
        by_kind[names[number % len(names)]][number // len(names)] = value
    base = list(by_kind[BASE].values())
    return {
        "n_seeds": seeds,
        "base": {"mean": float(np.mean(base)) if base else None, "values": base},
        "effects": effects(by_kind[BASE], by_kind, varied),
    }

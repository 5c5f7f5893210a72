"""Tune anything that yields one score an epoch: a model and a training loop of the user's own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.runs import Note, Watch, unwatched
from trialwise.api.searches import Search, check_search, search_of, search_record
from trialwise.api.tunable import Tunable
from trialwise.api.tuning import run_tuning
from trialwise.base.errors import UserError
from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.settings import to_toml
from trialwise.functions.objective import OwnObjective, changed_code, check_objective, code_of, load_callable
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import (
    Parameter,
    check_space,
    default_config,
    read_space,
    space_document,
    space_from_document,
)
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.trials import Objective

TRIALS = 50  # where the caller names no number


def tune(
    objective: Objective | str,
    space: Mapping[str, Parameter | Mapping[str, Any]] | Path | str,
    *,
    epochs: int = 1,
    direction: Direction = "minimize",
    search: Search = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Search the space for the configuration with the best score, with pruning where trials have several epochs.

    Args:
        objective: Called with the configuration (a dict) and the `tuning.trials.Trial`; yields one score an epoch,
            or returns one number. As a function, or as "module:function". Defined in a notebook it cannot be imported
            by other processes: then trials run here, one after the other, and the study cannot be resumed from a
            command line.
        space: `tuning.spaces` parameters by name, or what a TOML file says of them, or such a file. Where parameters
            name defaults, trial 0 is the configuration of all defaults.
        epochs: The epochs of a trial that is never pruned; 1 means that nothing is pruned.
        direction: "minimize" where the lowest score wins, "maximize" where the highest does.
        search: Fields of `tuning.settings.SearchSettings`: trials, workers, sampler and more.
        seed: The one seed.
        out: The run folder to make.
        watch: See `api.Watch`.

    Returns:
        The run folder; its `result` has "best", "default", "gain", "counts", "trials" and more.

    Raises:
        UserError: The objective cannot be found or called, or the space or a setting cannot be used.
        WorkError: The first trials all failed alike, or none gave a value.
        Interrupted: Ctrl-C, after what exists was saved; `resume` goes on.
    """
    check_out(out)
    searched = search_record(search, trials=TRIALS)
    if epochs < 1:
        raise UserError(f"--epochs: expected at least 1, got {epochs}")
    known = read_space(Path(space)) if isinstance(space, str | Path) else _parameters(space)
    if not known:
        raise UserError("the space is empty: nothing can be tuned", hint='e.g. {"rate": Float(low=1e-4, high=0.1)}')
    check_space(known)
    check_search(searched, known, max_epochs=epochs, direction=direction, default=default_config(known))
    own = _importable(objective)
    settings = {
        "objective": own.reference,
        "folder": str(own.folder),
        "code": code_of(own.reference, own.folder) if own.function is None else None,
        "space": space_document(known),
        "epochs": epochs,
        "direction": direction,
        "search": searched,
    }
    run = RunFolder.create("tune", settings, seed=seed, out=out)
    return _continue(run, own, watch)


def _parameters(space: Mapping[str, Parameter | Mapping[str, Any]]) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, given in space.items():
        if not isinstance(given, Parameter | Mapping):
            raise UserError(f"[{name}]: expected a parameter, got {given!r}", hint="e.g. Float(low=0, high=1)")
        found |= space_from_document({name: dict(given)}) if isinstance(given, Mapping) else {name: given}
    return found


def continue_tune(run: RunFolder, watch: Watch) -> RunFolder:
    """Go on with the study of a run folder that `tune` made.

    Raises:
        UserError: The objective is not where it was.
    """
    reference, folder = run.settings["objective"], Path(run.settings["folder"])
    if ":" not in reference:
        raise UserError(
            f"{run.label}: its objective, {reference}, was defined in a notebook and cannot be found again",
            hint="put the function into a module and name it as module:function",
        )
    check_objective(load_callable(reference, folder), reference)
    if (text := changed_code(run.settings.get("code"), reference, folder)) is not None:
        watch(Note(text=text))
    return _continue(run, OwnObjective(reference, folder), watch)


def _importable(objective: Objective | str) -> OwnObjective:
    """The objective as something that every process can import, with the folder where it is found again."""
    if isinstance(objective, str):
        if ":" not in objective:
            raise UserError(f"{objective}: expected module:function", hint="trialwise tune mymodule:objective ...")
        check_objective(load_callable(objective, Path.cwd()), objective)
        return OwnObjective(objective, Path.cwd())
    name = getattr(objective, "__qualname__", type(objective).__name__)
    check_objective(objective, name)
    module = sys.modules.get(getattr(objective, "__module__", ""))
    file = getattr(module, "__file__", None)
    if module is None or file is None or not name.isidentifier() or getattr(module, name, None) is not objective:
        return OwnObjective(name, Path.cwd(), objective)
    is_script = module.__name__ == "__main__"
    return OwnObjective(f"{Path(file).stem if is_script else module.__name__}:{name}", _root(Path(file), module))


def _root(file: Path, module: Any) -> Path:
    """The folder from which the module's whole name is imported."""
    depth = 0 if module.__name__ == "__main__" else module.__name__.count(".") + (file.stem == "__init__")
    return file.absolute().parents[depth]


def _continue(run: RunFolder, own: OwnObjective, watch: Watch) -> RunFolder:
    space = space_from_document(run.settings["space"])
    if own.function is not None and search_of(run).cluster.ray is None:
        watch(Note(text=f"{own.reference} cannot be imported by other processes: trials run here, one at a time"))
    tuned = Tunable(
        name=f"tune {own.reference}",
        objective=own,
        space=space,
        direction=run.settings["direction"],
        max_epochs=run.settings["epochs"],
        default=default_config(space),
        in_process=own.function is not None,
        code=own.folder,
        facts={"objective": own.reference, "score": "score"},
        keep=lambda run, best, _: _keep_winner(run, best, own),
    )
    return run_tuning(run, tuned, watch)


def _keep_winner(run: RunFolder, best: TrialRecord, own: OwnObjective) -> None:
    """Put the winner's configuration into the run folder."""
    origin = f"trial {best.number} of {run.path.name}, the best configuration for {own.reference}"
    write_text(run.path / "best.toml", to_toml(best.params, comment=origin))

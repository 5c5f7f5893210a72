"""Find the minimum of a known function, or of anything callable."""

from collections.abc import Mapping
from pathlib import Path

from trialwise.api.runs import Note, Watch, unwatched
from trialwise.api.searches import check_search, search_record
from trialwise.api.tunable import Tunable
from trialwise.api.tuning import run_tuning
from trialwise.base.errors import UserError
from trialwise.base.files import write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.functions.landscape import landscape
from trialwise.functions.objective import FunctionObjective, changed_code, code_of, load_function
from trialwise.functions.testbed import Problem, known_problem
from trialwise.tuning.samplers import SamplerName
from trialwise.tuning.spaces import Parameter, space_document, space_from_document


def optimize(
    function: str = "quadratic",
    *,
    trials: int = 50,
    seed: int = 0,
    center: tuple[float, ...] | None = None,
    space: Mapping[str, Parameter] | None = None,
    sampler: SamplerName = "auto",
    storage: str | None = None,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> RunFolder:
    """Find the minimum of a known function, or of `module:function` over `space`.

    Args:
        function: "quadratic", "rosenbrock", "branin", "hartmann6", or an importable callable that takes the
            space's names as arguments and returns a number.
        trials: Evaluations.
        seed: The one seed.
        center: Where the quadratic has its minimum.
        space: For a callable: what its arguments may be.
        sampler: Which sampler proposes; "auto" picks one that fits the space and says why.
        storage: The database that keeps the study; by default a journal in the run folder.
        out: The run folder to make.
        watch: See `Watch`.

    Returns:
        The run folder; its `result` has "best_value", "best_params", "n_trials", "seconds" and more.

    Raises:
        UserError: There is no such function, or an argument cannot be used.
        WorkError: The first evaluations all failed alike.
        Interrupted: Ctrl-C, after what exists was saved; `resume` goes on.
    """
    check_out(out)
    search = search_record({"trials": trials, "sampler": sampler, "storage": storage}, trials=trials)
    folder = Path.cwd()
    problem = _problem(function, center, space, folder)
    check_search(search, problem.space, max_epochs=1, direction="minimize", default=None)
    settings = {
        "function": function,
        "center": center,
        "space": space_document(space) if space else None,
        "search": search,
        "folder": str(folder),  # where a function of the user's is found again when the study is resumed
        "code": code_of(function, folder),
    }
    run = RunFolder.create("optimize", settings, seed=seed, out=out)
    return continue_optimize(run, watch)


def continue_optimize(run: RunFolder, watch: Watch) -> RunFolder:
    """Run, or go on with, the study of a run folder that `optimize` made."""
    settings = run.settings
    given = space_from_document(settings["space"]) if settings["space"] else None
    center = tuple(settings["center"]) if settings["center"] else None
    problem = _problem(settings["function"], center, given, Path(settings["folder"]))
    if (text := changed_code(settings.get("code"), settings["function"], Path(settings["folder"]))) is not None:
        watch(Note(text=text))
    grid = landscape(problem)
    if grid is not None:
        write_json(run.path / "landscape.json", grid)
    minimum = {} if problem.minimum is None else {"known_minimum": problem.minimum}
    tuned = Tunable(
        name=f"minimise {settings['function']}",
        objective=FunctionObjective(problem.function),
        space=problem.space,
        direction="minimize",
        deterministic=":" not in settings["function"],
        in_process=True,
        confirmable=False,
        facts={"function": settings["function"], **minimum},
    )
    return run_tuning(run, tuned, watch)


def _problem(
    function: str, center: tuple[float, ...] | None, space: Mapping[str, Parameter] | None, folder: Path
) -> Problem:
    if ":" not in function:
        if space is not None:
            raise UserError(f"{function} has its own space", hint="--space and --param are for module:function")
        return known_problem(function, center=center)
    if not space:
        raise UserError(f"{function} needs a space", hint="for example --param x=-5:5, or --space FILE.toml")
    if center is not None:
        raise UserError("--center: only quadratic has a center to move")
    return Problem(name=function, function=load_function(function, space, folder), space=space)

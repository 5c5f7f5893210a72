"""`trialwise optimize`."""

from pathlib import Path

from trialwise.base.errors import UserError
from trialwise.cli.options import Output, Params, given_space
from trialwise.cli.output import give, watching
from trialwise.tuning.samplers import SamplerName


def optimize(
    function: str = "quadratic",
    /,
    *,
    trials: int = 50,
    center: str | None = None,
    space: Path | None = None,
    param: Params = (),
    sampler: SamplerName = "auto",
    storage: str | None = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Find the minimum of a function, and draw its contours with every trial on them.

    Parameters
    ----------
    function
        quadratic, rosenbrock, branin, hartmann6, or any importable module:function that returns a number.
    trials
        Evaluations.
    center
        Where the quadratic has its minimum, as X,Y (0,0 is the textbook's) [default: 3.7,-2.1]
    space
        For module:function: a TOML file with a table for each argument, low and high or choices.
    sampler
        What proposes the trials; auto picks what fits the space and says why.
    storage
        The database that keeps the study: sqlite:///FILE or postgresql://USER@HOST/DATABASE; left out, a journal.
    """
    from trialwise import api

    chosen = given_space(space, param)
    with watching() as watch:
        run = api.optimize(
            function,
            trials=trials,
            seed=output.seed,
            center=_center(center),
            space=chosen or None,
            sampler=sampler,
            storage=storage,
            out=output.out,
            watch=watch,
        )
    result = run.result
    sampler_line = f"sampler: {result['sampler']} ({result['sampler_reason']})"
    give(result, f"{result['verdict']}\n{sampler_line}\nreport: {run.label}/report.html", json=output.json)


def _center(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise UserError(
            f"--center: expected two numbers as X,Y, got {text!r}", hint="for example --center 0,0"
        ) from None

"""`trialwise tune`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.cli.options import Output, Params, Search, given_space
from trialwise.cli.output import give, watching
from trialwise.tuning.rungs import Direction
from trialwise.tuning.settings import SearchSettings


def tune(
    objective: Annotated[
        str, Parameter(help="module:function, called with (config, trial); yields one score an epoch")
    ],
    /,
    *,
    space: Annotated[Path | None, Parameter(help="TOML file: a table for each parameter, low and high or choices")] = (
        None
    ),
    param: Params = (),
    epochs: Annotated[int, Parameter(help="Epochs of a trial that is never pruned; 1: nothing is pruned")] = 1,
    direction: Annotated[Direction, Parameter(help="Whether the lowest or the highest score wins")] = "minimize",
    search: Search = SearchSettings(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> None:
    """Tune a model of your own: any generator that yields one score an epoch."""
    from trialwise import api

    with watching() as watch:
        run = api.tune(
            objective,
            given_space(space, param),
            epochs=epochs,
            direction=direction,
            search=search,
            seed=output.seed,
            out=output.out,
            watch=watch,
        )
    result = run.result
    sampler = f"sampler: {result['sampler']} ({result['sampler_reason']})"
    lines = [result["verdict"], sampler, f"best configuration: {run.label}/best.toml"]
    give(result, "\n".join([*lines, f"report: {run.label}/report.html"]), json=output.json)

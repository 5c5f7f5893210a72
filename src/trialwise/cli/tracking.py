"""`trialwise log`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.cli.options import Output
from trialwise.cli.output import give


def log(
    run: Annotated[str, Parameter(help="A run folder, or its name in the runs folder")],
    /,
    *,
    mlflow: Annotated[str | None, Parameter(help="MLflow's tracking URI: sqlite:///FILE, http://HOST:PORT")] = None,
    experiment: Annotated[str, Parameter(help="The experiment in MLflow")] = "trialwise",
    tensorboard: Annotated[Path | None, Parameter(help="The folder that tensorboard --logdir is given")] = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Log a run to MLflow or for TensorBoard; again, only what is new. --seed changes nothing."""
    from trialwise import api

    document = api.log(run, mlflow=mlflow, experiment=experiment, tensorboard=tensorboard)
    lines = []
    if found := document["mlflow"]:
        lines.append(
            f"MLflow {found['uri']}, experiment {found['experiment']}: run {found['run_id']}, "
            f"{found['n_new_trials']} new trials, {found['n_new_metrics']} new numbers"
        )
    if found := document["tensorboard"]:
        lines.append(f"TensorBoard: {found['folder']}; tensorboard --logdir {tensorboard}")
    give(document, "\n".join(lines), json=output.json, out=output.out)

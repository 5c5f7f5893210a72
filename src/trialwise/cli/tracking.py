"""`trialwise log`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.cli.options import Output
from trialwise.cli.output import give


def log(
    run: Annotated[str, Parameter(help="Any run folder, or its name in the runs folder")],
    /,
    *,
    mlflow: Annotated[str | None, Parameter(help="MLflow: sqlite:///FILE, or the address of a tracking server")] = None,
    tensorboard: Annotated[Path | None, Parameter(help="The folder that tensorboard --logdir is given")] = None,
    experiment: Annotated[str, Parameter(help="The MLflow experiment; made where there is none")] = "trialwise",
    output: Output = Output(),  # noqa: B008
) -> None:
    """Add a run, and every trial of a study, to MLflow or TensorBoard; again, and only what is new is added.

    Nothing here is random, so --seed changes nothing.
    """
    from trialwise import api

    document = api.log(run, mlflow=mlflow, tensorboard=tensorboard, experiment=experiment)
    lines = []
    if document["tensorboard"]:
        found = document["tensorboard"]
        lines.append(f"{found['folder']}: {found['n_sessions']} in the HParams tab, {found['n_changed']} files written")
        lines.append(f"see it: tensorboard --logdir {tensorboard}")
    if document["mlflow"]:
        found = document["mlflow"]
        lines.append(f"MLflow, experiment {experiment}: run {found['run_id']}, {found['n_new']} runs are new")
        lines.append(f"see it: mlflow ui --backend-store-uri {found['uri']}" if "http" not in found["uri"][:4] else "")
    give(document, "\n".join(filter(None, lines)), json=output.json, out=output.out)

"""`trialwise completion`."""

from typing import Annotated, Literal

from cyclopts import Parameter

from trialwise.cli.options import Output
from trialwise.cli.output import give


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell that is to complete")],
    /,
    *,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Print what a shell needs to complete commands and options; it is only printed. --seed changes nothing."""
    from trialwise.cli.app import app

    script = app.generate_completion(shell=shell)
    document = {"schema": "trialwise.completion/1", "shell": shell, "script": script}
    give(document, script, json=output.json, out=output.out)

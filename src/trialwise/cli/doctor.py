"""`trialwise doctor`."""

from trialwise.base.errors import WorkError
from trialwise.cli.options import Output
from trialwise.cli.output import give


def doctor(*, output: Output = Output()) -> None:  # noqa: B008
    """Say what works on this machine: versions, device, free cores, bfloat16, folders. --seed changes nothing."""
    from trialwise import api

    document = api.doctor()
    width = max(len(check["name"]) for check in document["checks"])
    lines = [_line(check, width) for check in document["checks"]]
    give(document, "\n".join([*lines, document["verdict"]]), json=output.json, out=output.out)
    if not document["ok"]:
        raise WorkError(document["verdict"])


def _line(check: dict, width: int) -> str:
    line = f"{'ok   ' if check['ok'] else 'WRONG'} {check['name']:<{width}}  {check['found']}"
    return line + (f"\n      {'':<{width}}  hint: {check['hint']}" if check["hint"] else "")

"""`trialwise demo`."""

from trialwise.cli.options import Output
from trialwise.cli.output import give, watching


def demo(*, output: Output = Output()) -> None:  # noqa: B008
    """See all of it work on embedded data, in less than a minute, ending in one report."""
    from trialwise import api

    with watching() as watch:
        document = api.demo(seed=output.seed, out=output.out, watch=watch)
    lines = [f"{part['name']}: {part['verdict']}" for part in document["sections"]]
    give(document, "\n".join([*lines, f"report: {document['report']}"]), json=output.json)

"""`trialwise study export`, `trialwise study compare` and `trialwise study dashboard`."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from trialwise.cli.options import Output
from trialwise.cli.output import give, say

Run = Annotated[str, Parameter(help="The study's run folder, or its name in the runs folder")]


def export(
    run: Run,
    /,
    *,
    to: Annotated[Path, Parameter(help="New file, .csv or .parquet: one row a trial")],
    scores_to: Annotated[
        Path | None, Parameter(help="New file, .csv or .parquet: one row a trial and epoch, with the score")
    ] = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Write all trials of a study to a table. Nothing here is random, so --seed changes nothing.

    Numbers keep every digit. In CSV, text that a spreadsheet would run as a formula gets a ' in front.
    """
    from trialwise import api

    document = api.export_study(run, to, scores_to=scores_to)
    text = f"{document['n_trials']} trials: {document['file']}"
    if scores_to is not None:
        text += f"\n{document['n_scores']} scores: {document['scores_file']}"
    give(document, text, json=output.json, out=output.out)


def compare(
    *runs: Annotated[str, Parameter(help="Run folders of two studies or more, or their names in the runs folder")],
    output: Output = Output(),  # noqa: B008
) -> None:
    """Show what differs between studies, what each found and what it spent. --seed changes nothing."""
    from trialwise import api

    document = api.compare_study_runs(runs)
    lines = [document["sentence"], ""]
    lines += [_study_lines(row) for row in document["studies"]]
    for title in ("settings", "space"):
        if document[title]:
            lines += ["", f"{title} that differ:", *_difference_lines(document[title])]
    for row in document["over_seeds"]:
        lines += [
            "",
            f"over the seeds of {', '.join(row['runs'])}: best value {row['mean']:.6g} ± {row['sd']:.2g} (one standard"
            f" deviation), from {row['lowest']:.6g} to {row['highest']:.6g}",
        ]
    give(document, "\n".join(lines), json=output.json, out=output.out)


def _study_lines(row: dict[str, Any]) -> str:
    found = "no value yet" if row["best_value"] is None else f"best {row['best_value']:.6g} (trial {row['best_trial']})"
    default = "" if row["default_value"] is None else f", untuned default {row['default_value']:.6g}"
    seconds = "" if row["seconds"] is None else f", {row['seconds']:.0f} s"
    return (
        f"{row['run']}, seed {row['seed']}: {found}{default}; {row['n_trials']} trials, {row['epochs']} epochs{seconds}"
    )


def _difference_lines(rows: dict[str, list[Any]]) -> list[str]:
    return [f"  {name}: {' | '.join(map(str, values))}" for name, values in rows.items()]


def dashboard(
    study: Annotated[
        str, Parameter(help="A study's run folder or its name; or a database: sqlite:///FILE, postgresql://...")
    ],
    /,
    *,
    port: Annotated[int, Parameter(help="Where to listen on 127.0.0.1; 0 for any free port")] = 8080,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Show a study in the browser (optuna-dashboard) on this machine alone, until Ctrl-C. --seed changes nothing."""
    from trialwise import api

    def started(address: str) -> None:
        document = {"schema": "trialwise.dashboard/1", "address": address}
        give(document, f"optuna-dashboard: {address}", json=output.json, out=output.out)
        sys.stdout.flush()  # whoever reads it waits for it
        say("Ctrl-C ends it")

    api.study_dashboard(study, port=port, started=started)

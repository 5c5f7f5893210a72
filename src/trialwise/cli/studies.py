"""`trialwise study ...` and `trialwise report`."""

from typing import Annotated

from cyclopts import Parameter

from trialwise.base.runs import check_out
from trialwise.cli.options import Output
from trialwise.cli.output import give, watching

Run = Annotated[str, Parameter(help="The study's run folder, or its name in the runs folder")]


Storage = Annotated[
    str | None, Parameter(help="A database of studies: sqlite:///FILE or postgresql://USER@HOST/DATABASE")
]


def list_(*, storage: Storage = None, output: Output = Output()) -> None:  # noqa: B008
    """List the studies in the runs folder, or in a database. Nothing here is random, so --seed changes nothing."""
    from trialwise import api

    studies = api.list_studies() if storage is None else api.studies_at(storage)
    lines = [_study_line(row) if storage is None else _database_line(row) for row in studies]
    document = {"schema": "trialwise.study-list/1", "studies": studies}
    give(document, "\n".join(lines) or "no studies here yet", json=output.json, out=output.out)


def _database_line(row: dict) -> str:
    if row["status"] == "unreadable":
        return f"{row['study']}: unreadable: {row['reason']}"
    found = "no value yet" if row["best_value"] is None else f"best {row['best_value']:.6g}"
    folder = f"; run folder {row['run']} on {row['host']}" if row["run"] else ""
    driver = f" ({row['driver']})" if row["driver"] else ""
    return f"{row['study']}: {row['status']}{driver}, {row['n_trials']} trials, {found}{folder}"


def _study_line(row: dict) -> str:
    if row["status"] == "unreadable":
        return f"{row['run']}: unreadable: {row['reason']}"
    found = "no value yet" if row["best_value"] is None else f"best {row['best_value']:.6g}"
    line = f"{row['run']}: {row['status']}, {row['n_trials']} trials, {found}"
    return line + (f"; go on with: trialwise study resume {row['run']}" if row["status"] == "stopped" else "")


def show(run: Run, /, *, output: Output = Output()) -> None:  # noqa: B008
    """Show a study as it stands, running or not. Nothing here is random, so --seed changes nothing."""
    from trialwise import api

    document = api.show_study(run)
    counts = ", ".join(f"{n} {state}" for state, n in document["counts"].items())
    best = document["best"]
    lines = [f"{document['run']}: {document['status']}, {counts}"]
    if document["verdict"]:
        lines.append(document["verdict"])
    if best:
        lines.append(f"best: trial {best['number']} with {best['value']:.6g}, {best['params']}")
    lines += [_trial_line(trial) for trial in document["trials"]]
    give(document, "\n".join(lines), json=output.json, out=output.out)


def _trial_line(trial: dict) -> str:
    if trial["value"] is not None:
        found = f"{trial['value']:.6g}"
    elif trial["scores"]:
        epoch, score = list(trial["scores"].items())[-1]
        found = f"{score:.6g} after epoch {epoch}"
    else:
        found = trial["notes"].get("reason", "no score yet")
    return f"trial {trial['number']}: {trial['state']}, {found}"


def resume(
    run: Run,
    /,
    *,
    trials: Annotated[
        int | None, Parameter(help="Trials in all, those done included; left out, as first asked, like the next four")
    ] = None,
    epochs_total: Annotated[int | None, Parameter(help="Epochs of all trials together, those done included")] = None,
    minutes: Annotated[float | None, Parameter(help="Minutes of all sessions together")] = None,
    until_plateau: Annotated[
        int | None, Parameter(help="End the study once so many trials after the best one were no better")
    ] = None,
    target: Annotated[float | None, Parameter(help="End the study once a trial's value is as good as this")] = None,
    storage: Annotated[
        str | None, Parameter(help="Where its database is now, if it has moved, or with the password that is not kept")
    ] = None,
    ray: Annotated[
        str | None, Parameter(help="The address of its Ray cluster, if it is another one now; none: go on without one")
    ] = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Go on with a study where it stopped, with its own seed and settings, or with another limit than it had."""
    from trialwise import api

    check_out(output.out)
    with watching() as watch:
        opened = api.resume(
            run,
            trials=trials,
            epochs_total=epochs_total,
            minutes=minutes,
            until_plateau=until_plateau,
            target=target,
            storage=storage,
            ray=ray,
            watch=watch,
        )
    text = f"{opened.result['verdict']}\nreport: {opened.label}/report.html"
    give(opened.result, text, json=output.json, out=output.out)


def report(
    *runs: Annotated[str, Parameter(help="Run folders; several make one page")],
    output: Output = Output(),  # noqa: B008
) -> None:
    """Make the report again, from run folders alone; --out names the folder for report.html."""
    from trialwise import api
    from trialwise.base.errors import UserError

    check_out(output.out)
    if not runs:
        raise UserError("report: expected at least one run folder", hint="trialwise report runs/NAME")
    path = api.report(list(runs), out=output.out / "report.html" if output.out else None)
    give({"schema": "trialwise.report/1", "report": str(path)}, f"report: {path}", json=output.json)

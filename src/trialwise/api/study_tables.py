"""Take the trials of studies out of their storage: as a table, and side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trialwise.api.studies import open_study
from trialwise.api.study_places import seen_study, storage_on_record
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.tuning.spaces import default_config, space_from_document
from trialwise.tuning.study_comparison import StudyFacts, compare_studies, flat_values, sentence
from trialwise.tuning.trial_table import check_table_file, score_columns, trial_columns, write_table


def export_study(run: RunFolder | Path | str, to: Path, *, scores_to: Path | None = None) -> dict[str, Any]:
    """Write all trials of a study to a table, one row each.

    Args:
        run: Its run folder, or the folder's name in the runs folder.
        to: A new file; `.csv` or `.parquet`.
        scores_to: A new file for the score of every trial after every epoch, one row each.

    Returns:
        "file", "n_trials", and with `scores_to` "scores_file" and "n_scores".

    Raises:
        UserError: It is no study, or a file cannot be written.
    """
    opened = open_study(run)
    check_table_file("--to", to)
    if scores_to is not None:
        check_table_file("--scores-to", scores_to)
        if scores_to.absolute() == to.absolute():
            raise UserError("--scores-to: expected another file than --to")
    with seen_study(opened) as study:
        records = study.records()
    write_table(trial_columns(records), to)
    document: dict[str, Any] = {"run": opened.label, "file": str(to), "n_trials": len(records)}
    if scores_to is not None:
        columns = score_columns(records)
        write_table(columns, scores_to)
        document |= {"scores_file": str(scores_to), "n_scores": len(columns["number"])}
    return {"schema": "trialwise.study-export/1"} | document


def compare_study_runs(runs: Sequence[RunFolder | Path | str]) -> dict[str, Any]:
    """What differs between studies, and what each found and spent.

    Args:
        runs: Two run folders or more, of one kind of work.

    Returns:
        "studies" (each with "best_value", "epochs", "seconds", "best_so_far", ...), "settings" and "space" that differ,
        "over_seeds" (the spread, where studies differ in the seed alone), "sentence".

    Raises:
        UserError: Fewer than two, one that is no study, or studies of different kinds of work.
    """
    if len(runs) < 2:
        raise UserError("study compare: expected two studies or more", hint="trialwise study compare RUN RUN")
    opened = [open_study(run) for run in runs]
    kinds = {run.kind for run in opened}
    if len(kinds) > 1:
        raise UserError(
            f"these are studies of different work: {', '.join(sorted(kinds))}", hint="compare like with like"
        )
    facts = [_facts(run) for run in opened]
    if len({each.direction for each in facts}) > 1:
        raise UserError("one of the studies minimises and another maximises", hint="compare like with like")
    document = {"schema": "trialwise.study-comparison/1", "kind": opened[0].kind} | compare_studies(facts)
    return document | {"sentence": sentence(document)}


def _facts(run: RunFolder) -> StudyFacts:
    settings = dict(run.settings)
    space = settings.pop("space", None) or {}
    with seen_study(run) as study:
        records = study.records()
        trials = study.optuna.get_trials(deepcopy=False)[: len(records)]  # a study that runs may have more by now
    ended = [trial for trial in trials if trial.datetime_complete is not None]
    return StudyFacts(
        name=run.label,
        seed=run.seed,
        settings=flat_values(settings),
        space=space,
        direction=study.direction,
        records=records,
        ended=[trial.number for trial in sorted(ended, key=lambda t: (t.datetime_complete, t.number))],
        seconds=run.result.get("seconds") if run.has_result else study.seconds or None,
        has_default=_has_default(run, space),
    )


def _has_default(run: RunFolder, space: dict[str, Any]) -> bool:
    """Whether trial 0 is the untuned default: always of images and prices, of own code where its space names one."""
    if run.kind in ("image-tune", "price-tune"):
        return True
    return bool(space) and run.kind == "tune" and default_config(space_from_document(space)) is not None


def study_dashboard(study: str, *, port: int = 8080, started: Callable[[str], None]) -> None:
    """Show a study, and all others in its database, with optuna-dashboard on 127.0.0.1 until Ctrl-C.

    Args:
        study: A run folder, its name in the runs folder, or the URL of a database.
        port: Where to listen; 0 for any free port.
        started: Told the address once it answers.

    Raises:
        UserError: There is no such study, the port is taken, or optuna-dashboard is not installed.
        WorkError: The database cannot be reached.
    """
    from trialwise.integrations.dashboard import check_dashboard, serve_dashboard

    check_dashboard()
    if "://" not in study:
        with seen_study(open_study(study)) as opened:
            serve_dashboard(opened.storage, port, started=started)
        return
    from trialwise.integrations.storages import reading

    url = storage_on_record(study)
    assert url is not None
    with reading(url) as storage:
        serve_dashboard(storage, port, started=started)

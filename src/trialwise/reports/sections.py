"""What a page says of each kind of run, from its folder alone."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import read_json
from trialwise.base.runs import RunFolder
from trialwise.reports import figures, trial_figures
from trialwise.reports.drawing import Picture
from trialwise.reports.explained import explained
from trialwise.reports.image_sections import evaluation_chapters
from trialwise.reports.parts import Records, Section, Table
from trialwise.reports.price_sections import price_ablate, price_backtest
from trialwise.reports.study_chapters import study_chapters
from trialwise.reports.study_worth import worth
from trialwise.reports.verdicts import number, verdict
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.trial_table import trial_columns


def section(run: RunFolder) -> Section:
    """The section on a run.

    Raises:
        UserError: Nothing is known of this kind of run.
    """
    if run.kind not in _BUILDERS:
        raise UserError(f"{run.path}: no report is known for a run of kind {run.kind!r}")
    if "verdict" not in run.result:
        return dataclasses.replace(_unfinished(run), repeat=_repeat(run))
    built = _BUILDERS[run.kind](run)
    if run.record["status"] != "complete":
        built = dataclasses.replace(built, title=f"{built.title} ({run.record['status']})")
    return dataclasses.replace(built, repeat=_repeat(run))


def _unfinished(run: RunFolder) -> Section:
    """A run that failed, was killed or still works: what there is of it."""
    status = run.record["status"]
    words = {"failed": f"It failed: {run.result.get('error', 'no reason is on record')}"}
    trials: tuple[Records, ...] = ()
    with suppress(UserError):
        trials = _all_trials([record.to_document() for record in Study(run.path).records()])
    return Section(
        title=f"{run.kind} ({status})",
        verdict=words.get(status, "It has not ended, so there is no result."),
        records=trials,
    )


def _optimize(run: RunFolder) -> Section:
    result = run.result
    trials = read_json(run.path / "trials.json")
    pictures = []
    if (run.path / "landscape.json").exists():
        pictures.append(figures.contour(read_json(run.path / "landscape.json"), trials, result["best_trial"]))
    pictures.append(trial_figures.history(trials, result["direction"], value_name="value"))
    return Section(
        title=f"Minimum of {result['function']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(*_study_facts(result), ("sampler", f"{result['sampler']}: {result['sampler_reason']}")),
        pictures=(*pictures, *_importances(result)),
        records=_all_trials(trials),
    )


def _image_train(run: RunFolder) -> Section:
    result = run.result
    return Section(
        title=f"Classifier for {result['data']['name']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(
            ("parameters", f"{result['n_params']:,}"),
            ("epochs", str(result["epochs"])),
            ("training", f"{result['seconds']['train']:.1f} s on {result['device']}, {result['threads']} threads"),
            ("numbers", result["number_format"]),
            *_data_facts(result["data"]),
        ),
        pictures=_learning_curves(run),
        chapters=(*evaluation_chapters(run), *explained(run)),
        notes=_data_notes(result["data"]),
    )


def _image_ablate(run: RunFolder) -> Section:
    result = run.result
    rows = tuple(
        (
            row["name"] + ("" if row["is_in_recipe"] else " (brought in)"),
            "no training was done" if row["effect"] is None else f"{100 * row['effect']:+.2f}",
            "{:+.2f} to {:+.2f}".format(*(100 * end for end in row["ci95"])) if row["ci95"] else "",
            ", ".join(f"{100 * difference:+.2f}" for difference in row["differences"]),
        )
        for row in result["effects"]
    )
    head = ("ingredient", "points it adds", "95 % interval", "seed by seed")
    is_drawn = any(row["effect"] is not None for row in result["effects"])
    return Section(
        title=f"What each ingredient is worth on {result['data']['name']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(
            ("trainings", f"{result['n_seeds']} of each kind, {result['epochs']} epochs each"),
            ("time", f"{result['seconds']:.1f} s"),
            *_data_facts(result["data"]),
        ),
        pictures=(figures.effects(result["effects"]),) if is_drawn else (),
        tables=(Table(caption="Validation accuracy with everything minus without it", head=head, rows=rows),),
        notes=_data_notes(result["data"]),
    )


def _image_tune(run: RunFolder) -> Section:
    data = run.result["data"]
    section = _tuning(run, data["name"], _data_facts(data), _learning_curves(run))
    chapters = (*section.chapters, *evaluation_chapters(run), *explained(run))
    return dataclasses.replace(section, chapters=chapters, notes=_data_notes(data))


def _price_tune(run: RunFolder) -> Section:
    result, metrics = run.result, run.metrics()
    days = f"{result['n_train']:,}, up to {result['last_train_date']}; the test days after them are unread"
    learning = (figures.learning_curves(metrics, score_name=None, score_label=""),) if metrics else ()
    section = _tuning(run, result["name"], (("days", days),), learning)
    return dataclasses.replace(section, notes=tuple(result["warnings"]))


def _own_tune(run: RunFolder) -> Section:
    return _tuning(run, run.result["objective"])


def _tuning(
    run: RunFolder, name: str, facts: tuple[tuple[str, str], ...] = (), learning: tuple[Picture, ...] = ()
) -> Section:
    """What every study shows, whatever was tuned."""
    result = run.result
    trials = read_json(run.path / "trials.json")
    has_epochs = bool(trials) and result["max_epochs"] > 1
    curves = (
        (trial_figures.trial_curves(trials, result["best_trial"], result["direction"], value_name=result["score"]),)
        if has_epochs
        else ()
    )
    return Section(
        title=f"Tuning on {name}",
        verdict=verdict(run.kind, result, run.record.get("evaluation")),
        facts=(
            *_study_facts(result),
            ("sampler", f"{result['sampler']}: {result['sampler_reason']}"),
            ("a full trial", f"{result['max_epochs']} epochs"),
            *facts,
        ),
        pictures=(
            trial_figures.history(trials, result["direction"], value_name=result["score"]),
            *curves,
            *learning,
            *_importances(result),
        ),
        tables=_winner_table(result),
        records=_all_trials(trials),
        chapters=(*worth(result), *study_chapters(result, trials)),
    )


_BUILDERS: dict[str, Callable[[RunFolder], Section]] = {
    "optimize": _optimize,
    "image-train": _image_train,
    "image-ablate": _image_ablate,
    "tune": _own_tune,
    "image-tune": _image_tune,
    "price-backtest": price_backtest,
    "price-ablate": price_ablate,
    "price-tune": _price_tune,
}


def _study_facts(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    counts = ", ".join(f"{n} {state}" for state, n in result["counts"].items() if n)
    return ("trials", counts), ("time", f"{result['seconds']:.1f} s"), ("seed", str(result["seed"]))


def _data_facts(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    shape = f"{data['width']} x {data['height']} {'grey' if data['channels'] == 1 else 'colour'}"
    rows = f"{data['n_train']:,} for training and validation, {data['n_test']:,} for the test ({data['test_origin']})"
    return ("images", f"{len(data['classes'])} classes, {shape}"), ("rows", rows)


def _data_notes(data: Mapping[str, Any]) -> tuple[str, ...]:
    left_out = [f"left out: {item['file']} ({item['reason']})" for item in data["left_out"][:20]]
    if data["n_left_out"] > len(left_out):
        left_out.append(f"... and {data['n_left_out'] - len(left_out)} more files left out")
    return (*data["notes"], *left_out)


def _importances(result: Mapping[str, Any]) -> tuple[Picture, ...]:
    found = result["importances"]
    if not found:
        return ()
    epochs = found["epochs"] if result["max_epochs"] > 1 else None
    return (figures.importances(found["shares"], n_trials=found["n_trials"], epochs=epochs),)


def _learning_curves(run: RunFolder) -> tuple[Picture, ...]:
    metrics = run.metrics()
    if not metrics:
        return ()
    return (figures.learning_curves(metrics, score_name="accuracy", score_label="validation accuracy"),)


def _winner_table(result: Mapping[str, Any]) -> tuple[Table, ...]:
    best, default = result["best"], result["default"]
    if not best or not default:
        return ()
    names = dict.fromkeys([*default["params"], *best["params"]])
    rows = tuple((name, *(number(row["params"].get(name, "")) for row in (default, best))) for name in names)
    caption = "The winning configuration beside the untuned default"
    return (Table(caption=caption, head=("setting", "default", "winner"), rows=rows),)


def _all_trials(trials: Sequence[Mapping[str, Any]]) -> tuple[Records, ...]:
    if not trials:
        return ()
    columns = trial_columns([TrialRecord(**trial) for trial in trials])
    kept = {name: values for name, values in columns.items() if any(value is not None for value in values)}
    return (Records(caption="All trials", columns=kept, filter_by="state", file_name="trials.csv"),)


def _repeat(run: RunFolder) -> tuple[tuple[str, str], ...]:
    versions = ", ".join(f"{name} {version}" for name, version in run.record["versions"].items())
    command = run.record["command"]
    rows = [("command", " ".join(command))] if command else []
    return (*rows, ("run folder", str(run.path)), ("started", run.record["started"]), ("versions", versions))

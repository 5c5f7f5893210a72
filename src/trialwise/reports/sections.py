"""What a page says of each kind of run, from its folder alone."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.reports import figures
from trialwise.reports.drawing import Picture
from trialwise.reports.explained import explained
from trialwise.reports.image_sections import evaluation_chapters
from trialwise.reports.parts import Chapter, Section, Table
from trialwise.reports.price_sections import price_ablate, price_backtest
from trialwise.reports.repeating import repeat_facts, settings_chapter
from trialwise.reports.study_sections import optimize_section, tuning_section, unfinished_section
from trialwise.reports.verdicts import verdict
from trialwise.reports.winning import more_chapter, use_tables


def section(run: RunFolder, beside: Sequence[RunFolder] = ()) -> Section:
    """The section on a run, on a page with the runs `beside`.

    Raises:
        UserError: Nothing is known of this kind of run.
    """
    if run.kind not in _BUILDERS:
        raise UserError(f"{run.path}: no report is known for a run of kind {run.kind!r}")
    more: tuple[Chapter, ...] = ()
    if not run.has_result:
        built = unfinished_section(run)
    else:
        built = _BUILDERS[run.kind](run)
        more = (more_chapter(run, beside),) if run.kind in ("image-train", "image-tune") else ()
        if run.record["status"] != "complete":
            built = dataclasses.replace(built, title=f"{built.title} ({run.record['status']})")
    chapters = tuple(
        chapter
        for chapter in (*built.chapters, *more, settings_chapter(run))
        if chapter.sentences or chapter.tables or chapter.pictures
    )
    return dataclasses.replace(built, chapters=chapters, repeat=repeat_facts(run))


def _image_train(run: RunFolder) -> Section:
    result = run.result
    return Section(
        title=f"Classifier for {result['data']['name']}",
        verdict=verdict(run.kind, run.result, run.record.get("evaluation")),
        facts=(
            ("parameters", f"{result['n_params']:,}"),
            ("epochs", str(result["epochs"])),
            ("training", f"{result['seconds']['train']:.1f} s on {result['device']}, {result['threads']} threads"),
            ("seed", str(run.seed)),
            ("numbers", result["number_format"]),
            *_data_facts(result["data"]),
        ),
        chapters=(
            Chapter(heading="How to use it", tables=use_tables(run)),
            Chapter(heading="Epoch by epoch", pictures=_learning_curves(run)),
            *evaluation_chapters(run),
            *explained(run),
        ),
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
    return tuning_section(
        run,
        data["name"],
        facts=_data_facts(data),
        learning=_learning_curves(run),
        test=(*evaluation_chapters(run), *explained(run)),
        notes=_data_notes(data),
    )


def _price_tune(run: RunFolder) -> Section:
    result, metrics = run.result, run.metrics()
    days = f"{result['n_train']:,}, up to {result['last_train_date']}; the test days after them are unread"
    learning = (figures.learning_curves(metrics, score_name=None, score_label=""),) if metrics else ()
    return tuning_section(
        run, result["name"], facts=(("days", days),), learning=learning, notes=tuple(result["warnings"])
    )


def _own_tune(run: RunFolder) -> Section:
    return tuning_section(run, run.result["objective"])


_BUILDERS: dict[str, Callable[[RunFolder], Section]] = {
    "optimize": optimize_section,
    "image-train": _image_train,
    "image-ablate": _image_ablate,
    "tune": _own_tune,
    "image-tune": _image_tune,
    "price-backtest": price_backtest,
    "price-ablate": price_ablate,
    "price-tune": _price_tune,
}


def _data_facts(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    shape = f"{data['width']} x {data['height']} {'grey' if data['channels'] == 1 else 'colour'}"
    rows = f"{data['n_train']:,} for training and validation, {data['n_test']:,} for the test ({data['test_origin']})"
    return ("images", f"{len(data['classes'])} classes, {shape}"), ("rows", rows)


def _data_notes(data: Mapping[str, Any]) -> tuple[str, ...]:
    left_out = [f"left out: {item['file']} ({item['reason']})" for item in data["left_out"][:20]]
    if data["n_left_out"] > len(left_out):
        left_out.append(f"... and {data['n_left_out'] - len(left_out)} more files left out")
    return (*data["notes"], *left_out)


def _learning_curves(run: RunFolder) -> tuple[Picture, ...]:
    metrics = run.metrics()
    if not metrics:
        return ()
    return (figures.learning_curves(metrics, score_name="accuracy", score_label="validation accuracy"),)

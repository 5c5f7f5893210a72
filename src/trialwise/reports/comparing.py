"""Several runs on one page: what differs, what each found, the spread over seeds; before each run by itself."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from trialwise.base.runs import RunFolder
from trialwise.reports.classifiers import classifier_chapters
from trialwise.reports.comparing_figures import beside
from trialwise.reports.parts import Chapter, Section, Table
from trialwise.reports.repeating import data_hashes, setting_text
from trialwise.reports.results import Found, found_by
from trialwise.reports.verdicts import number
from trialwise.reports.winning import command
from trialwise.tuning.study_comparison import WHAT_IS_TUNED, differences, flat_values, work_asked_for

# Kinds whose results stand in one table, and what they are called together.
_TOGETHER = {"image-train": "classifiers", "image-tune": "classifiers"}
_NAMES = {
    "classifiers": "classifiers",
    "optimize": "minimisations",
    "tune": "studies",
    "price-tune": "studies of price forecasters",
    "price-backtest": "backtests",
    "image-ablate": "ablations of classifiers",
    "price-ablate": "ablations of price forecasters",
}


def comparisons(runs: Sequence[RunFolder]) -> tuple[Section, ...]:
    """One section for each kind of work of which there are several runs, in the order of their first."""
    groups: dict[str, list[RunFolder]] = {}
    for run in runs:
        groups.setdefault(_TOGETHER.get(run.kind, run.kind), []).append(run)
    return tuple(_comparison(group, members) for group, members in groups.items() if len(members) > 1)


def run_names(runs: Sequence[RunFolder]) -> list[str]:
    """What to call each run: its folder's name, with as much of the path in front as tells it from the others."""
    for depth in range(1, 1 + max(len(run.path.parts) for run in runs)):
        names = [str(Path(*run.path.parts[-depth:])) for run in runs]
        if len(set(names)) == len(names):
            return names
    return [f"{run.path.name} ({place})" for place, run in enumerate(runs, start=1)]


def named(sections: Sequence[Section], runs: Sequence[RunFolder]) -> list[Section]:
    """The sections on the runs, those of one title told apart by the names of their runs."""
    titles = [section.title for section in sections]
    return [
        dataclasses.replace(section, title=f"{section.title}: {name}") if titles.count(section.title) > 1 else section
        for section, name in zip(sections, run_names(runs), strict=True)
    ]


def _comparison(group: str, runs: Sequence[RunFolder]) -> Section:
    names = run_names(runs)
    found = [found_by(run) for run in runs]
    spreads = over_seeds(runs, names, found)
    special = classifier_chapters(runs, names, found) if group == "classifiers" else ()
    drawn = beside(names, found)
    return Section(
        title=f"{len(runs)} {_NAMES.get(group, group)} side by side",
        verdict=_sentence(runs, names, found, spreads),
        chapters=(
            *(
                Chapter(heading="What differs", sentences=(text,), tables=tables)
                for text, tables in _differing(runs, names)
            ),
            Chapter(heading="What each found", tables=(_results(names, found),), pictures=(drawn,) if drawn else ()),
            *special,
            *_seed_chapter(spreads),
        ),
        repeat=(("command", command("report", *(run.path for run in runs))),),
    )


def _sentence(
    runs: Sequence[RunFolder], names: Sequence[str], found: Sequence[Found], spreads: Sequence[Mapping[str, Any]]
) -> str:
    """Which has the best number, and what that is worth."""
    known = [(each.value, name) for each, name in zip(found, names, strict=True) if each.value is not None]
    valued = [each for each in found if each.value is not None]
    if len({each.measure for each in valued}) > 1:
        return "These runs measure different things: their numbers cannot be compared."
    if len({tuple(sorted(data_hashes(run).values())) for run in runs}) > 1:
        return "These runs are of different data: their numbers cannot be compared."
    if len({str([run.settings.get(what) for what in (*WHAT_IS_TUNED, "direction")]) for run in runs}) > 1:
        return "These runs tuned different functions: their numbers cannot be compared."
    if len(known) < 2:
        return "Fewer than two of these runs have a result yet."
    measure, written = valued[0].measure, valued[0].written
    best, name = (max if valued[0].is_more_better else min)(known)
    if spreads and sum(spread["n"] for spread in spreads) == len(runs) and len(spreads) == 1:
        spread = spreads[0]
        return (
            f"These runs differ in nothing but the seed: {measure} {written(spread['mean'])} on average, standard "
            f"deviation {written(spread['sd'])}. The best of them is no better than the others."
        )
    return (
        f"The best {measure} is {written(best)}, of the run {name}. One run each is one draw: what differs by less "
        "than the seeds do is luck."
    )


def _differing(runs: Sequence[RunFolder], names: Sequence[str]) -> list[tuple[str, tuple[Table, ...]]]:
    """The settings, data and versions that are not the same in all runs."""
    settings = differences([flat_values(run.settings) for run in runs])
    about = differences([_about(run) for run in runs])
    rows = tuple((name, *map(setting_text, values)) for name, values in settings.items())
    rows += tuple((name, *map(setting_text, values)) for name, values in about.items())
    n_same = len({name for run in runs for name in flat_values(run.settings)} - settings.keys())
    if not rows:
        return [("Nothing: these runs were asked for the same, on the same data, with the same versions.", ())]
    table = Table(caption="What is not the same in all of them", head=("setting", *names), rows=rows)
    return [(f"{n_same} other settings are the same in all of them.", (table,))]


def _about(run: RunFolder) -> dict[str, Any]:
    """What a result depends on beside its settings."""
    record = run.record
    return (
        {"seed": run.seed, "status": record["status"], "kind": run.kind}
        | flat_values({"version of": record["versions"], "commit of": record.get("commits") or {}})
        | {"processor": (record.get("machine") or {}).get("processor")}
    )


def _results(names: Sequence[str], found: Sequence[Found]) -> Table:
    heads = list(dict.fromkeys(name for each in found for name in each.cells))
    rows = tuple((name, *(each.cells.get(head, "") for head in heads)) for name, each in zip(names, found, strict=True))
    return Table(caption="Results side by side", head=("run", *heads), rows=rows)


def over_seeds(runs: Sequence[RunFolder], names: Sequence[str], found: Sequence[Found]) -> list[dict[str, Any]]:
    """Mean and spread of runs that differ in nothing but the seed, one row for each group of them.

    "runs", "n", "mean", "sd", "lowest", "highest"; "written" and "measure" as in `Found`; "ci95" of the mean (Student).
    """
    alike: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        asked = [run.kind, found[place].measure, work_asked_for(run.settings)]
        alike.setdefault(json.dumps(asked, sort_keys=True, default=str), []).append(place)
    rows = []
    for places in alike.values():
        values = [value for place in places if (value := found[place].value) is not None]
        if len({runs[place].seed for place in places}) < 2 or len(values) < 2:
            continue
        mean, sd = statistics.fmean(values), statistics.stdev(values)
        reach = float(student.ppf(0.975, len(values) - 1)) * sd / len(values) ** 0.5
        rows.append(
            {
                "runs": [names[place] for place in places],
                "n": len(values),
                "mean": mean,
                "sd": sd,
                "lowest": min(values),
                "highest": max(values),
                "ci95": (mean - reach, mean + reach),
                "written": found[places[0]].written,
                "measure": found[places[0]].measure,
            }
        )
    return rows


def _seed_chapter(spreads: Sequence[Mapping[str, Any]]) -> tuple[Chapter, ...]:
    if not spreads:
        return ()
    rows = tuple(
        (
            ", ".join(spread["runs"]),
            number(spread["n"]),
            spread["measure"],
            spread["written"](spread["mean"]),
            "{} to {}".format(*map(spread["written"], spread["ci95"])),
            spread["written"](spread["sd"]),
            f"{spread['written'](spread['lowest'])} to {spread['written'](spread['highest'])}",
        )
        for spread in spreads
    )
    head = ("runs", "seeds", "number", "mean", "95 % interval of the mean", "standard deviation", "range")
    table = Table(caption="Runs that differ in the seed alone", head=head, rows=rows)
    return (Chapter(heading="The spread over seeds", tables=(table,)),)

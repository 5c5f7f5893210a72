"""Studies side by side: what differs between them, what each found, and what it spent on that."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.tuning.ledger import AT_END
from trialwise.tuning.rungs import Direction, best_first
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.winner import best_record, counts

WHAT_IS_TUNED = ("function", "objective", "content_sha256", "sha256")  # values of different ones are not comparable
_NO_DIFFERENCE = ("search.workers", "search.storage", "folder")  # where and how fast, not what
# The data's place is none either, where its hash is a setting too; how rows are split follows from the seed.
_NOT_THE_WORK = (*_NO_DIFFERENCE, "search.cluster", "threads", "data", "data_dir", "split_seed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyFacts:
    """What is compared of one study.

    Attributes:
        name: What people call it.
        seed: Its one seed.
        settings: What was asked, flat: names with dots, and plain values.
        space: The range of each parameter, by name.
        direction: Which scores are better.
        records: Its trials.
        ended: The numbers of those that ended, in the order in which they did.
        seconds: Working time of all sessions; None where that is not on record.
        has_default: Whether trial 0 is the untuned default.
    """

    name: str
    seed: int
    settings: Mapping[str, Any]
    space: Mapping[str, Any]
    direction: Direction
    records: Sequence[TrialRecord]
    ended: Sequence[int]
    seconds: float | None
    has_default: bool


def flat_values(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dots in the names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat_values(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def work_asked_for(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, flat, that say what was asked for, not where or how fast; alike, runs differ in the seed alone."""
    flat = flat_values(settings)
    return {name: value for name, value in flat.items() if not _is_below(name, _NOT_THE_WORK)}


def _is_below(name: str, tables: Sequence[str]) -> bool:
    return any(name == table or name.startswith(f"{table}.") for table in tables)


def differences(tables: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The names whose values are not the same in all tables, and each table's value (None where it has none)."""
    names = dict.fromkeys(name for table in tables for name in table if name not in _NO_DIFFERENCE)
    rows = {name: [table.get(name) for table in tables] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}


def best_so_far(facts: StudyFacts) -> list[tuple[int, float]]:
    """After how many epochs of all trials the best value of a complete trial became what it was.

    Where that is not on record (lockstep; studies of earlier versions), after how many of the trials that had ended.
    """
    by_number = {record.number: record for record in facts.records}
    epochs, best, curve = 0, None, []
    for number in facts.ended:
        record = by_number[number]
        epochs += len(record.scores)
        if record.state != "complete" or record.value is None:
            continue
        if best is None or best_first({0: best, 1: record.value}, facts.direction)[0] == 1:
            best = record.value
            curve.append((record.notes.get(AT_END, {}).get("epochs", epochs), best))
    return curve


def value_after(curve: Sequence[tuple[int, float]], epochs: int) -> float | None:
    """The best value after so many epochs; None where there was none yet."""
    values = [value for spent, value in curve if spent <= epochs]
    return values[-1] if values else None


def compare_studies(studies: Sequence[StudyFacts]) -> dict[str, Any]:
    """The comparison of two studies or more, as plain JSON values."""
    curves = [best_so_far(facts) for facts in studies]
    spent = [sum(len(record.scores) for record in facts.records) for facts in studies]
    common = min(spent)
    rows = []
    for facts, curve, epochs in zip(studies, curves, spent, strict=True):
        best = best_record(facts.records, facts.direction)
        rows.append(
            {
                "run": facts.name,
                "seed": facts.seed,
                "best_value": best.value if best else None,
                "best_trial": best.number if best else None,
                "best_params": best.params if best else None,
                "default_value": _default_value(facts),
                "best_value_at_common_epochs": value_after(curve, common),
                "n_trials": len(facts.records),
                "counts": counts(facts.records),
                "epochs": epochs,
                "seconds": facts.seconds,
                "best_so_far": [list(point) for point in curve],
            }
        )
    settings = differences([facts.settings for facts in studies])
    return {
        "direction": studies[0].direction,
        "same_task": not any(name in settings for name in WHAT_IS_TUNED),
        "studies": rows,
        "common_epochs": common,
        "settings": settings,
        "space": differences([facts.space for facts in studies]),
        "over_seeds": _over_seeds(studies),
    }


def _default_value(facts: StudyFacts) -> float | None:
    """The value of trial 0, where it is the untuned default and complete."""
    first = facts.records[0] if facts.records and facts.has_default else None
    return first.value if first is not None and first.state == "complete" else None


def _over_seeds(studies: Sequence[StudyFacts]) -> list[dict[str, Any]]:
    """The spread between studies that differ in nothing but the seed: the only spread that is known here."""
    alike: dict[str, list[StudyFacts]] = {}
    for facts in studies:
        asked = json.dumps([work_asked_for(facts.settings), dict(facts.space)], sort_keys=True, default=str)
        alike.setdefault(asked, []).append(facts)
    rows = []
    for group in alike.values():
        bests = [best_record(facts.records, facts.direction) for facts in group]
        values = [best.value for best in bests if best is not None and best.value is not None]
        if len({facts.seed for facts in group}) < 2 or len(values) < 2:
            continue
        rows.append(
            {
                "runs": [facts.name for facts in group],
                "mean": statistics.fmean(values),
                "sd": statistics.stdev(values),
                "lowest": min(values),
                "highest": max(values),
            }
        )
    return rows


def sentence(document: Mapping[str, Any]) -> str:
    """What the comparison shows, and what it does not."""
    if not document["same_task"]:
        return "Different data or functions were tuned: the values of these studies cannot be compared."
    rows = document["studies"]
    values = {
        number: row["best_value_at_common_epochs"]
        for number, row in enumerate(rows)
        if row["best_value_at_common_epochs"] is not None
    }
    if len(values) < 2:
        return "Fewer than two of the studies have a complete trial within the epochs that all of them spent."
    order = best_first(values, document["direction"])
    found = ", ".join(f"{rows[number]['run']} {values[number]:.6g}" for number in order)
    lead = f"Best validation value after {document['common_epochs']} epochs each: {found}."
    if document["over_seeds"] and sum(len(row["runs"]) for row in document["over_seeds"]) == len(rows):
        return f"{lead} The spread between seeds says how much of a difference is luck."
    return (
        f"{lead} One study each is one draw: this does not show which way of searching is better; several seeds would."
    )

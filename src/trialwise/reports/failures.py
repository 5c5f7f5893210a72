"""Which trials failed: by the error, and by the parameters that may be the cause."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import fisher_exact

from trialwise.reports.parts import Chapter, Table
from trialwise.reports.space_figures import Axis, axis_of
from trialwise.reports.verdicts import SIGNIFICANT, number, percent

MOST_ERRORS = 12
MOST_NAMED = 8  # trials of one error
MOST_CHOICES = 12  # values of one parameter
N_PARTS = 3  # in which a range of numbers is cut
N_LETTERS = 300  # of an error
_NUMBER = re.compile(r"\d+(\.\d+)?([eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """Some values of one parameter, and how the trials with them fared.

    Attributes:
        name: The parameter's.
        values: Which values, in words.
        n_failed: Trials with these values that failed.
        n: Trials with these values.
        n_failed_else: Trials with other values that failed.
        n_else: Trials with other values.
        p_value: Of as large a difference by chance (Fisher's exact test), times the number of parts looked at.
    """

    name: str
    values: str
    n_failed: int
    n: int
    n_failed_else: int
    n_else: int
    p_value: float


def failure_chapters(trials: Sequence[Mapping[str, Any]], space: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """The chapter on failed trials; none where none failed."""
    failed = [trial for trial in trials if trial["state"] == "failed"]
    if not failed:
        return ()
    groups = by_error(failed)
    rows = tuple(
        (str(len(numbers)), error, ", ".join(map(str, numbers[:MOST_NAMED])) + ("..." if numbers[MOST_NAMED:] else ""))
        for error, numbers in groups[:MOST_ERRORS]
    )
    tables = [Table(caption="Failed trials by error", head=("trials", "first line of the error", "which"), rows=rows)]
    parts = by_parameter(trials, space)
    if parts:
        tables.append(_parameter_table(parts))
    return (
        Chapter(
            heading="Trials that failed",
            sentences=(f"{len(failed)} of {len(trials)} trials failed. {_cause(parts)}",),
            tables=tuple(tables),
        ),
    )


def by_error(failed: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[int]]]:
    """The first line of each kind of error and the trials that ended with it, the most frequent first.

    Errors that differ in their numbers alone are of one kind.
    """
    kinds: dict[str, tuple[str, list[int]]] = {}
    for trial in failed:
        reason = str(trial["notes"].get("reason") or "no reason is on record").strip() or "an empty message"
        line = reason.splitlines()[0][:N_LETTERS]
        kinds.setdefault(_NUMBER.sub("#", line), (line, []))[1].append(trial["number"])
    return sorted(kinds.values(), key=lambda kind: (-len(kind[1]), kind[1][0]))


def by_parameter(trials: Sequence[Mapping[str, Any]], space: Mapping[str, Any]) -> list[Part]:
    """For each parameter the values with which trials failed most often beyond the others; the surest first.

    Trials that have not ended are not counted.
    """
    ended = [trial for trial in trials if trial["state"] != "paused"]
    names = dict.fromkeys(name for trial in ended for name in trial["params"])
    found: list[Part] = []
    n_looked_at = 0
    for name in names:
        having = [trial for trial in ended if name in trial["params"]]
        parts = [_part(name, words, members, having) for words, members in _cut(axis_of(name, having, space), having)]
        n_looked_at += len(parts)
        found += sorted(parts, key=lambda part: part.p_value)[:1]
    corrected = [dataclasses.replace(part, p_value=min(1.0, part.p_value * n_looked_at)) for part in found]
    return sorted(corrected, key=lambda part: part.p_value)


def _cut(axis: Axis, trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The trials by their values of one parameter, in few parts, with what each part is called."""
    if axis.choices:
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for trial in trials:
            groups.setdefault(str(trial["params"][axis.name]), []).append(trial)
        return list(groups.items()) if 1 < len(groups) <= MOST_CHOICES else []
    values = [float(trial["params"][axis.name]) for trial in trials]
    low, high = min(values), max(values)
    if low == high:
        return []
    scale = math.log if axis.is_log and low > 0 else float
    step = (scale(high) - scale(low)) / N_PARTS
    parts: list[list[Mapping[str, Any]]] = [[] for _ in range(N_PARTS)]
    for trial, value in zip(trials, values, strict=True):
        parts[min(int((scale(value) - scale(low)) / step), N_PARTS - 1)].append(trial)
    back = math.exp if scale is math.log else float
    ends = [back(scale(low) + step * i) for i in range(N_PARTS + 1)]
    return [(f"{ends[i]:.3g} to {ends[i + 1]:.3g}", part) for i, part in enumerate(parts) if part]


def _part(name: str, words: str, members: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]]) -> Part:
    n_failed, n = sum(trial["state"] == "failed" for trial in members), len(members)
    n_all_failed = sum(trial["state"] == "failed" for trial in trials)
    n_failed_else, n_else = n_all_failed - n_failed, len(trials) - n
    p_value = 1.0
    if n_else:
        found = fisher_exact([[n_failed, n - n_failed], [n_failed_else, n_else - n_failed_else]], "greater")
        p_value = float(found.pvalue)
    return Part(
        name=name,
        values=words,
        n_failed=n_failed,
        n=n,
        n_failed_else=n_failed_else,
        n_else=n_else,
        p_value=p_value,
    )


def _parameter_table(parts: Sequence[Part]) -> Table:
    rows = tuple(
        (
            part.name,
            part.values,
            f"{part.n_failed} of {part.n} ({percent(part.n_failed / part.n)})",
            f"{part.n_failed_else} of {part.n_else}",
            f"{part.p_value:.2g}",
        )
        for part in parts
    )
    head = ("parameter", "values", "failed with these", "failed with others", "p")
    return Table(caption="The values of each parameter with which most trials failed", head=head, rows=rows)


def _cause(parts: Sequence[Part]) -> str:
    """What the failures may come from, if that can be told."""
    told = [part for part in parts if part.p_value <= SIGNIFICANT]
    if not told:
        return "No parameter can be told to be the cause." if parts else ""
    first = told[0]
    others = f"; also {', '.join(f'{part.name} {part.values}' for part in told[1:])}" if told[1:] else ""
    return (
        f"They go with {first.name} {number(first.values)}: {first.n_failed} of {first.n} failed there, "
        f"{first.n_failed_else} of {first.n_else} elsewhere{others}. p is that of Fisher's exact test, times the "
        "number of parts looked at."
    )

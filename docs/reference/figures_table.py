"""The tables of figures: what was measured, beside the goal that was set before; made from `benchmarks/results`.

Which rows there are, and their goals, is in `goals.toml`. Nothing measured is written by hand.
"""

import dataclasses
import json
import re
import statistics
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
GOALS = Path(__file__).with_name("goals.toml")
MARKERS = ("<!-- figures: made by docs/reference/make_reference.py -->", "<!-- end of figures -->")
HEAD = "| what | goal | measured | spread | machine (two cores) | how |\n| --- | --- | --- | --- | --- | --- |"

Verdict = Literal["met", "missed", "not measured", "not judged", ""]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the tables, as `goals.toml` has it; what its fields mean is said there."""

    group: str
    claim: str
    result: str
    value: Sequence[str]
    shown: str
    headline: bool = False
    script: str = ""
    statistic: Literal["median", "min", "max"] = "median"
    times: float = 1.0
    of: str = "seeds"
    at_least: float | None = None
    at_most: float | None = None
    timing: bool = False
    idle: bool | None = None
    judged: bool = True
    told: Literal["", "met", "missed"] = ""
    note: str = ""

    @property
    def goal(self) -> str:
        """The goal in words; empty where none was set."""
        ends = [self.shown.format(end) for end in (self.at_least, self.at_most) if end is not None]
        if len(ends) == 2:
            return " to ".join(ends)
        return f"at {'least' if self.at_most is None else 'most'} {ends[0]}" if ends else ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """What one result file says of a row: its numbers in the units shown, where it was measured, and the file."""

    numbers: Sequence[float]
    machine: str
    file: Path


def rows() -> list[Row]:
    """The rows of `goals.toml`."""
    return [Row(**row) for row in tomllib.loads(GOALS.read_text(encoding="utf-8"))["row"]]


def result_files(name: str) -> list[Path]:
    """The result files of that name, one for each hardware."""
    return sorted(path for path in RESULTS.glob("*.json") if re.fullmatch(rf"{name}_\d+cores_.*", path.stem))


def measured(row: Row) -> list[Measured]:
    """What was measured of a row, one entry a hardware."""
    found = []
    for path in result_files(row.result):
        document = json.loads(path.read_text(encoding="utf-8"))
        numbers = [row.times * number for number in _numbers(document["figures"], row.value)]
        found.append(Measured(numbers=numbers, machine=_machine(row, document), file=path))
    return found


def _numbers(node: Any, way: Sequence[str]) -> list[float]:
    """All numbers at the end of the way; what was never reached (null) is 0."""
    if way and way[0] == "*":
        inner: Iterable[Any] = node.values() if isinstance(node, dict) else node
        return [number for item in inner for number in _numbers(item, way[1:])]
    if way:
        return _numbers(node[way[0]], way[1:])
    if isinstance(node, dict):
        return _numbers(node["values"], ())
    if isinstance(node, list):
        return [number for item in node for number in _numbers(item, ())]
    return [float(node or 0)]


def _machine(row: Row, document: dict[str, Any]) -> str:
    name = document["hardware"]["processor"].replace("(R)", "").replace("Processor", "").strip()
    idle = row.idle if row.idle is not None else document["figures"].get("machine_idle")
    state = {True: "idle", False: "other work beside", None: "not recorded whether idle"}[idle]
    return f"{name}, {state}" if row.timing else name


def value_of(row: Row, numbers: Sequence[float]) -> float:
    """The one number that is judged."""
    return {"median": statistics.median, "min": min, "max": max}[row.statistic](numbers)


def verdict(row: Row, numbers: Sequence[float]) -> Verdict:
    """How the numbers stand to the goal; empty where none was set."""
    if not row.goal:
        return ""
    if not numbers:
        return row.told or "not measured"
    if not row.judged:
        return "not judged"
    value = value_of(row, numbers)
    low = float("-inf") if row.at_least is None else row.at_least
    high = float("inf") if row.at_most is None else row.at_most
    return "met" if low <= value <= high else "missed"


def table(shown: Sequence[Row], up: str) -> str:
    """The rows as a Markdown table; `up` leads from the page to the repository's root."""
    return "\n".join([HEAD, *(_line(row, up) for row in shown)])


def _line(row: Row, up: str) -> str:
    found = measured(row)
    script = row.script or f"{row.result}.py"
    has_script = (ROOT / "benchmarks" / script).exists()
    links = [f"[script]({up}benchmarks/{script})"] if has_script else []
    links += [f"[result]({up}{one.file.relative_to(ROOT).as_posix()})" for one in found]
    claim = row.claim + (f" ({row.note})" if row.note else "")
    if row.told:
        cells = [claim, row.goal, f"**{row.told}**", "", "", f"[lab notes]({up}docs/lab-notes.md)"]
    elif not found:
        cells = [claim, row.goal, "not measured", "", "", " ".join(links)]
    else:
        cells = [
            claim,
            row.goal,
            "<br>".join(_judged(row, one.numbers) for one in found),
            "<br>".join(_spread(row, one.numbers) for one in found),
            "<br>".join(one.machine for one in found),
            " ".join(links),
        ]
    return "| " + " | ".join(cells) + " |"


def _judged(row: Row, numbers: Sequence[float]) -> str:
    text, found = row.shown.format(value_of(row, numbers)), verdict(row, numbers)
    return f"**{text}, missed**" if found == "missed" else ", ".join(part for part in (text, found) if part)


def _spread(row: Row, numbers: Sequence[float]) -> str:
    if len(numbers) == 1:
        return "1 seed" if row.of == "seeds" else row.of
    low, high = row.shown.format(min(numbers)), row.shown.format(max(numbers))
    unit = low[len(low.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/% ")) :]
    return f"{low.removesuffix(unit)} to {high}, {len(numbers)} {row.of}"


def counted(shown: Sequence[Row]) -> str:
    """A sentence: how many goals were met, on the machine that did best."""
    kinds = [_best([verdict(row, one.numbers) for one in measured(row)] or [verdict(row, ())]) for row in shown]
    kinds = [kind for kind in kinds if kind]
    met, missed, open_ = (kinds.count(kind) for kind in ("met", "missed", "not measured"))
    unjudged = len(kinds) - met - missed - open_
    return (
        f"Of {len(kinds)} goals that were set beforehand, {met} are met on at least one machine, {missed} are missed, "
        f"{open_} {'is' if open_ == 1 else 'are'} not measured and {unjudged} cannot be judged by what was measured."
    )


def _best(verdicts: Sequence[Verdict]) -> Verdict:
    kinds: tuple[Verdict, ...] = ("met", "missed", "not judged", "not measured")
    return next((kind for kind in kinds if kind in verdicts), "")


def placed(readme: str) -> str:
    """The README with the table of today between its markers."""
    before, rest = readme.split(MARKERS[0])
    _, after = rest.split(MARKERS[1])
    all_rows = rows()
    shown = table([row for row in all_rows if row.headline], "")
    return f"{before}{MARKERS[0]}\n\n{shown}\n\n{counted(all_rows)}\n{MARKERS[1]}{after}"


def page() -> str:
    """All rows, and the results that no row shows."""
    all_rows = rows()
    parts = [
        "# Figures\n",
        "Made from [benchmarks/results](../../benchmarks/results) and [goals.toml](goals.toml) by "
        "`docs/reference/make_reference.py`. A goal stands here only where one was set before anything was measured. "
        "The spread is from the smallest to the largest number; where several numbers are judged by their largest or "
        "smallest, that is the number shown. CIFAR-10 is its copy as JPEG files.\n",
        counted(all_rows) + "\n",
    ]
    for group in dict.fromkeys(row.group for row in all_rows):
        parts.append(f"## {group}\n\n{table([row for row in all_rows if row.group == group], '../../')}\n")
    used = {path for row in all_rows for path in result_files(row.result)}
    others = [path for path in sorted(RESULTS.glob("*.json")) if path not in used]
    parts.append("## Other results\n\nMeasured without a goal, or a step on the way to one:\n")
    parts.append("\n".join(f"- [{path.stem}](../../benchmarks/results/{path.name})" for path in others) + "\n")
    return "\n".join(parts)

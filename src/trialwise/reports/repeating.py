"""What it takes to do a run again: command, seed, versions, commits, data, every setting."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from trialwise.base.runs import RunFolder
from trialwise.reports.parts import Chapter, Table
from trialwise.tuning.study_comparison import flat_values

N_LETTERS = 200  # of a setting


def repeat_facts(run: RunFolder) -> tuple[tuple[str, str], ...]:
    """Names and values for the end of a section."""
    record = run.record
    machine, commits = record.get("machine") or {}, record.get("commits") or {}
    rows = {
        "command": shlex.join(record["command"]) if record.get("command") else "",
        "seed": str(run.seed),
        "run folder": str(run.path),
        "started": str(record.get("started", "")),
        "ended": str(record.get("ended") or ""),
        "versions": ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        "commit": ", ".join(f"{commit} of {place}" for place, commit in commits.items()),
        "machine": ", ".join(f"{value}" for value in (machine.get("processor"), _cores(machine)) if value),
        "data": "; ".join(f"{name} sha256 {digest}" for name, digest in data_hashes(run).items()),
    }
    return tuple((name, value) for name, value in rows.items() if value)


def _cores(machine: Mapping[str, Any]) -> str:
    return f"{machine['cores']} cores" if machine.get("cores") else ""


def data_hashes(run: RunFolder) -> dict[str, str]:
    """The SHA-256 of what was read: of images, of each file of prices, of the file of a function."""
    settings = run.settings
    found = {}
    if settings.get("content_sha256"):
        found[str(settings.get("data", "images"))] = settings["content_sha256"]
    if settings.get("sha256"):
        found[str(settings.get("csv") or "the embedded AAPL")] = settings["sha256"]
    found |= {str(one["csv"]): one["sha256"] for one in settings.get("companions") or ()}
    code = settings.get("code")
    return found | ({str(code["file"]): code["sha256"]} if code else {})


def settings_chapter(run: RunFolder) -> Chapter:
    """Every setting of the run, those that were left open as they were filled in."""
    rows = tuple((name, setting_text(value)) for name, value in flat_values(run.settings).items())
    table = Table(caption="Settings, as resolved", head=("setting", "value"), rows=rows)
    return Chapter(heading="Every setting", tables=(table,) if rows else ())


def setting_text(value: Any) -> str:
    """A setting as people read it."""
    if value is None:
        return "not set"
    if isinstance(value, str):
        text = value
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= N_LETTERS else text[: N_LETTERS - 1] + "…"

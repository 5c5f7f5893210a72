"""What a result depends on beside its settings: the machine, and the commits of the code."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).absolute().parents[3]  # of trialwise, where it is run from one
_GIT_SECONDS = 2.0


def machine() -> dict[str, Any]:
    """The processor's name and the number of its cores."""
    return {"processor": _processor(), "cores": os.cpu_count()}


def commits() -> dict[str, str]:
    """The commits of the checkouts that code comes from: trialwise's, and that of the current folder.

    A commit ends in "-dirty" where tracked files were changed since. What is no checkout, or where git is missing, is
    left out.
    """
    found = {}
    if (_CHECKOUT / ".git").exists() and (_CHECKOUT / "src" / "trialwise").is_dir():
        found["trialwise"] = commit_of(_CHECKOUT)
    here = next((folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / ".git").exists()), None)
    if here is not None and here != _CHECKOUT:
        found["the current folder"] = commit_of(here)
    return {name: commit for name, commit in found.items() if commit}


def commit_of(checkout: Path) -> str | None:
    """The commit that is checked out in a folder; None where that cannot be told."""
    # Without its file monitor, which a checkout could name a program for.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(checkout), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            [*command, "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

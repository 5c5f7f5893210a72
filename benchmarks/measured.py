"""What every benchmark writes: figures with the hardware, versions and commit they were measured on."""

import json
import re
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trialwise.base.provenance import machine
from trialwise.base.runs import versions
from trialwise.training.device import usable_cores

RESULTS = Path(__file__).parent / "results"


def spread(values: list[float]) -> dict[str, Any]:
    """Median, smallest and largest of the values, and the values."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def write(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures to `results/NAME_HARDWARE_YEARMONTH.json` and print them."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    document = {
        "figures": figures,
        "hardware": {"processor": machine()["processor"], "cores": usable_cores()},
        "versions": versions(),
        "commit": commit.stdout.strip() or None,
        "date": datetime.now(UTC).date().isoformat(),
    }
    path = results_file(name)
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(document, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
    return path


def results_file(name: str) -> Path:
    """Where `write` puts the figures of that name, measured on this processor and this month."""
    words = re.findall(r"[a-z]+", machine()["processor"].lower().replace("(r)", ""))
    kind = "-".join(word for word in words if word != "processor")
    return RESULTS / f"{name}_{usable_cores()}cores_{kind}_{datetime.now(UTC):%Y%m}.json"

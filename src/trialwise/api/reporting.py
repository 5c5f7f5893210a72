"""Make a report again, from run folders alone, and from the databases of unfinished studies where they answer."""

from collections.abc import Sequence
from pathlib import Path

from trialwise.api.runs import write_page
from trialwise.api.study_places import copy_trials
from trialwise.base.runs import RunFolder


def report(runs: Sequence[RunFolder | Path | str], *, out: Path | None = None, title: str | None = None) -> Path:
    """Write one self-contained HTML page on one or more runs, from their folders alone.

    Several runs of one kind are compared first: what differs between them, and what each found. Of a study in a
    database that has not ended, the trials are copied into its run folder where the database can be reached.

    Args:
        runs: Run folders, or their names in the runs folder.
        out: The file to write; by default `report.html` in the first run folder.
        title: The page's heading.

    Returns:
        The file that was written.

    Raises:
        UserError: One of them is not a run folder.
    """
    opened = [run if isinstance(run, RunFolder) else RunFolder.open(run) for run in runs]
    for run in opened:
        copy_trials(run)
    return write_page(opened, out=out, title=title)

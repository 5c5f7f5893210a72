"""Compare trained image classifiers on the test rows that each was measured on.

Shapes: N rows.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialwise.api.images.evaluation import open_classifier
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.images.predictions import TEST_FILE, TestPredictions, load_test, matching_rows
from trialwise.reports.verdicts import comparison_sentence, seeds_sentence
from trialwise.statistics.comparisons import compare_accuracies
from trialwise.tuning.study_comparison import differences, work_asked_for

SCHEMA = "trialwise.image-compare/1"


def compare(runs: Sequence[RunFolder | Path | str]) -> dict[str, Any]:
    """Whether two classifiers really differ, or how far one training differs from seed to seed.

    Nothing is read but what `evaluate` has left in the run folders. Comparing is for reporting: who chooses the better
    of two by their test rows needs new rows to say how good the choice is.

    Args:
        runs: Two runs of `train` or `tune` that `evaluate` has measured on the same test rows; or more, that differ
            in nothing but the seed.

    Returns:
        For two: "runs" with "run", "accuracy", "times_opened"; "plain" with "difference" (the second's accuracy less
        the first's), its 95 % "interval", "p_value" (McNemar's exact test), "both_right", "only_first", "only_second",
        "both_wrong" and "n"; "tta" the same where both were measured so, else None. For more: "mean", "sd", "min",
        "max" of the plain accuracy. A "verdict" for people in either case.

    Raises:
        UserError: A run was not evaluated, the test rows are not the same, or more than two runs differ in more than
            the seed.
    """
    if len(runs) < 2:
        raise UserError(f"expected two runs to compare, got {len(runs)}")
    opened = [open_classifier(run) for run in runs]
    found = [_measured(run) for run in opened]
    document: dict[str, Any] = {"schema": SCHEMA, "runs": [_row(run) for run in opened]}
    if len(runs) > 2:
        return document | _over_seeds(opened)
    order_N = _same_rows(opened, found)
    first, second = found
    labels_N = first.labels_N
    document["plain"] = _paired(first.plain_N == labels_N, second.plain_N[order_N] == labels_N)
    document["tta"] = None
    if first.tta_N is not None and second.tta_N is not None:
        document["tta"] = _paired(first.tta_N == labels_N, second.tta_N[order_N] == labels_N)
    document["verdict"] = comparison_sentence(opened[0].label, opened[1].label, document["plain"])
    return document


def _measured(run: RunFolder) -> TestPredictions:
    found = load_test(run.path)
    if found is None or not run.record.get("evaluation"):
        raise UserError(
            f"{run.label} has not been measured on its test images, or by an older version (no {TEST_FILE})",
            hint=f"trialwise image evaluate {run.label}",
        )
    return found


def _row(run: RunFolder) -> dict[str, Any]:
    evaluation = run.record["evaluation"]
    return {
        "run": run.label,
        "seed": run.seed,
        "accuracy": evaluation["test"]["accuracy"],
        "ci95": evaluation["test"]["ci95"],
        "accuracy_tta": evaluation["test"].get("accuracy_tta"),
        "times_opened": evaluation["times_opened"],
    }


def _same_rows(runs: Sequence[RunFolder], found: Sequence[TestPredictions]) -> NDArray[np.int64]:
    """Where each row of the first lies in the second: the same pixels, and of copies the same one."""
    first, second = found
    hint = "evaluate both on the same data; pixels differ too where --image-size does"
    if runs[0].record["evaluation"]["test"]["classes"] != runs[1].record["evaluation"]["test"]["classes"]:
        raise UserError(f"{runs[0].label} and {runs[1].label} know different classes", hint=hint)
    place_N = matching_rows(first, second)
    if place_N is None:
        seen = [{row.tobytes() for row in each.digests_N8} for each in found]
        raise UserError(
            f"{runs[0].label} was measured on {len(first.labels_N):,} test images, {runs[1].label} on "
            f"{len(second.labels_N):,}, and they are not the same ones ({len(seen[0] & seen[1]):,} are in both)",
            hint=hint,
        )
    return place_N


def _paired(first_N: NDArray[np.bool_], second_N: NDArray[np.bool_]) -> dict[str, Any]:
    return dataclasses.asdict(compare_accuracies(first_N, second_N))


def _over_seeds(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """Mean and spread of the plain accuracy over runs that differ in the seed alone."""
    for run in runs[1:]:
        differing = differences([work_asked_for(one.settings) for one in (runs[0], run)])
        if differing or run.kind != runs[0].kind:
            what = ", ".join(differing) if run.kind == runs[0].kind else "the command"
            raise UserError(
                f"{run.label} and {runs[0].label} differ in more than the seed: {what}",
                hint="more than two runs are compared for their spread over seeds alone; give two runs otherwise",
            )
    if len({run.seed for run in runs}) < len(runs):
        raise UserError("two of the runs have the same seed: they say nothing of the spread over seeds")
    accuracies = np.array([run.record["evaluation"]["test"]["accuracy"] for run in runs])
    spread: dict[str, Any] = {
        "n_runs": len(runs),
        "mean": float(accuracies.mean()),
        "sd": float(accuracies.std(ddof=1)),
        "min": float(accuracies.min()),
        "max": float(accuracies.max()),
    }
    return spread | {"verdict": seeds_sentence(spread)}

"""What a study found, as plain JSON values."""

from typing import Any

from trialwise.api.confirming import folder_name
from trialwise.api.tunable import Tunable
from trialwise.base.errors import WorkError
from trialwise.base.runs import RunFolder
from trialwise.tuning.belief import Belief
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.winner import counts, importances


def record_of(records: list[TrialRecord], number: int) -> TrialRecord:
    """The record of trial `number`."""
    return next(record for record in records if record.number == number)


def study_document(records: list[TrialRecord], tuned: Tunable, belief: Belief) -> dict[str, Any]:
    """What a study found, as plain JSON values; the best is the one that is named, see `Belief`."""
    best = None if belief.named is None else record_of(records, belief.named)
    shares = importances(records, tuned.space, tuned.direction)
    has_default = tuned.default is not None and bool(records)
    return {
        "direction": tuned.direction,
        "n_trials": len(records),
        "counts": counts(records),
        "best_value": best.value if best else None,
        "best_params": best.params if best else None,
        "best_trial": best.number if best else None,
        "best": _trial_row(best) if best else None,
        "model": folder_name(belief),
        "default": _trial_row(records[0]) if has_default else None,
        **belief.to_document(),
        "importances": shares.to_document() if shares else None,
        "trials": [_trial_row(record) for record in records],
    }


def _trial_row(record: TrialRecord) -> dict[str, Any]:
    row = {"number": record.number, "state": record.state, "params": record.params, "value": record.value}
    return row | ({"reason": record.notes["reason"]} if "reason" in record.notes else {})


def nothing_found(run: RunFolder, records: list[TrialRecord]) -> WorkError:
    """The error of a study none of whose trials gave a value."""
    reasons = sorted({str(record.notes.get("reason")) for record in records})
    return WorkError(
        f"none of {len(records)} trials gave a value: {reasons[0]}" + (" (and others)" if len(reasons) > 1 else ""),
        hint=f"every trial and its reason: {run.label}/report.html",
    )

"""The part of a study's report that says what its winner is worth."""

from collections.abc import Mapping
from typing import Any

from trialwise.reports.parts import Chapter, Table
from trialwise.reports.study_words import DEFAULT, gain_words, unit_of


def worth(result: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """What was run again, and what the best score is without its luck; nothing where neither is known."""
    confirmed, corrected = result.get("confirmed"), result.get("corrected")
    if not confirmed and not corrected:
        return ()
    sentences = [f"{words}." if (words := gain_words(result, unit_of(result))) else ""]
    if corrected:
        sentences.append(_corrected_words(result, corrected))
    if confirmed and result.get("gain_standard_error") is not None and result.get("gain_p_value") is not None:
        sentences.append(_error_words(result))
    return (
        Chapter(
            heading="What the winner is worth",
            sentences=tuple(sentence for sentence in sentences if sentence),
            tables=_again(result, confirmed) if confirmed else (),
        ),
    )


def _error_words(result: Mapping[str, Any]) -> str:
    """What the standard error and the p value count, and what they do not."""
    p = f"p = {result['gain_p_value']:.2g} that nothing is gained"
    if result.get("gain_error_of") == "seeds":
        return (
            f"± is one standard error, of new seeds alone; {p} but luck with the seeds, with the choice among those "
            "run again paid for. All trials were chosen on the same validation rows, and luck with these is not in it: "
            "the objective would have to keep them (trial.keep_rows)."
        )
    return (
        f"± is one standard error, of new seeds and new rows together; {p}, with the choice among all trials paid for."
    )


def _corrected_words(result: Mapping[str, Any], corrected: Mapping[str, Any]) -> str:
    low, high = corrected["ci95"]
    best = corrected["value"] + (1 if result["direction"] == "maximize" else -1) * result["optimism"]
    return (
        f"The best score of the trials is {best:.4g}. Choosing among {corrected['n_trials']} again and again on "
        f"resampled validation rows ({corrected['n_rows']:,}) and scoring on those left out gives "
        f"{corrected['value']:.4g} (95 % interval {low:.4g} to {high:.4g}): what new rows would show of that model."
    )


def _again(result: Mapping[str, Any], confirmed: Mapping[str, Any]) -> tuple[Table, ...]:
    seen = {trial["number"]: trial["value"] for trial in result["trials"]}
    has_default = bool(result["default"])
    rows = tuple(
        (
            f"{row['trial']}, the default" if has_default and row["trial"] == DEFAULT else str(row["trial"]),
            f"{seen[row['trial']]:.4g}",
            *(f"{value:.4g}" for value in row["values"]),
            f"{row['mean']:.4g}",
        )
        for row in confirmed["trials"]
    )
    seeds = tuple(f"seed {number}" for number in range(1, confirmed["n_seeds"] + 1))
    head = ("trial", "in the study", *seeds, "mean of the fresh seeds")
    return (Table(caption=f"The best again on fresh seeds ({result['score']})", head=head, rows=rows),)

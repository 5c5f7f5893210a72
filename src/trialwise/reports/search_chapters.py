"""Chapters on how a study searched: in order, what mattered, where the good values lie, epoch by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.reports import figures, space_figures, trial_figures
from trialwise.reports.drawing import Picture
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.rungs import Compared, compared
from trialwise.reports.space_figures import Axis, axis_of
from trialwise.reports.verdicts import percent

N_SLICES = 4  # parameters worth a picture each
N_STEADY = 0.8  # share of the resamples in which the first parameter must stay the first to be believed
TOP_SHARE = 0.1  # PED-ANOVA asks what sets the best tenth apart
FEWEST_ON_TOP = 5  # trials in it, by the advice of its authors' implementation


def history_chapter(trials: Sequence[Mapping[str, Any]], direction: str, *, value_name: str) -> tuple[Chapter, ...]:
    """Every trial in order; none where there is none."""
    if not trials:
        return ()
    picture = trial_figures.history(trials, direction, value_name=value_name)
    return (Chapter(heading="How the search went", pictures=(picture,)),)


def importance_chapter(result: Mapping[str, Any]) -> tuple[Chapter, ...]:
    """Which parameters mattered, in how many trials, and whether that can be believed."""
    found = result["importances"]
    if not found:
        return ()
    epochs = found["epochs"] if result["max_epochs"] > 1 else None
    picture = figures.importances(found["shares"], n_trials=found["n_trials"], epochs=epochs)
    return (
        Chapter(
            heading="Which parameters mattered",
            sentences=(importance_sentence(found),),
            tables=_share_table(found),
            pictures=(picture,),
        ),
    )


def importance_sentence(found: Mapping[str, Any]) -> str:
    """How far the order of the importances can be believed."""
    first, n = next(iter(found["shares"])), found["n_trials"]
    n_top = max(1, round(TOP_SHARE * n))
    few = (
        f" What sets the best tenth apart is all that is looked at, here {n_top} of {n} trials; {FEWEST_ON_TOP} would "
        "be wanted: a hint at best."
        if n_top < FEWEST_ON_TOP
        else ""
    )
    if not found.get("n_resamples"):
        return f"{first} comes first among {n} trials. How stable that is was not looked at.{few}"
    again = f"{found['same_first']} of {found['n_resamples']}"
    if found["same_first"] < N_STEADY * found["n_resamples"]:
        return (
            f"Not to be believed: with the trials drawn anew from themselves, {first} came first in {again} draws only."
            f"{few}"
        )
    return f"With the trials drawn anew from themselves, {first} came first in {again} draws.{few}"


def _share_table(found: Mapping[str, Any]) -> tuple[Table, ...]:
    spread = found.get("spread")
    if not spread:
        return ()
    rows = tuple(
        (name, percent(share), f"{percent(spread[name][0])} to {percent(spread[name][1])}")
        for name, share in found["shares"].items()
    )
    head = ("parameter", "share", "in 8 of 10 resamples")
    return (Table(caption="Shares of the importance", head=head, rows=rows),)


def space_chapter(
    result: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    space: Mapping[str, Any],
    *,
    value_name: str,
    true_function: Picture | None = None,
) -> tuple[Chapter, ...]:
    """Where the good values lie: the few parameters that mattered most, one by one, and the first two together.

    Args:
        result: The study's.
        trials: All of its trials, as `trials.json` has them.
        space: What was searched, as the settings have it; {} where that is not on record.
        value_name: What the score is.
        true_function: The contour of the function itself, where it is known.
    """
    found = compared(trials, result["direction"])
    pictures: tuple[Picture, ...] = (true_function,) if true_function else ()
    sentences: tuple[str, ...] = ()
    if found is None:
        sentences = ("Too few trials came equally far to be compared by their parameters.",) if trials else ()
    else:
        axes, sentences = _axes(result, found, space)
        if axes:
            best = result["best_trial"]
            pictures += (space_figures.slices(found, axes, best_number=best, value_name=value_name),)
            if len(axes) > 1 and true_function is None:
                pair = space_figures.pairs(found, axes[0], axes[1], best_number=best, value_name=value_name)
                pictures += (pair,)
    if not pictures and not sentences:
        return ()
    return (Chapter(heading="Where the good values lie", sentences=sentences, pictures=pictures),)


def _axes(
    result: Mapping[str, Any], found: Compared, space: Mapping[str, Any]
) -> tuple[tuple[Axis, ...], tuple[str, ...]]:
    """The parameters to draw, the most important first, and what is not drawn in words."""
    importances = result.get("importances")
    known = list(importances["shares"]) if importances else []
    moved = [
        name
        for name in dict.fromkeys([*known, *(name for trial in found.trials for name in trial["params"])])
        if len({str(trial["params"][name]) for trial in found.trials if name in trial["params"]}) > 1
    ]
    axes = tuple(axis_of(name, found.trials, space) for name in moved[:N_SLICES])
    rest = moved[N_SLICES:]
    return axes, (f"Not drawn, for they mattered less: {', '.join(rest)}.",) if rest else ()


def curve_chapter(
    result: Mapping[str, Any],
    trials: Sequence[Mapping[str, Any]],
    learning: tuple[Picture, ...],
    *,
    value_name: str,
) -> tuple[Chapter, ...]:
    """The curves of the trials, and the winner's own; none where a trial is one number."""
    pictures = learning
    if trials and result["max_epochs"] > 1:
        best, default = result["best_trial"], (result.get("default") or {}).get("number")
        drawn = trial_figures.trial_curves(trials, best, default, result["direction"], value_name=value_name)
        pictures = (drawn, *learning)
    return (Chapter(heading="Epoch by epoch", pictures=pictures),) if pictures else ()

"""What a run found, in one plain sentence that claims no more than was measured."""

from collections.abc import Callable, Mapping
from typing import Any

from trialwise.reports.study_words import (
    SIGNIFICANT,
    chance_words,
    default_on_test_words,
    gain_words,
    unit_of,
)


def verdict(kind: str, result: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> str:
    """The sentence for a run's result.

    Args:
        kind: The run's kind, e.g. "image-train".
        result: The run's result.
        evaluation: What `image evaluate` found on the test rows, where it was run.
    """
    return _SENTENCES[kind](result, evaluation)


def percent(share: float) -> str:
    """A share (0 to 1) in percent with one decimal."""
    return f"{100 * share:.1f} %"


def counted(counts: Mapping[str, int]) -> str:
    """The number of trials in each state that any are in."""
    return ", ".join(f"{n} {state}" for state, n in counts.items() if n)


def number(value: Any) -> str:
    """A number to five digits; anything else as it is."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def explanation_sentence(document: Mapping[str, Any]) -> str:
    """What `image explain` found, in a sentence."""
    images = document["images"] if document["n"] > 1 else document["images"].replace("images", "image", 1)
    if not document["n_labelled"]:
        known = "whose classes are" if document["n"] > 1 else "whose class is"
        return f"Explained on {document['n']:,} {images}, {known} not known."
    n_wrong = document["n_wrong"]
    wrong = f"{n_wrong:,}" if n_wrong else "none"
    are = "are" if n_wrong > 1 else "is"
    sentence = f"Of {document['n_labelled']:,} {images}, {wrong} {are} classified wrongly"
    if not document["pairs"]:
        return f"{sentence}."
    pair = document["pairs"][0]
    return (
        f"{sentence}; most often {pair['true']} is taken for {pair['predicted']} ({pair['n']:,} of {pair['n_true']:,})."
    )


def _optimize_sentence(result: Mapping[str, Any], _: Any) -> str:
    if result["best_value"] is None:
        return f"None of {result['n_trials']} trials of {result['function']} gave a value."
    point = ", ".join(f"{name} = {number(value)}" for name, value in result["best_params"].items())
    known = f" (the true minimum is {number(result['known_minimum'])})" if "known_minimum" in result else ""
    trials = f"{result['n_trials']} trial" + ("s" if result["n_trials"] > 1 else "")
    best = number(result["best_value"])
    return f"The lowest value of {result['function']} in {trials} is {best} at {point}{known}."


def _train_sentence(result: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> str:
    data = result["data"]
    if not result["epochs"]:
        return f"The training on {data['name']} was stopped before its first epoch was done."
    sentence = (
        f"A network of {result['n_params']:,} parameters gets {percent(result['valid']['accuracy'])} of "
        f"{result['valid']['n']:,} validation images of {data['name']} right "
        f"(95 % interval {percent(result['valid']['ci95'][0])} to {percent(result['valid']['ci95'][1])})"
    )
    return f"{sentence}{_test_words(evaluation)}."


def _tune_sentence(result: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> str:
    best, tried = result["best"], _tried(result, result["data"]["name"])
    if best is None:
        return f"No trial is complete yet: {tried}."

    def right(share: float) -> str:
        return f"{percent(share)} of the validation images right"

    words = f"{_gain(result)}The winner of {tried} is {_winner(result, right)}"
    if evaluation:
        words += _test_words(evaluation) + default_on_test_words(evaluation)
    else:
        words += "; the test images were not read yet"
    return f"{words}.{chance_words(result)}"


def _gain(result: Mapping[str, Any]) -> str:
    words = gain_words(result, unit_of(result))
    return f"{words}. " if words else ""


def _winner(result: Mapping[str, Any], written: Callable[[float], str]) -> str:
    """The named trial and its score: the mean over fresh seeds where it was run again."""
    best, confirmed = result["best"], result.get("confirmed")
    name = "the untuned default" if best["number"] == 0 and result["default"] else f"trial {best['number']}"
    again = [row["mean"] for row in confirmed["trials"] if row["trial"] == best["number"]] if confirmed else []
    if confirmed and again:
        return f"{name} with {written(again[0])} on average over {confirmed['n_seeds']} fresh seeds"
    return f"{name} with {written(best['value'])}"


def _tried(result: Mapping[str, Any], name: str) -> str:
    counts = result["counts"]
    others = [f"{counts[state]} {state}" for state in ("pruned", "paused", "failed") if counts[state]]
    return f"{result['n_trials']} trials on {name}" + (f" ({', '.join(others)})" if others else "")


def _own_tune_sentence(result: Mapping[str, Any], _: Any) -> str:
    tried = _tried(result, result["objective"])
    if result["best"] is None:
        return f"No trial is complete yet: {tried}."
    words = f"{_gain(result)}The winner of {tried} is {_winner(result, number)}"
    if result.get("gain") is None and result.get("optimism") is None and not result.get("confirmed"):
        words += "; the best of many is partly luck"
    return f"{words}.{chance_words(result)}"


def _price_tune_sentence(result: Mapping[str, Any], _: Any) -> str:
    tried = _tried(result, result["name"])
    if result["best"] is None:
        return f"No trial is complete yet: {tried}."
    winner = _winner(result, "{:.4f} x naive's validation loss".format)
    return (
        f"{_gain(result)}The winner of {tried} is {winner}; the test days are unread, and price backtest "
        f"counts all tried.{chance_words(result).replace('chance', 'the naive forecast')}"
    )


def _test_words(evaluation: Mapping[str, Any] | None) -> str:
    if not evaluation:
        return "; the test images were not read yet"
    test = evaluation["test"]
    low, high = test["ci95"]
    words = f"; {percent(test['accuracy'])} of {test['n']:,} test images of {evaluation['data']['name']}"
    words += f" (95 % interval {percent(low)} to {percent(high)})"
    if "accuracy_tta" in test:
        words += f", {percent(test['accuracy_tta'])} when averaged over moved and mirrored views"
    return words


def _ablate_sentence(result: Mapping[str, Any], _: Any) -> str:
    base = result["base"]["mean"]
    if base is None:
        return f"No training on {result['data']['name']} was done before it was stopped."
    sure = [row for row in result["effects"] if row["ci95"] and (row["ci95"][0] > 0 or row["ci95"][1] < 0)]
    told = ", ".join(f"{row['name']} {100 * row['effect']:+.1f} points" for row in sure)
    rest = len(result["effects"]) - len(sure)
    seeds = f"{result['n_seeds']} seed" + ("s" if result["n_seeds"] > 1 else "")
    return (
        f"With everything, {percent(base)} of the validation images of {result['data']['name']} are right "
        f"(mean of {seeds}); "
        + (f"what an ingredient adds: {told}" if told else "no ingredient's worth can be told from the spread of seeds")
        + (f"; {rest} others cannot be told from none." if told and rest else ".")
    )


def evaluation_lines(test: Mapping[str, Any]) -> list[str]:
    """What to know beside the plain accuracy, a line each, in the order of the report."""
    lines = []
    duplicates, calibration = test["near_duplicates"], test["calibration"]
    if duplicates and duplicates["n"]:
        others = duplicates["without"]
        right = f": {percent(others['accuracy'])} of the others are right" if others["n"] else ""
        lines.append(f"near-duplicates: {duplicates['n']:,} test images are training images too, or nearly{right}")
    before, after = (100 * calibration[name]["ece"] for name in ("before", "after"))
    lines.append(
        f"calibration: confidence is off by {before:.1f} points, by {after:.1f} with the temperature "
        f"{calibration['temperature']:.2f}"
    )
    if test["confused_pairs"]:
        worst = test["confused_pairs"][0]
        times = "once" if worst["n"] == 1 else f"{worst['n']:,} times"
        lines.append(f"most confused: {worst['true']} taken for {worst['predicted']}, {times}")
    doubted, wrong = (sum(found[name] for found in test["label_errors"].values()) for name in ("n", "n_wrong"))
    if doubted:
        lines.append(
            f"labels in doubt: {doubted:,} of the {wrong:,} images it gets wrong; the report shows the likeliest"
        )
    if "robustness" in test:
        found = test["robustness"]
        worst = min(found["corruptions"], key=lambda name: found["corruptions"][name]["mean"])
        lowest = percent(found["corruptions"][worst]["mean"])
        lines.append(f"corrupted images: {percent(found['mean'])} on average, {lowest} under {worst}, the worst")
    return lines


def comparison_sentence(first: str, second: str, found: Mapping[str, Any], *, images: str = "test") -> str:
    """Which of two classifiers is better on the same rows, if that can be told.

    Args:
        first: What people call the first run.
        second: And the second.
        found: The fields of a `PairedAccuracies`, JSON or not.
        images: Which images the rows are, "test" or "validation".
    """
    low, high = found["interval"]
    p_value = found["p_value"]
    p = "McNemar p < 0.0001" if p_value < 0.0001 else f"McNemar p = {p_value:.3g}"
    # On the verge the exact test and the interval may disagree; then nothing is claimed.
    is_told = p_value < SIGNIFICANT and (low > 0) == (high > 0)
    if is_told:
        better, sign = (second, 1) if found["difference"] > 0 else (first, -1)
        points = f"{100 * abs(found['difference']):.2f}"
        ends = sorted(100 * sign * end for end in (low, high))
        return (
            f"{better} is better by {points} points on {found['n']:,} {images} images "
            f"(95 % interval {ends[0]:.2f} to {ends[1]:.2f}, {p})."
        )
    return (
        f"No difference can be told between {first} and {second} on {found['n']:,} {images} images: "
        f"{100 * found['difference']:+.2f} points (95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {p})."
    )


def seeds_sentence(found: Mapping[str, Any]) -> str:
    """How far the same training differs from seed to seed."""
    return (
        f"{found['n_runs']} runs that differ in the seed alone: {percent(found['mean'])} on average, "
        f"standard deviation {100 * found['sd']:.2f} points, {percent(found['min'])} to {percent(found['max'])}."
    )


def _own_sentence(result: Mapping[str, Any], _: Any) -> str:
    return result["verdict"]


_SENTENCES: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    "optimize": _optimize_sentence,
    "image-train": _train_sentence,
    "image-ablate": _ablate_sentence,
    "image-tune": _tune_sentence,
    "price-ablate": _own_sentence,
    "price-backtest": _own_sentence,
    "tune": _own_tune_sentence,
    "price-tune": _price_tune_sentence,
}

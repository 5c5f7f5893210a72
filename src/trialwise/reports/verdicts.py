"""What a run found, in one plain sentence that claims no more than was measured."""

from collections.abc import Callable, Mapping
from typing import Any


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
    counts, best = result["counts"], result["best"]
    tried = f"{result['n_trials']} trials on {result['data']['name']}"
    others = [f"{counts[state]} {state}" for state in ("pruned", "paused", "failed") if counts[state]]
    tried += f" ({', '.join(others)})" if others else ""
    if best is None:
        return f"No trial is complete yet: {tried}."
    sentence = f"Best of {tried}: trial {best['number']} with {percent(best['value'])} validation accuracy"
    if result["gain"] is not None:
        gain = 100 * result["gain"]
        sentence += (
            ", which is the untuned default itself"
            if best["number"] == 0
            else f", {gain:.1f} points above the untuned default (part of that is luck: it is the best of many)"
        )
    return f"{sentence}{_test_words(evaluation)}."


def _test_words(evaluation: Mapping[str, Any] | None) -> str:
    if not evaluation:
        return "; the test images were not read yet"
    test = evaluation["test"]
    low, high = test["ci95"]
    words = f"; {percent(test['accuracy'])} of {test['n']:,} test images of {evaluation['data']['name']}"
    words += f" (95 % interval {percent(low)} to {percent(high)})"
    if "accuracy_tta" in test:
        words += f", {percent(test['accuracy_tta'])} when averaged with their mirror images"
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


def _backtest_sentence(result: Mapping[str, Any], _: Any) -> str:
    return result["verdict"]


_SENTENCES: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    "optimize": _optimize_sentence,
    "image-train": _train_sentence,
    "image-ablate": _ablate_sentence,
    "image-tune": _tune_sentence,
    "price-backtest": _backtest_sentence,
}

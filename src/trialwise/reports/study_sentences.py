"""What a study says of how it began and of a second goal, in plain words that claim no more than was measured."""

from collections.abc import Mapping
from typing import Any

from trialwise.reports.verdicts import number, percent

ONE_STUDY = "One study is one draw: what starting from another is worth, several with and without it would tell."


def transfer_sentences(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether starting from an earlier study helped, from `api.from_study.outcome`."""
    groups = found["groups"]
    told = [
        _group_words(origin, groups[origin])
        for origin in ("earlier best", "near the earlier best", "own")
        if origin in groups
    ]
    sentences = [f"It started from {found['study']}. {'; '.join(told)}."] if told else []
    if found["winner"] is not None and told:
        sentences.append(_winner_words(found))
        sentences.append(ONE_STUDY)
    if found["differences"]:
        sentences.append(f"The two studies differ: {'; '.join(found['differences'])}.")
    return tuple(sentences)


def _group_words(origin: str, group: Mapping[str, Any]) -> str:
    numbers, n = group["trials"], len(group["trials"])
    are = {
        "earlier best": "Its best configuration" if n == 1 else f"Its {n} best configurations",
        "near the earlier best": f"the {n} drawn near them" if n > 1 else "the one drawn near them",
        "own": f"the {n} found without it" if n > 1 else "the one found without it",
    }[origin]
    span = f" (trial{'s' if n > 1 else ''} {', '.join(map(str, numbers))})" if n <= 10 else ""
    if group["best_value"] is None:
        return f"{are}{span} were not run to the end" if n > 1 else f"{are}{span} was not run to the end"
    at_best = " at best" if n > 1 else ""
    complete = f", {group['complete']} of them run to the end" if group["complete"] < n else ""
    return f"{are}{span} gave {number(group['best_value'])}{at_best}{complete}"


def _winner_words(found: Mapping[str, Any]) -> str:
    chance = (
        f"drawn by lot, the best one would be among those that came from it with a chance of {percent(found['chance'])}"
    )
    match found["winner"]:
        case "earlier best":
            return f"So they were better than everything found without them ({chance})."
        case "near the earlier best":
            return f"So the best one was found near them ({chance})."
        case "own":
            return "So they were not better than what was found without them: it did not show that it helped."
    return "So nothing was better than the untuned default: it did not show that it helped."


def front_sentences(found: Mapping[str, Any], front: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """What the front shows: its two ends."""
    if not front:
        return (f"No complete trial has a number for {found['name']}.",)
    name, first, last = found["name"], front[0], front[-1]
    if len(front) == 1:
        both = f"{number(first['value'])} with {name} {number(first[name])}"
        return (f"One trial, {first['number']}, is best in both: {both}.",)
    return (
        f"No trial is better in both than one of these {len(front)}. From trial {first['number']} "
        f"({number(first['value'])} with {name} {number(first[name])}) to trial {last['number']} "
        f"({number(last['value'])} with {name} {number(last[name])}): which one is best is for you to say. "
        "Scores are those of validation, so small steps along the front may be luck.",
    )

"""What a study says of how it began and of a second goal, in plain words that claim no more than was measured."""

from collections.abc import Mapping
from typing import Any

from trialwise.reports.verdicts import number, percent

MOST_NAMED = 5
ONE_STUDY = "One study is one draw: what starting from another is worth, several with and without it would tell."


def transfer_sentences(found: Mapping[str, Any]) -> tuple[str, ...]:
    """What came of starting from an earlier study, from `api.from_study.outcome`."""
    told = [_group_words(origin, group) for origin, group in sorted(found["groups"].items(), key=_in_order)]
    sentences = [f"It started from {found['study']}. {'; '.join(told)}."] if told else []
    if found["winner"] is not None and told:
        sentences += [_winner_words(found), ONE_STUDY]
    if found["differences"]:
        sentences.append(f"The two studies differ: {'; '.join(found['differences'])}.")
    return tuple(sentences)


def _in_order(item: tuple[str, Any]) -> int:
    return ("earlier best", "from both", "own").index(item[0])


def _group_words(origin: str, group: Mapping[str, Any]) -> str:
    numbers, n = group["trials"], len(group["trials"])
    who = {
        "earlier best": "Its best configuration" if n == 1 else f"Its {n} best configurations",
        "from both": f"the {n} proposed from the trials of both",
        "own": f"the {n} proposed without it",
    }[origin]
    span = f" (trial{'s' if n > 1 else ''} {', '.join(map(str, numbers))})" if n <= MOST_NAMED else ""
    if group["best_value"] is None:
        return f"{who}{span} did not come to the end"
    complete = f", {group['complete']} of them run to the end" if group["complete"] < n else ""
    return f"{who}{span} gave {number(group['best_value'])}{' at best' if n > 1 else ''}{complete}"


def _winner_words(found: Mapping[str, Any]) -> str:
    chance = percent(found["chance"])
    by_lot = f"drawn by lot, it would be one that the earlier study had a part in with a chance of {chance}"
    match found["winner"]:
        case "earlier best":
            return f"The best trial is one of the earlier study's best configurations ({by_lot})."
        case "from both":
            return f"The best trial was proposed from the trials of both ({by_lot})."
        case "own":
            return "The best trial was proposed without the earlier study: nothing shows that starting from it helped."
    return "Nothing was better than the untuned default: nothing shows that starting from the earlier study helped."


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

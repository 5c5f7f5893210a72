"""Where the good values lie is told from trials that came equally far, and nothing is dropped in silence."""

import math

import pytest

from trialwise.reports.rungs import compared
from trialwise.reports.search_chapters import importance_chapter, space_chapter
from trialwise.reports.space_figures import CELLS, Axis, axis_of, pairs

SPACE = {"rate": {"low": 1e-4, "high": 0.1, "log": True}, "kind": {"choices": ["a", "b", "c"]}}


def trial(number, scores, state="complete", **params):
    return {
        "number": number,
        "state": state,
        "value": None,
        "params": params or {"rate": 0.001 * (number + 1), "kind": "abc"[number % 3], "size": number},
        "scores": {str(epoch): score for epoch, score in scores.items()},
        "notes": {},
    }


def study():
    """Twelve trials: eight reach epoch 3, two are pruned after 1, one fails, one has a score that is no number."""
    long = [trial(n, {1: 1.0, 3: 0.1 * n}) for n in range(8)]
    pruned = [trial(n, {1: 0.01}, "pruned") for n in (8, 9)]
    return [*long, *pruned, trial(10, {}, "failed"), trial(11, {1: math.nan, 3: None}, "failed")]


def test_trials_are_compared_after_equally_many_epochs_with_the_best_last():
    found = compared(study(), "minimize")
    assert found.epochs == 3
    assert [trial["number"] for trial in found.trials] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert [trial["number"] for trial in compared(study(), "maximize").trials] == list(range(8))
    assert found.left_out() == " Not shown: 2 ended or wait before epoch 3 and 2 have no score."
    assert compared(study(), "minimize", epochs=1).left_out() == " Not shown: 2 have no score."
    assert compared(study()[:7], "minimize") is None


def test_of_equal_scores_the_earlier_trial_is_drawn_last():
    equal = [trial(n, {1: 0.5}) for n in range(9)]
    assert [t["number"] for t in compared(equal, "minimize").trials][-1] == 0


def test_the_chapter_names_what_it_leaves_out():
    result = {"direction": "minimize", "best_trial": 0, "importances": None}
    (chapter,) = space_chapter(result, study(), SPACE, value_name="loss")
    assert [picture.name for picture in chapter.pictures] == ["slices", "space"]
    assert "8 trials after 3 epochs each" in chapter.pictures[0].caption
    assert "Not shown: 2 ended or wait before epoch 3 and 2 have no score." in chapter.pictures[0].caption
    assert "the star is the winner" in chapter.pictures[1].caption
    few = space_chapter(result, study()[:3], SPACE, value_name="loss")
    assert few[0].sentences == ("Too few trials came equally far to be compared by their parameters.",)


def test_at_most_four_parameters_are_drawn_the_most_important_ones():
    trials = [trial(n, {1: float(n)}, **{name: n + i for i, name in enumerate("abcdef")}) for n in range(9)]
    shares = {"f": 0.5, "e": 0.2, "d": 0.1, "c": 0.1, "b": 0.05, "a": 0.05}
    result = {"direction": "minimize", "best_trial": 0, "importances": {"shares": shares}}
    (chapter,) = space_chapter(result, trials, {}, value_name="loss")
    assert chapter.sentences == ("Not drawn, for they mattered less: b, a.",)
    assert "by f, e, d, c" in chapter.pictures[0].alt


def test_names_that_look_like_formulas_are_drawn_as_they_are():
    trials = [trial(n, {1: float(n)}, **{"$x$": n, "k_$": ["a$b$", "$\\frac$", "c"][n % 3]}) for n in range(9)]
    (chapter,) = space_chapter({"direction": "minimize", "best_trial": 0}, trials, {}, value_name="$loss$")
    assert "$x$" in chapter.pictures[0].svg
    assert "a$b$" in chapter.pictures[0].svg


def test_a_choice_of_numbers_keeps_the_order_of_its_space():
    axis = axis_of("width", [trial(0, {}, width=0.5)], {"width": {"choices": [1.0, 0.5, 0.75]}})
    assert axis.place(0.5) == 1.0
    assert axis_of("x", [trial(0, {}, x=3)], {}) == Axis(name="x")


def test_lines_of_equal_score_are_drawn_between_many_trials_only():
    trials = [
        trial(n, {1: (n % 7 - 3) ** 2 + (n // 7 - 3) ** 2 + 0.0}, x=n % 7 + 0.01 * n, y=n // 7 + 0.0) for n in range(49)
    ]
    found = compared(trials, "minimize")
    picture = pairs(found, Axis(name="x"), Axis(name="y"), best_number=24, value_name="loss")
    assert "interpolated" in picture.caption
    assert CELLS**2 > 49
    few = compared(trials[:9], "minimize")
    assert "interpolated" not in pairs(few, Axis(name="x"), Axis(name="y"), best_number=0, value_name="loss").caption
    line = compared([trial(n, {1: float(n)}, x=n, y=n) for n in range(30)], "minimize")
    assert "interpolated" not in pairs(line, Axis(name="x"), Axis(name="y"), best_number=0, value_name="loss").caption


@pytest.mark.parametrize(
    ("n_trials", "same_first", "words"),
    [
        (100, 20, "With the trials drawn anew from themselves, rate came first in 20 of 20 draws."),
        (100, 9, "Not to be believed: with the trials drawn anew from themselves, rate came first in 9 of 20 draws"),
        (20, 20, "here 2 of 20 trials; 5 would be wanted: a hint at best."),
    ],
)
def test_importances_say_when_they_are_not_to_be_believed(n_trials, same_first, words):
    found = {
        "shares": {"rate": 0.75, "kind": 0.25},
        "n_trials": n_trials,
        "epochs": 3,
        "spread": {"rate": (0.5, 0.9), "kind": (0.1, 0.5)},
        "same_first": same_first,
        "n_resamples": 20,
    }
    (chapter,) = importance_chapter({"importances": found, "max_epochs": 9})
    assert words in chapter.sentences[0]
    assert chapter.tables[0].rows[0] == ("rate", "75.0 %", "50.0 % to 90.0 %")
    old = {"shares": {"rate": 1.0}, "n_trials": 60, "epochs": 1}
    (chapter,) = importance_chapter({"importances": old, "max_epochs": 1})
    assert "How stable that is was not looked at." in chapter.sentences[0]
    assert chapter.tables == ()
    assert importance_chapter({"importances": None}) == ()

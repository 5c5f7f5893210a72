"""Figures of the trials of a study, few and many."""

import base64
import io
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trialwise.reports import trial_figures

TRIALS = [
    {"number": 0, "state": "complete", "value": 9.0, "params": {}, "scores": {"1": 0.5, "2": 0.6}},
    {"number": 1, "state": "pruned", "value": 4.0, "params": {}, "scores": {"1": 0.2}},
    {"number": 2, "state": "failed", "value": None, "params": {}, "scores": {}},
    {"number": 3, "state": "complete", "value": 1.0, "params": {}, "scores": {"1": 0.5, "2": 0.9}},
]


def many(n):
    """One trial in three is complete, one in three pruned, one in three has failed."""
    states = ("complete", "pruned", "failed")
    return [
        {
            "number": number,
            "state": states[number % 3],
            "value": None if number % 3 == 2 else float(number),
            "scores": {} if number % 3 == 2 else {"1": number + 1.0, "2": float(number)},
        }
        for number in range(n)
    ]


def texts(picture):
    root = ElementTree.fromstring(picture.svg)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


@given(st.lists(st.none() | st.floats(-1e6, 1e6)), st.sampled_from(["minimize", "maximize"]))
def test_best_so_far_is_the_best_of_all_before(values, direction):
    better = min if direction == "minimize" else max
    for i, best in enumerate(trial_figures.best_so_far(values, direction)):
        seen = [value for value in values[: i + 1] if value is not None]
        assert best == (better(seen) if seen else None)


def test_the_history_tells_the_states_apart():
    picture = trial_figures.history(TRIALS, "minimize", value_name="loss")
    assert {"complete", "pruned", "failed", "best so far", "loss"} <= set(texts(picture))
    assert picture.alt == "loss of 4 trials in order; the best is 1."


def test_a_history_without_any_value_is_drawn_all_the_same():
    assert trial_figures.history([TRIALS[2]], "minimize", value_name="loss").svg


def test_thousands_of_trials_are_all_drawn_as_pixels_and_that_is_said():
    few, lots = (trial_figures.history(many(n), "minimize", value_name="loss") for n in (900, 5000))
    assert "pixels" not in few.caption
    assert "All trials are drawn, as pixels" in lots.caption
    assert few.svg.count("<use") > 900 > lots.svg.count("<use")
    assert len(lots.svg) < 200_000
    encoded = re.findall(r"base64,([^\"]+)", lots.svg)
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(unquote(text))))) for text in encoded]
    assert sum(int((image[..., 3] > 0).sum()) for image in pixels) > 5000


def test_winner_default_median_and_worst_are_told_apart_among_the_curves():
    picture = trial_figures.trial_curves(TRIALS, 3, 0, "minimize", value_name="loss")
    assert {"winner, median (trial 3)", "untuned default, worst (trial 0)"} <= set(texts(picture))
    assert "marked: trial 3 (winner, median); trial 0 (untuned default, worst)." in picture.alt
    picture = trial_figures.trial_curves(many(30), 27, 0, "maximize", value_name="accuracy")
    assert {"winner (trial 27)", "untuned default, worst (trial 0)", "median (trial 15)"} <= set(texts(picture))


def test_without_a_default_no_curve_is_called_one():
    picture = trial_figures.trial_curves(TRIALS, 3, None, "minimize", value_name="loss")
    assert "untuned default" not in picture.alt


def test_of_many_curves_an_even_choice_is_drawn_and_counted():
    picture = trial_figures.trial_curves(many(3000), 0, None, "minimize", value_name="loss")
    assert "In grey 60 of the 1,997 others, evenly from best to worst." in picture.caption
    assert len(picture.svg) < 200_000


def test_a_page_in_the_dark_has_dark_figures_and_the_file_beside_it_stays_light():
    picture = trial_figures.history(TRIALS, "minimize", value_name="loss")
    assert "prefers-color-scheme" not in picture.svg
    drawn = unquote(picture.source.removeprefix("data:image/svg+xml,"))
    assert "prefers-color-scheme:dark" in drawn
    assert "://" not in picture.source
    ElementTree.fromstring(drawn)


def test_the_same_numbers_give_the_same_picture():
    one, two = (trial_figures.history(TRIALS, "minimize", value_name="loss").svg for _ in range(2))
    assert one == two

"""Figures are tested by their numbers and their words, not by their pixels."""

from xml.etree import ElementTree

import numpy as np

from trialwise.functions.landscape import landscape
from trialwise.functions.testbed import known_problem
from trialwise.reports import figures

TRIALS = [
    {"number": 0, "state": "complete", "value": 9.0, "params": {"x": 1.0, "y": 2.0}, "scores": {"1": 0.5, "2": 0.6}},
    {"number": 1, "state": "pruned", "value": 4.0, "params": {"x": -3.0, "y": 0.0}, "scores": {"1": 0.2}},
    {"number": 2, "state": "failed", "value": None, "params": {"x": 0.0, "y": 0.0}, "scores": {}},
    {"number": 3, "state": "complete", "value": 1.0, "params": {"x": 3.7, "y": -2.1}, "scores": {"1": 0.5, "2": 0.9}},
]


def texts(picture):
    root = ElementTree.fromstring(picture.svg)
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_contour_shows_every_trial_by_its_number_and_names_the_best():
    picture = figures.contour(landscape(known_problem("quadratic")), TRIALS, 3)
    assert {"0", "1", "3"} <= set(texts(picture))
    assert "3 numbered trials; best at x = 3.7, y = -2.1" in picture.alt


def test_importances_are_written_out():
    picture = figures.importances({"x": 0.75, "y": 0.25}, n_trials=9, epochs=3)
    assert {"75%", "25%", "x", "y"} <= set(texts(picture))
    assert "9 trials after 3 epochs each" in picture.caption


def test_the_confusion_matrix_names_the_worst_pair():
    picture = figures.confusion([[8, 2], [0, 10]], ["cat", "dog"])
    assert "most often cat is taken for dog (2 times)" in picture.alt
    assert {"8", "2", "10", "cat", "dog"} <= set(texts(picture))


def test_forecasts_are_shown_beside_naive():
    dates = [str(day) for day in np.arange("2024-01-01", "2024-04-01", dtype="datetime64[D]")]
    actual = np.linspace(100, 120, len(dates))
    forecasts = {"naive": actual - 1, "far": actual + 9, "lstm": actual - 0.5}
    assert {"naive (tomorrow = today)", "lstm", "actual close"} <= set(
        texts(figures.forecast(dates, actual, forecasts, "lstm"))
    )
    errors = figures.forecast_errors(dates, actual, forecasts)
    assert "lstm 0.500" in errors.alt
    assert "far (9.00)" in errors.caption


def test_names_with_dollars_are_drawn_as_they_are():
    names = ["$5_$10", "$10_$50"]
    assert figures.confusion([[8, 2], [0, 10]], names).svg
    assert figures.importances({names[0]: 0.6, names[1]: 0.4}, n_trials=9, epochs=None).svg

"""The sentences on skill and luck claim no more than was found."""

import pytest

from trialwise.reports.study_words import OF_NAIVE, PLAIN, POINTS, chance_words, default_on_test_words, gain_words

TRIALS = [{"trial": number, "values": [0.9, 0.92], "mean": 0.91} for number in (0, 3, 5)]
FOUND = {
    "best": {"number": 3, "value": 0.93},
    "confirmed": {"n_seeds": 2, "best": 3, "trials": TRIALS},
    "gain": 0.012,
    "gain_standard_error": 0.005,
    "gain_p_value": 0.02,
    "seen": 0.019,
    "optimism": 0.006,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "Tuning gained 1.2 ± 0.5 points over the default on 2 fresh seeds; "
            "0.6 of the 1.9 seen in validation was luck",
        ),
        (
            {"gain_p_value": 0.2},
            "No configuration is better than the default, as far as can be told: 1.2 ± 0.5 points on 2 fresh seeds; "
            "0.6 of the 1.9 seen in validation was luck",
        ),
        (
            {"gain": -0.003, "gain_p_value": 1.0, "optimism": 0.03},
            "No configuration is better than the default: the best of 2 run again on 2 fresh seeds is "
            "0.3 ± 0.5 points below it; all of the 1.9 seen in validation may be luck",
        ),
        (
            {"optimism": None},
            "Tuning gained 1.2 ± 0.5 points over the default on 2 fresh seeds; 1.9 was seen in validation",
        ),
        (
            {"gain_error_of": "seeds", "optimism": None},
            "The best is 1.2 ± 0.5 points better than the default on 2 fresh seeds, more than seeds scatter "
            "(p = 0.02); how much of it is luck with the validation rows is not known",
        ),
        (
            {"gain_error_of": "seeds", "gain_standard_error": None, "gain_p_value": None, "optimism": None},
            "The best is 1.2 points better than the default, and 2 fresh seeds changed nothing: "
            "how much of it is luck with the validation rows is not known",
        ),
        ({"optimism": -0.001, "seen": 0.0}, "Tuning gained 1.2 ± 0.5 points over the default on 2 fresh seeds"),
        (
            {"confirmed": None, "gain": 0.019, "gain_standard_error": None},
            "The best model is better than the default's by 1.9 points seen in validation (p = 0.02); "
            "0.6 of that was luck; nothing was run again on fresh seeds",
        ),
        (
            {"confirmed": None, "gain": 0.019, "gain_p_value": None, "optimism": None},
            "The best is 1.9 points better than the default, as seen in validation: part of it is luck",
        ),
        ({"confirmed": None, "best": {"number": 0}}, "No configuration is better than the default, which is trial 0"),
        ({"gain": None}, "0.6 points of the best score of all trials is luck"),
        ({"gain": None, "optimism": None}, ""),
    ],
)
def test_what_tuning_gained(changes, words):
    assert gain_words(FOUND | changes, POINTS) == words


def test_each_kind_of_score_has_its_unit():
    assert gain_words(FOUND, PLAIN).startswith("Tuning gained 0.012 ± 0.005 over")
    assert gain_words(FOUND, OF_NAIVE).startswith("Tuning gained 1.20 ± 0.50 % of naive's loss over")


def test_an_old_result_has_words_too():
    old = {"best": {"number": 2}, "gain": 0.01}
    assert gain_words(old, POINTS).endswith("part of it is luck")


def test_chance_is_named_only_where_it_explains_the_best():
    assert "not better than chance (p = 0.3)" in chance_words({"chance_p_value": 0.3})
    assert chance_words({"chance_p_value": 0.0002}) == chance_words({"chance_p_value": None}) == chance_words({}) == ""


def test_the_default_on_the_test_rows():
    found = {"accuracy": 0.9, "difference": 0.02, "interval": [0.005, 0.035], "p_value": 0.01}
    assert "+2.0 points (95 % interval +0.5 to +3.5, McNemar p = 0.01)" in default_on_test_words({"default": found})
    assert "luck does not explain" in default_on_test_words({"default": found})
    assert "no difference can be told" in default_on_test_words({"default": found | {"p_value": 0.2}})
    assert default_on_test_words({}) == default_on_test_words({"default": None}) == ""

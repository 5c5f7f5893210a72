import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.prices.numbers import decimal_mark, parse_numbers, plain_numbers


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("$208.62", ".", 208.62),
        ("7,278.20", ".", 7278.2),
        ("1,234,567", ".", 1234567),
        ("49.39M", ".", 49.39e6),
        ("5.5K", ".", 5500),
        ("1.2b", ".", 1.2e9),
        ("2 412,50", ",", 2412.5),
        ("2\u202f412,50 €", ",", 2412.5),
        ("1.234,5", ",", 1234.5),
        ("36.615.398", ",", 36615398),
        (".5", ".", 0.5),
        ("1e-3", ".", 0.001),
    ],
)
def test_ways_of_writing_a_number(text, mark, number):
    numbers, bad = parse_numbers([text, "n/a"], mark)
    assert bad is None
    assert numbers[0] == pytest.approx(number, rel=1e-12)
    assert np.isnan(numbers[1])


@pytest.mark.parametrize("text", ["225.48.00", "$", "12,34", "1,2345.6", "abc", "1..2", "K", "inf", "1e999"])
def test_what_is_no_number(text):
    assert parse_numbers(["1", text, "2"], ".")[1] == 1


def test_the_decimal_mark_is_told_by_the_numbers():
    assert decimal_mark(["225,48"]) == ","
    assert decimal_mark(["1.225,48"]) == ","
    assert decimal_mark(["36.615.398"]) == ","
    assert decimal_mark(["1,225.48"]) == "."
    assert decimal_mark(["$1.5", "1,225"]) == "."
    assert decimal_mark(["49.39M"]) == "."
    assert decimal_mark(["1,225", "1.225", "7"]) is None


@given(st.lists(st.floats(0.01, 1e9), min_size=1, max_size=20))
def test_round_trip_with_thousands_and_either_mark(values):
    english = [f"{value:,.2f}" for value in values]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    wanted = [round(value, 2) for value in values]
    assert decimal_mark(english) == "."
    assert decimal_mark(german) == ","
    np.testing.assert_allclose(parse_numbers(english, ".")[0], wanted, rtol=1e-12)
    np.testing.assert_allclose(parse_numbers(german, ",")[0], wanted, rtol=1e-12)


def test_plain_numbers_leave_the_rest_to_others():
    np.testing.assert_array_equal(plain_numbers(["1.5", "nan"]), [1.5, np.nan])
    assert plain_numbers(["1.5", "$2"]) is None
    assert plain_numbers(["inf"]) is None


def test_no_thousands_begin_with_nought():
    assert decimal_mark(["0,985", "0,991"]) == ","
    assert decimal_mark(["0.985"]) == "."
    assert decimal_mark(["1,985"]) is None

from pathlib import Path

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.prices.dates import looks_like_date, parse_dates

FILE = Path("a.csv")


def parsed(*texts):
    dates, warnings = parse_dates(texts, range(2, 2 + len(texts)), FILE)
    return [str(date) for date in dates], warnings


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2020-12-21", "2020-12-21"),
        ("2020-12-21 00:00:00-05:00", "2020-12-21"),
        ("2020-12-21T23:59:00+09:00", "2020-12-21"),
        ("2020/2/1", "2020-02-01"),
        ("20200201", "2020-02-01"),
        ("Apr 09, 2020", "2020-04-09"),
        ("April 9, 2020", "2020-04-09"),
        ("09-Apr-20", "2020-04-09"),
        ("9 Apr 1999", "1999-04-09"),
        ("31.12.2019 17:30", "2019-12-31"),
    ],
)
def test_ways_of_writing_a_date(text, date):
    assert looks_like_date(text)
    assert parsed(text)[0] == [date]


def test_the_century_of_two_digits():
    assert parsed("12/31/69")[0] == ["1969-12-31"]
    assert parsed("12/31/21")[0] == ["2021-12-31"]
    assert parsed("12/31/70")[0] == ["1970-12-31"]


@pytest.mark.parametrize("text", ["", "soon", "2020-12", "1577923200", "221625", "20-20-2020x", "2020-12-21Z9"])
def test_what_is_no_date(text):
    assert not looks_like_date(text)
    with pytest.raises(UserError, match=r"a\.csv, line 2: expected a date") as caught:
        parsed(text)
    assert "YYYY-MM-DD" in caught.value.hint


def test_what_is_possible_tells_day_from_month():
    assert parsed("01/02/2020", "01/13/2020") == (["2020-01-02", "2020-01-13"], [])
    assert parsed("01/02/2020", "13/02/2020") == (["2020-02-01", "2020-02-13"], [])


def test_order_tells_day_from_month_where_both_are_possible():
    assert parsed("01/02/2020", "02/02/2020", "01/03/2020") == (["2020-02-01", "2020-02-02", "2020-03-01"], [])
    assert parsed("02/01/2020", "02/02/2020", "03/01/2020") == (["2020-02-01", "2020-02-02", "2020-03-01"], [])


def test_dates_that_stay_ambiguous_are_told():
    dates, warnings = parsed("01/01/2020", "02/01/2020", "03/01/2020")
    assert dates == ["2020-01-01", "2020-02-01", "2020-03-01"]
    assert warnings == ["dates like '01/01/2020' can be read in two ways; they were read as month/day/year"]
    dates, warnings = parsed("01.01.2020", "01.02.2020", "01.03.2020")
    assert dates == ["2020-01-01", "2020-02-01", "2020-03-01"]
    assert "day.month.year" in warnings[0]


def test_a_file_that_mixes_day_first_and_month_first_is_refused_at_the_odd_line():
    with pytest.raises(UserError, match=r"line 4: expected a date of the calendar.*got '25/01/2020'"):
        parsed("01/13/2020", "01/14/2020", "25/01/2020")


def test_one_way_of_writing_in_a_file():
    with pytest.raises(UserError, match=r"line 3: expected a date like '2020-01-02', got '01/03/2020'"):
        parsed("2020-01-02", "01/03/2020")


def test_the_29th_of_february():
    assert parsed("2020-02-29")[0] == ["2020-02-29"]
    with pytest.raises(UserError, match="line 2: expected a date of the calendar"):
        parsed("2019-02-29")
    assert parse_dates(["2020-02-29"], [1], FILE)[0].dtype == np.dtype("datetime64[D]")

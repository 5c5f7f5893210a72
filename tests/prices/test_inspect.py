import numpy as np
import pytest

from trialwise.prices.inspect import (
    description,
    gap_warnings,
    jump_warnings,
    missing_weekdays,
    range_warnings,
    standstill_warnings,
    weekend_warnings,
)
from trialwise.prices.reader import embedded_prices, read_prices


def jumps(close, *, opens=None, volume=None, adjusted=None):
    close = np.array(close, dtype=float)
    dates = np.datetime64("2020-01-01") + np.arange(len(close))
    return jump_warnings(dates, close, opens, volume, np.arange(2, len(close) + 2), adjusted=adjusted)


def test_weekend_days_are_told_with_the_first():
    dates = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")  # Monday to Friday of the next week
    (warning,) = weekend_warnings(dates, np.arange(10, 22))
    assert "2 of 12 days are Saturdays or Sundays (first: 2024-01-06, line 15)" in warning
    assert weekend_warnings(dates[:5], np.arange(5)) == []


def test_missing_weekdays_are_counted_and_weekends_are_not():
    dates = np.array(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-10", "2024-01-13", "2024-01-14"], "M8[D]")
    assert missing_weekdays(dates).tolist() == [0, 0, 1, 2, 0]


def test_a_long_gap_is_told_with_its_lines_and_a_week_of_mourning_is_not():
    dates = np.array(["2001-09-10", "2001-09-17", "2001-09-18", "2001-10-01", "2001-10-02"], "M8[D]")
    (warning,) = gap_warnings(dates, np.arange(2, 7))
    assert "no rows between 2001-09-18 (line 4) and 2001-10-01 (line 5): 8 weekdays are missing" in warning


def test_many_gaps_are_cut_short():
    warnings = gap_warnings(np.datetime64("2020-01-01") + 20 * np.arange(9), np.arange(9))
    assert len(warnings) == 6
    assert warnings[-1] == "and 3 more gaps like these"


def test_the_description_says_what_is_there():
    found = description(read_prices(embedded_prices("AAPL")))
    assert (found["layout"], found["order"], found["n_rows"]) == ("yahoo", "oldest first", 3270)
    assert (found["first_date"], found["last_date"]) == ("2000-03-01", "2013-03-01")
    assert (found["close_column"], found["adjusted"]) == ("Adj Close", True)
    assert found["columns"] == ["close", "open", "high", "low", "volume"]
    assert (found["longest_gap_weekdays"], found["warnings"]) == (4, [])


def test_a_split_is_told_with_its_line():
    (warning,) = jumps([100, 101, 25.3, 25.1])
    assert "line 4 (2020-01-03)" in warning
    assert "4:1 split" in warning


def test_a_reverse_split():
    assert "1:10 reverse split" in jumps([1, 1.01, 10.1, 10.2])[0]


def test_no_split_where_the_file_is_adjusted_or_the_ratio_is_off():
    assert jumps([100, 101, 25.3, 25.1], adjusted=True) == []
    assert jumps([100, 101, 60, 61]) == []


def test_a_crash_at_nearly_a_splits_ratio_is_none():
    """As AAPL's on 2000-09-29: the open was 1/1.9 of the close before, though the close fell to half."""
    close, opens = [100, 101, 50.4, 50.2], np.array([100, 101, 53.0, 50.3])
    assert len(jumps(close)) == 1
    assert jumps(close, opens=opens) == []


def test_a_crash_with_many_times_the_volume_is_no_split():
    volume = np.array([10.0, 10.0, 20.0, 10.0])
    assert len(jumps([100, 101, 50.4, 50.2], volume=volume)) == 1
    assert jumps([100, 101, 50.4, 50.2], volume=volume * [1, 1, 4, 1]) == []


def test_a_rogue_row_is_no_split_even_at_a_split_ratio():
    (warning,) = jumps([100, 101, 404, 101, 102], adjusted=False)
    assert "line 4 (2020-01-03): the price is 4 times that of the days around it" in warning


def test_many_jumps_are_cut_short():
    warnings = jumps([100 * 4.0 ** (-i) for i in range(12)])
    assert len(warnings) == 6
    assert warnings[-1] == "and 6 more jumps like these"


@pytest.fixture(scope="module")
def unadjusted_aapl(tmp_path_factory):
    lines = embedded_prices("AAPL").read_text().splitlines()
    path = tmp_path_factory.mktemp("aapl") / "AAPL.csv"
    path.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    return read_prices(path)


def test_aapls_real_splits_are_found_and_its_crash_is_not(unadjusted_aapl):
    """2:1 on 2000-06-21 and 2005-02-28; on 2000-09-29 it really halved, at 7.6 times the volume."""
    assert unadjusted_aapl.close_column == "Close"
    assert [warning.split()[2] for warning in unadjusted_aapl.warnings] == ["(2000-06-21):", "(2005-02-28):"]
    assert all("2:1 split" in warning for warning in unadjusted_aapl.warnings)


def test_prices_that_stand_still_are_told_with_the_longest_stretch():
    dates = np.datetime64("2020-01-01") + np.arange(30)
    close = np.r_[1.0, 1.0, np.arange(2.0, 7.0), np.full(12, 7.5), np.full(11, 8.0)]
    (warning,) = standstill_warnings(dates, close, np.arange(2, 32))
    assert "the close is 7.5 on 12 days in a row from 2020-01-08 (line 9) on" in warning
    assert standstill_warnings(dates[:16], close[:16], np.arange(2, 18)) == []


def test_a_close_outside_its_day_is_told_and_rounding_is_not():
    close, high, low = np.array([10.0, 10.0, 10.0]), np.array([10.1, 9.0, np.nan]), np.array([9.9, 8.0, 9.0])
    (warning,) = range_warnings(close, high, low, np.arange(2, 5))
    assert "1 close lies outside the day's high and low (first: line 3)" in warning
    assert range_warnings(close, close * 0.9999, low * 0.5, np.arange(2, 5)) == []

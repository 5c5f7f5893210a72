"""Files that cannot be used: one message that names the line, what was expected and what to do."""

import json

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.prices.reader import read_prices

HEADER = "Date,Close,Volume"


def refused(path):
    """The error for `path`; its message names the file and its hint says something."""
    with pytest.raises(UserError) as caught:
        read_prices(path)
    assert caught.value.exit_code == 2
    assert str(path.name) in caught.value.message
    assert caught.value.hint
    return caught.value


def plain_row(day, i):
    return f"{day},{100 + i % 7}.5,1000"


def with_line(write_rows, line, text, **options):
    """A good file in which one 1-based line is replaced by `text`."""
    path = write_rows(HEADER, plain_row, **options)
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return path


def test_missing_file_names_a_near_one(write_rows):
    path = write_rows(HEADER, plain_row, name="ACME.csv")
    error = refused(path.with_name("ACM.csv"))
    assert error.message.startswith("no such file")
    assert "ACME.csv" in error.hint


def test_missing_file_with_nothing_near(tmp_path):
    assert "CSV file with a date and a close" in refused(tmp_path / "nowhere" / "x.csv").hint


def test_a_folder(tmp_path):
    assert "is a folder" in refused(tmp_path).message


@pytest.mark.parametrize("content", [b"", b"  \n\n", b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert "is empty" in refused(path).message


def test_a_sheet_saved_as_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"PK\x03\x04\0\0\0")
    error = refused(path)
    assert "binary file" in error.message
    assert error.hint == "save the sheet as CSV first"


def test_prose(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Dear reader,\nthere are no prices here.\n" * 80)
    assert "is not a table of prices: line 1 is 'Dear reader" in refused(path).message


def test_only_separators(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",,,\n,,,\n")
    assert "is not a table of prices" in refused(path).message


def test_a_quote_that_is_never_closed_is_shown_short(write_rows):
    path = with_line(write_rows, 5, '"2019-01-07,100.5,1000', n_days=4000)
    assert len(refused(path).message) < 400


def test_a_json_answer_is_quoted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(json.dumps({"Information": "Thank you for using Alpha Vantage! 25 requests a day."}, indent=4))
    error = refused(path)
    assert "holds a JSON answer, not prices: 'Thank you for using Alpha Vantage!" in error.message


def test_a_web_page(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("<!DOCTYPE html>\n<html><body>Date,Close</body></html>")
    assert "web page" in refused(path).message


def test_no_date_column(write_rows):
    error = refused(write_rows("Row,Close", lambda day, i: f"{i},{100 + i}"))
    assert "line 1: expected a date column, got Row, Close" in error.message
    assert "Date" in error.hint


def test_no_close_column(write_rows):
    error = refused(write_rows("Date,Open", lambda day, i: f"{day},{100 + i}"))
    assert "line 1: expected a close column, got Date, Open" in error.message
    assert "Close" in error.hint


def test_no_header(write_rows):
    error = refused(write_rows("2019-01-01,1.5,10", plain_row))
    assert "line 1: expected column names, got values (2019-01-01, 1.5, 10)" in error.message


def test_a_header_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "\n")
    assert "no rows below its header" in refused(path).message


@pytest.mark.parametrize("text", ["soon,100.5,1000", ",100.5,1000", "2019-02-30,100.5,1000", "01/09/2019,100.5,1000"])
def test_a_bad_date_names_its_line(write_rows, text):
    error = refused(with_line(write_rows, 7, text))
    assert "line 7: expected a date" in error.message
    assert repr(text.split(",")[0]) in error.message


@pytest.mark.parametrize("price", ["225.48.00", "abc", "1.2.3", "$", "1e999", "0.24 Dividend"])
def test_a_bad_price_names_its_line(write_rows, price):
    error = refused(with_line(write_rows, 9, f"2019-01-11,{price},1000"))
    assert f"line 9: expected a price in column Close, got {price!r}" in error.message


@pytest.mark.parametrize("price", ["0", "-1.57", "0.0"])
def test_prices_that_are_not_positive(write_rows, price):
    error = refused(with_line(write_rows, 9, f"2019-01-11,{price},1000"))
    assert f"line 9: expected a price above 0 in column Close, got {price!r}" in error.message


def test_an_unquoted_thousands_comma(write_rows):
    error = refused(with_line(write_rows, 4, "2019-01-04,1,100.5,1000"))
    assert "line 4: expected 3 values as in the header, got 4" in error.message
    assert "quotes" in error.hint


def test_the_same_day_twice_names_both_lines(write_rows):
    error = refused(with_line(write_rows, 12, "2019-01-02,101.5,1000"))
    assert "line 12: expected one row a day, got 2019-01-02 again (first on line 2)" in error.message


def test_intraday_rows(write_rows):
    path = write_rows("Datetime,Close", lambda day, i: f"2019-01-02 09:{i % 60:02}:00-05:00,{100 + i}")
    assert "intraday" in refused(path).hint


def test_several_symbols_below_each_other(write_rows):
    path = write_rows("date,close,Name", lambda day, i: f"{day},{100 + i},{'AAL' if i < 60 else 'AAPL'}")
    error = refused(path)
    assert "line 62: expected one symbol, got 2 below each other (AAL, AAPL)" in error.message
    assert "ACME.csv:AAL" in error.hint
    with pytest.raises(UserError, match=r"no symbol 'AAPLE'; it has AAL, AAPL") as caught:
        read_prices(path.with_name("ACME.csv:AAPLE"))
    assert "did you mean AAPL?" in caught.value.hint


def test_several_symbols_side_by_side(write_rows):
    header = "Price,Close,Close\nTicker,IBM,MSFT\nDate,,"
    error = refused(write_rows(header, plain_row))
    assert "got several side by side (IBM, MSFT)" in error.message
    assert "ACME.csv:IBM" in error.hint
    with pytest.raises(UserError, match=r"got several side by side \(IBM, MSFT\)"):
        read_prices(write_rows(header, plain_row).with_name("ACME.csv:AAPL"))
    wide = write_rows("Date,IBM,MSFT", plain_row)
    assert "ACME.csv:MSFT" in refused(wide).hint
    with pytest.raises(UserError, match="expected a close column"):
        read_prices(wide.with_name("ACME.csv:AAPL"))
    assert "got several: IBM Close, MSFT Close" in refused(write_rows("Date,IBM Close,MSFT Close", plain_row)).message
    assert "2 columns named Close" in refused(write_rows("Date,Close,Close", plain_row)).message


def test_too_few_rows_says_how_many(write_rows):
    assert (
        "expected at least 100 days with a price, got 99" in refused(write_rows(HEADER, plain_row, n_days=99)).message
    )
    assert len(read_prices(write_rows(HEADER, plain_row, n_days=100))) == 100


@pytest.mark.parametrize("missing", ["", "null", "NaN", "N/A", "-"])
def test_rows_without_a_close_are_left_out_and_counted(write_rows, missing):
    path = with_line(write_rows, 9, f"2019-01-11,{missing},")
    table = read_prices(path)
    assert len(table) == 119
    assert np.datetime64("2019-01-11") not in table.dates
    assert "1 row without a Close left out (first: line 9)" in table.warnings
    assert table.volume is not None


def test_lines_are_counted_with_blank_lines_and_header_rows(write_rows):
    path = write_rows("\nPrice,Close\nTicker,ACME\nDate,\n", lambda day, i: f"{day},{'x' if i == 3 else 5}")
    assert "line 9: expected a price" in refused(path).message


def test_a_volume_or_an_open_that_cannot_be_used_is_left_out_with_a_warning(write_rows):
    path = write_rows(
        "Date,Open,Close,Volume", lambda day, i: f"{day},{0 if i == 5 else 9},10,{'many' if i == 2 else 7}"
    )
    table = read_prices(path)
    assert table.open is None
    assert table.volume is None
    assert "the open prices are not used: line 7 has none above 0" in table.warnings
    assert "the volume is not used: line 4 has 'many'" in table.warnings


def test_rows_out_of_order_are_sorted_with_a_warning(write_rows):
    path = write_rows(HEADER, plain_row)
    lines = path.read_text().splitlines()
    lines[3], lines[7] = lines[7], lines[3]
    path.write_text("\n".join(lines))
    table = read_prices(path)
    assert (np.diff(table.dates).astype(int) > 0).all()
    assert "the rows were not in the order of their dates; they were sorted" in table.warnings
    assert table.close[2] == 102.5


def test_a_price_that_no_share_ever_had(write_rows):
    error = refused(with_line(write_rows, 9, "2019-01-11,1e308,1000"))
    assert "line 9: expected a price below 1e+15" in error.message

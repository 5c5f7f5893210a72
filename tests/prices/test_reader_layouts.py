"""Files as each vendor writes them, read without a single option."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.prices.reader import embedded_prices, read_prices

DASHES = "%Y-%m-%d"


def written(day, pattern=DASHES):
    return day.astype(datetime.date).strftime(pattern)


def price(i):
    return 1000 + i + 0.25


def check(table, days, *, layout, adjusted, close=price, volume=True, column="Close"):
    """The table holds the day-by-day prices that `write_rows` was asked for, oldest first, to the last row."""
    assert (table.layout, table.adjusted, table.close_column, table.name) == (layout, adjusted, column, "ACME")
    np.testing.assert_array_equal(table.dates, days(120))
    np.testing.assert_allclose(table.close, [close(i) for i in range(120)], rtol=1e-12)
    if volume:
        np.testing.assert_allclose(table.volume, 49_390_000)


def test_yahoo_web_scales_open_high_low_to_the_adjusted_close(write_rows, days):
    def row(day, i):
        return f"{written(day)},{price(i)},{price(i) + 2},{price(i) - 2},{price(i)},{price(i) / 4:.6f},49390000"

    table = read_prices(write_rows("Date,Open,High,Low,Close,Adj Close,Volume", row))
    check(table, days, layout="yahoo", adjusted=True, close=lambda i: price(i) / 4, column="Adj Close")
    np.testing.assert_allclose(table.open, table.close)
    np.testing.assert_allclose(table.high, (table.close * 4 + 2) / 4)
    assert table.warnings == ()


def test_yfinance_with_three_header_rows(write_rows, days):
    header = "Price,Close,High,Low,Open,Volume\nTicker,ACME,ACME,ACME,ACME,ACME\nDate,,,,,"
    path = write_rows(header, lambda day, i: f"{written(day)},{price(i)},{price(i)},{price(i)},{price(i)},49390000")
    check(read_prices(path), days, layout="yfinance", adjusted=True)


def test_yfinance_grouped_by_ticker(write_rows, days):
    header = "Ticker,ACME,ACME\nPrice,Close,Volume\nDate,,"
    path = write_rows(header, lambda day, i: f"{written(day)},{price(i)},49390000")
    check(read_prices(path), days, layout="yfinance", adjusted=None)


def test_yfinance_with_two_header_rows_and_a_ticker_named_like_a_column(write_rows, days):
    path = write_rows("Date,Close\n,OPEN", lambda day, i: f"{written(day)},{price(i)}")
    table = read_prices(path)
    check(table, days, layout="yfinance", adjusted=None, volume=False)
    assert table.volume is None
    assert any("no volume" in warning for warning in table.warnings)


def test_yfinance_history_keeps_the_local_date_on_both_sides_of_summer_time(write_rows, days):
    def row(day, i):
        offset = "-05:00" if i % 2 else "-04:00"
        return f"{written(day)} 00:00:00{offset},{price(i)},{price(i)},{price(i)},{price(i)},49390000,0.0,0.0"

    path = write_rows("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits", row)
    check(read_prices(path), days, layout="yfinance-history", adjusted=True)


@pytest.mark.parametrize("space", ["", " "])
def test_nasdaq_with_dollars_spaces_and_the_newest_row_first(write_rows, days, space):
    comma = "," + space
    header = comma.join(["Date", "Close/Last", "Volume", "Open", "High", "Low"])

    def row(day, i):
        dollars = f"${price(i)}"
        return comma.join([written(day, "%m/%d/%Y"), dollars, "49390000", dollars, dollars, dollars])

    table = read_prices(write_rows(header, row, newest_first=True, newline="\r\n"))
    check(table, days, layout="nasdaq", adjusted=False, column="Close/Last")
    assert table.warnings == ()


def test_nasdaq_index_without_volume(write_rows):
    path = write_rows("Date,Close/Last,Volume", lambda day, i: f"{written(day, '%m/%d/%Y')},{price(i)},N/A")
    table = read_prices(path)
    assert table.volume is None
    assert "the volume is not used: 120 of 120 rows have none" in table.warnings


def test_tiingo_takes_the_adjusted_columns(write_rows, days):
    def row(day, i):
        return f"{written(day)}T00:00:00.000Z,9,9,9,9,100,{price(i)},{price(i) + 1},{price(i)},{price(i)},49390000,0,1"

    header = (
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor"  # as they do
    )
    table = read_prices(write_rows(header, row))
    check(table, days, layout="tiingo", adjusted=True, column="adjClose")
    np.testing.assert_allclose(table.high, table.close + 1)


def test_investing_with_bom_quotes_thousands_and_millions(write_rows, days):
    def row(day, i):
        cells = [written(day, "%b %d, %Y"), *[f"{price(i):,.2f}"] * 4, "49.39M", "0.1%"]
        return ",".join(f'"{cell}"' for cell in cells)

    header = '"Date","Price","Open","High","Low","Vol.","Change %"'
    table = read_prices(write_rows(header, row, newest_first=True, prefix=b"\xef\xbb\xbf"))
    check(table, days, layout="investing", adjusted=False, column="Price")


def test_alpha_vantage_is_not_adjusted(write_rows, days):
    path = write_rows(
        "timestamp,open,high,low,close,volume",
        lambda day, i: f"{written(day)},{price(i)},{price(i)},{price(i)},{price(i)},49390000",
        newest_first=True,
    )
    check(read_prices(path), days, layout="alpha-vantage", adjusted=False, column="close")


def test_stooq_in_polish_and_in_bulk(write_rows, days):
    polish = write_rows(
        "Data,Otwarcie,Najwyższy,Najniższy,Zamknięcie,Wolumen",
        lambda day, i: f"{written(day)},{price(i)},{price(i)},{price(i)},{price(i)},49390000",
    )
    table = read_prices(polish)
    check(table, days, layout="stooq", adjusted=True, column="Zamknięcie")
    assert table.low is not None
    bulk = write_rows(
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        lambda day, i: f"ACME.US,D,{written(day, '%Y%m%d')},000000,{price(i)},{price(i)},1,{price(i)},49390000,0",
    )
    check(read_prices(bulk), days, layout="stooq", adjusted=True, column="<CLOSE>")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("date,close,volume,Name", "{day},{one},49390000,ACME\n{day},{other},7,ZZZ"),
        ("Price,Close,Close,Volume,Volume\nTicker,ACME,ZZZ,ACME,ZZZ\nDate,,,,", "{day},{one},{other},49390000,7"),
        ("Ticker,ZZZ,ZZZ,ACME,ACME\nPrice,Close,Volume,Close,Volume\nDate,,,,", "{day},{other},7,{one},49390000"),
        (",Close,Close,Volume,Volume\n,ACME,ZZZ,ACME,ZZZ\nDate,,,,", "{day},{one},{other},49390000,7"),
        ("Date,ZZZ.Close,ACME.Close,ACME.Volume", "{day},{other},{one},49390000"),
        ("Date,Close_ZZZ,Close_ACME,Volume_ACME", "{day},{other},{one},49390000"),
        ("Date,\"('Close', 'ACME')\",\"('Close', 'ZZZ')\",\"('Volume', 'ACME')\"", "{day},{one},{other},49390000"),
        (",ACME Close,ZZZ Close,ACME Volume", "{day},{one},{other},49390000"),
    ],
)
def test_one_of_several_symbols_is_named_behind_the_file(write_rows, days, header, row):
    path = write_rows(header, lambda day, i: row.format(day=day, one=price(i), other=1 + i), name="stocks.csv")
    table = read_prices(path.with_name("stocks.csv:acme"))
    assert table.name == "ACME"
    np.testing.assert_array_equal(table.dates, days(120))
    np.testing.assert_allclose(table.close, [price(i) for i in range(120)])
    np.testing.assert_array_equal(table.volume, np.full(120, 49390000.0))
    assert not [warning for warning in table.warnings if "word for word" in warning]


def test_a_column_that_is_named_as_the_symbol_is_its_close(write_rows):
    path = write_rows("Date,ACME,ZZZ", lambda day, i: f"{day},{price(i)},{1 + i}", name="closes.csv")
    table = read_prices(path.with_name("closes.csv:ZZZ"))
    np.testing.assert_array_equal(table.close, 1.0 + np.arange(120))


def test_a_file_whose_name_has_a_colon_is_a_file(write_rows):
    assert read_prices(write_rows("Date,Close", lambda day, i: f"{day},{price(i)}", name="a:b.csv")).name == "a:b"


def test_a_row_that_repeats_another_is_read_once_with_a_warning(write_rows):
    path = write_rows("Date,Close", lambda day, i: f"{day},{price(i)}")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[5], lines[9]]) + "\n")
    table = read_prices(path)
    assert len(table) == 120
    assert table.warnings[0] == "2 rows say word for word what an earlier row said (line 122: as line 6); left out"


def test_an_unnamed_index_of_dates_and_an_index_of_numbers(write_rows, days):
    unnamed = write_rows(",Close,Volume", lambda day, i: f"{written(day)},{price(i)},49390000")
    check(read_prices(unnamed), days, layout="generic", adjusted=None)
    numbered = write_rows(",Date,Close,Volume", lambda day, i: f"{i},{written(day)},{price(i)},49390000")
    check(read_prices(numbered), days, layout="generic", adjusted=None)


def test_longer_column_names_and_lines_above_the_header(write_rows, days):
    header = "ACME Corporation\nsource: somewhere\n\nTrade Date (local),ACME.Close,ACME.Volume"
    path = write_rows(header, lambda day, i: f"{written(day)},{price(i)},49390000")
    check(read_prices(path), days, layout="generic", adjusted=None, column="ACME.Close")


def test_utf_16_with_tabs_as_excel_writes_it(write_rows, tmp_path, days):
    path = write_rows("Date\tClose\tVolume", lambda day, i: f"{written(day)}\t{price(i)}\t49390000")
    path.write_bytes(path.read_text().encode("utf-16"))
    check(read_prices(path), days, layout="generic", adjusted=None)


def test_german_numbers_and_dates(write_rows, days):
    def row(day, i):
        german_price = f"{price(i):,.2f}".translate(str.maketrans(",.", ".,"))
        return f"{written(day, '%d.%m.%Y')};{german_price};49.390.000"

    table = read_prices(write_rows("Datum;Schlusskurs;Volumen", row))
    check(table, days, layout="generic", adjusted=None, column="Schlusskurs")


PATTERNS = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y", "%m/%d/%y"]


@settings(max_examples=60)
@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    pattern=st.sampled_from(PATTERNS),
    columns=st.permutations(["date", "close", "volume", "note"]),
    newest_first=st.booleans(),
    upper=st.booleans(),
    quotes=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_any_way_of_writing_a_table_gives_the_same_prices(
    tmp_path_factory, days, separator, pattern, columns, newest_first, upper, quotes, newline, bom
):
    def cell(text):
        return f'"{text}"' if quotes or separator in text else text

    rows = []
    for i, day in enumerate(days(120)):
        values = {"date": written(day, pattern), "close": f"{price(i):.2f}", "volume": "49390000", "note": "x"}
        rows.append(separator.join(cell(values[column]) for column in columns))
    header = separator.join(cell(column.upper() if upper else column) for column in columns)
    text = newline.join([header, *(rows[::-1] if newest_first else rows)])
    path = tmp_path_factory.mktemp("files") / "ACME.csv"
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.encode())
    check(read_prices(path), days, layout="generic", adjusted=None, column="CLOSE" if upper else "close")


@pytest.mark.parametrize("name", ["AAPL", "IBM", "MSFT"])
def test_embedded_prices_are_read_adjusted_and_whole(name):
    table = read_prices(embedded_prices(name))
    assert (table.name, len(table), table.close_column, table.adjusted) == (name, 3270, "Adj Close", True)
    assert (str(table.dates[0]), str(table.dates[-1])) == ("2000-03-01", "2013-03-01")
    assert table.warnings == ()
    assert np.abs(np.diff(np.log(table.close))).max() < 0.8  # no split cliff: AAPL's worst day is -0.73


def test_embedded_prices_of_another_name():
    with pytest.raises(UserError, match="unknown embedded prices 'APL'") as caught:
        embedded_prices("APL")
    assert caught.value.hint == "did you mean 'AAPL'?"


def test_a_day_without_prices_leaves_open_high_and_low_of_the_others(write_rows):
    def row(day, i):
        prices = f"{price(i)},{price(i) + 2},{price(i) - 2},{price(i)},{price(i) / 4:.6f},9"
        return f"{written(day)},{'null,null,null,null,null,null' if i == 7 else prices}"

    table = read_prices(write_rows("Date,Open,High,Low,Close,Adj Close,Volume", row))
    assert len(table) == 119
    np.testing.assert_allclose(table.high, (table.close * 4 + 2) / 4)


def test_ranges_that_cannot_be_adjusted_are_left_out_with_a_warning(write_rows):
    def row(day, i):
        close = "" if i == 7 else price(i)
        return f"{written(day)},{price(i)},{price(i) + 2},{price(i) - 2},{close},{price(i) / 4:.6f},9"

    table = read_prices(write_rows("Date,Open,High,Low,Close,Adj Close,Volume", row))
    assert table.high is None
    assert "open, high and low are not used: not every adjusted close has a close beside it" in table.warnings


@pytest.mark.parametrize("other", ["", ",Open,High,Low"])
def test_adjusted_closes_alone_are_read(write_rows, other):
    def row(day, i):
        return f"{written(day)},{price(i)}" + (f",{price(i)},{price(i) + 2},{price(i) - 2}" if other else "")

    table = read_prices(write_rows(f"Date,Adj Close{other}", row))
    assert table.high is None
    assert any("open, high and low are not used" in warning for warning in table.warnings) == bool(other)

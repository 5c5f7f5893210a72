"""Files that people saved from five vendors, each read to its last row with no options."""

from pathlib import Path

import numpy as np
import pytest

from trialwise.prices.reader import read_prices

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "prices"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendor files do not lie beside the checkout"),
]

# name: layout, adjusted, column, days, first date and close, last date and close, last volume
FILES = {
    "yahoo_web_2024_2025": (
        *("yahoo", True, "Adj Close", 250),
        *("2024-12-13", 247.012817, "2025-12-12", 278.279999, 38360082),
    ),
    "yfinance_multiheader_2020_2022": (
        *("yfinance", True, "Close", 756),
        *("2020-01-02", 72.7960205078125, "2022-12-30", 128.577880859375, 77034200),
    ),
    "yfinance_2row_close_2015_2024": (
        *("yfinance", None, "Close", 2516),
        *("2015-01-02", 24.261049270629883, "2024-12-31", 249.53416442871094, None),
    ),
    "nasdaq_2010_2020": (
        *("nasdaq", False, "Close/Last", 2518),
        *("2010-03-01", 29.8557, "2020-02-28", 273.36, 106721200),
    ),
    "tiingo_2015_2025": (
        *("tiingo", True, "adjClose", 2564),
        *("2015-01-02", 24.3192061522, "2025-03-13", 209.68, 61368330),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_is_read_to_its_last_row(name):
    layout, adjusted, column, n_days, first, first_close, last, last_close, last_volume = FILES[name]
    table = read_prices(FOLDER / f"{name}.csv")
    assert (table.layout, table.adjusted, table.close_column, len(table)) == (layout, adjusted, column, n_days)
    assert (str(table.dates[0]), str(table.dates[-1])) == (first, last)
    assert (table.close[0], table.close[-1]) == (first_close, last_close)
    assert (table.volume is None) == (last_volume is None)
    assert table.volume is None or table.volume[-1] == last_volume
    assert (np.diff(table.dates).astype(int) > 0).all()
    assert not [warning for warning in table.warnings if "no volume" not in warning]


def test_vendors_agree_on_the_moves_of_the_same_days():
    """Adjusted prices differ with the day they were saved on; their daily moves hardly do."""
    tiingo = read_prices(FOLDER / "tiingo_2015_2025.csv")
    yfinance = read_prices(FOLDER / "yfinance_2row_close_2015_2024.csv")
    _, a, b = np.intersect1d(tiingo.dates, yfinance.dates, return_indices=True)
    assert len(a) == 2516
    apart = np.abs(np.diff(np.log(tiingo.close[a])) - np.diff(np.log(yfinance.close[b])))
    assert np.mean(apart < 2e-4) > 0.99

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.prices.held_out import test_days as held_out_days
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.splits import check_fits, split_rows, train_part


@given(n_rows=st.integers(100, 20_000), test_fraction=st.floats(0.05, 0.5))
def test_the_parts_are_in_order_never_overlap_and_leave_nothing_out(n_rows, test_fraction):
    split = split_rows(n_rows, test_fraction)
    assert [*split.train, *split.valid, *split.test] == list(range(n_rows))
    assert len(split.test) == pytest.approx(n_rows * test_fraction, abs=0.5)
    assert len(split.valid) == pytest.approx(0.15 * (n_rows - len(split.test)), abs=0.5)


@given(n_rows=st.integers(100, 20_000), test_fraction=st.floats(0.05, 0.5))
def test_a_table_cut_at_the_origin_is_split_as_the_whole_one_was(n_rows, test_fraction):
    whole = split_rows(n_rows, test_fraction)
    cut = split_rows(whole.test.start, 0.0)
    assert (cut.train, cut.valid, len(cut.test)) == (whole.train, whole.valid, 0)


def test_80_and_20_percent():
    split = split_rows(1000, 0.2)
    assert (split.train, split.valid, split.test) == (range(680), range(680, 800), range(800, 1000))


def test_training_receives_no_test_day_not_even_through_a_view(random_walk):
    table = random_walk(300)
    cut = train_part(table, BacktestSettings(window=10))
    days = held_out_days(table, BacktestSettings(window=10))
    assert len(cut) == days.first_row == 240
    assert cut.dates[-1] < days.table.dates[days.first_row]
    for field in dataclasses.fields(cut):
        values = getattr(cut, field.name)
        if isinstance(values, np.ndarray):
            assert len(values) == 240
            assert values.base is None


def test_a_window_that_does_not_fit_says_which_would(random_walk):
    table = random_walk(100)
    assert len(train_part(table, BacktestSettings(window=66))) == 80
    with pytest.raises(
        UserError, match=r"--window: expected at most 66 for walk with 68 training days, got 67"
    ) as caught:
        train_part(table, BacktestSettings(window=67))
    assert "--test-fraction" in caught.value.hint


@pytest.mark.parametrize("features", [("volume",), ("ranges",), ()])
def test_a_file_with_none_of_the_features_is_refused(random_walk, tiny, features):
    settings = dataclasses.replace(tiny, features=features)
    with pytest.raises(UserError, match="features: walk has nothing of"):
        check_fits(random_walk(volume=False), settings, test_fraction=0.2)

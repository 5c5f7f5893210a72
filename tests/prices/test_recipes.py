import dataclasses
import subprocess
import sys

import pytest

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, options_of
from trialwise.prices.recipes import BacktestSettings, WalkSettings


def test_the_list_of_settings_is_short_and_known():
    """Adding an option is a decision: change this list with it."""
    assert [field.name for field in dataclasses.fields(BacktestSettings)] == [
        *("test_fraction", "window", "features", "hidden_size", "n_layers", "dropout"),
        *("epochs", "patience", "learning_rate", "batch_size", "walk", "configurations_tried"),
    ]
    assert [field.name for field in dataclasses.fields(WalkSettings)] == ["horizon", "refit_every"]
    assert len(options_of(BacktestSettings)) == 13


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test_fraction", 0.0),
        ("test_fraction", 0.9),
        ("test_fraction", float("nan")),
        ("window", 1),
        ("hidden_size", 0),
        ("n_layers", 0),
        ("dropout", 1.0),
        ("epochs", 0),
        ("patience", 0),
        ("learning_rate", 0.0),
        ("batch_size", 0),
        ("configurations_tried", 0),
        ("horizon", 0),
        ("horizon", 21),
        ("refit_every", 0),
    ],
)
def test_a_value_out_of_range_names_its_option(name, value):
    with pytest.raises(UserError, match=f"^--{name.replace('_', '-')}: expected"):
        fill(BacktestSettings, {name: value})


def test_the_recipes_and_the_reader_do_not_load_torch():
    code = "import sys, trialwise.prices.recipes, trialwise.prices.reader; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

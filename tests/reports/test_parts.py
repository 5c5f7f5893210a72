"""What the page's table of all trials shows, and hands to its script."""

import json
import math

from trialwise.reports.parts import Records

COLUMNS = {
    "number": [0, 1, 2],
    "state": ["complete", "failed", "complete"],
    "value": [0.123456789, None, -3.0],
    "param.kind": [True, None, "x"],
    "note.size": [2**60, math.inf, 1e-7],
}


def records():
    return Records(caption="All trials", columns=COLUMNS, filter_by="state", file_name="trials.csv")


def test_people_read_five_digits_and_plain_names():
    assert records().heads == ("trial", "state", "value", "kind", "size")
    assert records().shown(2) == [
        ("0", "complete", "0.12346", "true", str(2**60)),
        ("1", "failed", "", "", "inf"),
    ]
    assert records().shown(9)[2] == ("2", "complete", "-3", "x", "1e-07")


def test_the_script_gets_every_digit_and_nothing_that_its_numbers_cannot_hold():
    document = records().document()
    json.dumps(document, allow_nan=False)
    assert document["names"] == list(COLUMNS)
    assert document["filter"] == 1
    assert document["columns"][2] == [0.123456789, None, -3.0]
    assert document["columns"][4] == [str(2**60), "inf", 1e-7]


def test_only_numbers_are_numeric():
    assert records().is_numeric == (True, False, True, False, False)

import csv
import math

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.trial_table import check_table_file, score_columns, trial_columns, write_table


def record(number, value=None, **given):
    known = {"state": "complete", "params": {}, "scores": {}, "seconds": None, "notes": {}}
    return TrialRecord(number=number, value=value, **(known | given))


def cells(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@given(value=st.floats(allow_nan=False))
def test_numbers_keep_every_digit(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("table") / "a.csv"
    write_table(trial_columns([record(0, value, scores={1: value})]), path)
    assert float(cells(path)[0]["value"]) == value


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\r=x", "\n=x"])
def test_text_that_a_spreadsheet_would_run_is_defused_in_csv_only(tmp_path, text):
    columns = trial_columns([record(0, -1.5, params={"kind": text}, notes={"reason": text, "note": text})])
    write_table(columns, tmp_path / "a.csv")
    (row,) = cells(tmp_path / "a.csv")
    assert row["param.kind"] == row["reason"] == row["note.note"] == "'" + text.replace("\r", "\n")
    assert row["value"] == "-1.5", "a number is no formula"
    write_table(columns, tmp_path / "a.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pydict()["param.kind"] == [text]


def test_what_a_trial_lacks_is_empty(tmp_path):
    records = [
        record(0, 1.0, params={"x": 1, "flag": True}, scores={1: 2.0, 2: math.inf}, notes={"sizes": [1, 2]}),
        record(1, None, params={"x": 0.5, "momentum": 0.9}, state="failed", notes={"reason": 'no, "never"\n'}),
    ]
    columns = trial_columns(records)
    write_table(columns, tmp_path / "a.csv")
    first, second = cells(tmp_path / "a.csv")
    assert (first["param.flag"], first["param.momentum"], first["note.sizes"]) == ("true", "", "[1, 2]")
    assert (second["value"], second["param.flag"], second["reason"]) == ("", "", 'no, "never"\n')
    write_table(columns, tmp_path / "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert table["param.x"] == [1.0, 0.5]
    assert table["value"] == [1.0, None]
    assert score_columns(records) == {"number": [0, 0], "epoch": [1, 2], "score": [2.0, math.inf]}


def test_values_of_many_types_are_json_in_parquet(tmp_path):
    records = [record(n, params={"kind": kind}) for n, kind in enumerate([1, "a", True, None])]
    write_table(trial_columns(records), tmp_path / "a.parquet")
    kinds = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pydict()["param.kind"]
    assert kinds == ["1", '"a"', "true", None]


def test_an_empty_study_has_an_empty_table(tmp_path):
    for name in ("a.csv", "a.parquet"):
        write_table(trial_columns([]), tmp_path / name)
    write_table(score_columns([]), tmp_path / "scores.parquet")
    assert cells(tmp_path / "a.csv") == []


def test_files_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "there.csv").write_text("kept")
    for name in ("there.csv", "a.xlsx", "a", "no/a.csv"):
        with pytest.raises(UserError, match="--to"):
            check_table_file("--to", tmp_path / name)
    assert (tmp_path / "there.csv").read_text() == "kept"

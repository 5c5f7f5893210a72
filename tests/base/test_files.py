import json
import math

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.base.files import append_json_line, read_json, read_json_lines, replacing, to_json, write_json


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with replacing(path) as partial:
            partial.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_ends_well_replaces_the_file(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_json_is_strict_and_takes_numpy():
    document = {"nan": math.nan, "inf": -math.inf, "array": np.arange(2), "scalar": np.float64(0.5), 3: (1, "ü")}
    text = to_json(document)
    assert json.loads(text) == {"nan": None, "inf": None, "array": [0, 1], "scalar": 0.5, "3": [1, "ü"]}
    assert "ü" in text


def test_a_file_that_is_not_json_is_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{")
    with pytest.raises(UserError, match=r"x\.json is not JSON"):
        read_json(path)


def test_a_torn_last_line_is_skipped_and_a_torn_middle_one_is_not(tmp_path):
    path = tmp_path / "m.jsonl"
    append_json_line(path, {"epoch": 1})
    append_json_line(path, {"epoch": 2})
    with path.open("a") as lines:
        lines.write('{"epo')
    assert [record["epoch"] for record in read_json_lines(path)] == [1, 2]
    with path.open("a") as lines:
        lines.write("\n{}\n")
    with pytest.raises(UserError, match="line 3"):
        read_json_lines(path)


def test_written_json_reads_back(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1.5, None]})
    assert read_json(tmp_path / "a.json") == {"x": [1.5, None]}

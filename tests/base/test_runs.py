import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trialwise.base.errors import UserError
from trialwise.base.files import runs_folder
from trialwise.base.runs import SCHEMA, RunFolder


def test_a_run_reads_back_by_path_and_by_name():
    run = RunFolder.create("optimize", {"trials": 3}, seed=7)
    run.add_metrics({"epoch": 1})
    run.finish({"best_value": 0.5})
    for name in (run.path, run.path.name):
        again = RunFolder.open(name)
        assert (again.kind, again.seed, again.settings) == ("optimize", 7, {"trials": 3})
        assert again.result == {"best_value": 0.5}
        assert again.record["status"] == "complete"
        assert again.metrics() == [{"epoch": 1}]


def test_two_runs_of_one_second_get_two_folders():
    paths = {RunFolder.create("optimize", {}, seed=0).path for _ in range(3)}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {runs_folder()}


def test_many_runs_of_one_moment_never_share_a_folder():
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda i: RunFolder.create("optimize", {}, seed=i), range(40)))
    assert len({run.path for run in runs}) == 40
    assert [RunFolder.open(run.path).seed for run in runs] == list(range(40))


def test_a_run_knows_its_place_when_the_current_folder_changes(tmp_path, monkeypatch):
    run = RunFolder.create("optimize", {}, seed=0, out=Path("here"))
    monkeypatch.chdir("/")
    run.finish({})
    assert run.label == "here"
    assert RunFolder.open(tmp_path / "here").record["status"] == "complete"


@pytest.mark.parametrize("content", [None, '{"schema": "trialwise.run/1"}', "[]", '{"schema": "other/1"}', "{"])
def test_a_folder_that_is_not_a_run_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json|run folder"):
        RunFolder.open(tmp_path)


def test_a_missing_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        RunFolder.open(tmp_path / "missing")


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="already holds something"):
        RunFolder.create("optimize", {}, seed=0, out=tmp_path / "full")
    with pytest.raises(UserError, match="got a file"):
        RunFolder.create("optimize", {}, seed=0, out=tmp_path / "file")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_the_record_is_plain_json_with_versions(tmp_path):
    run = RunFolder.create("optimize", {}, seed=0, out=tmp_path / "new")
    record = json.loads((run.path / "run.json").read_text())
    assert record["schema"] == SCHEMA
    assert {"python", "torch", "optuna"} <= record["versions"].keys()


def test_a_worker_that_imports_an_unguarded_script_begins_no_run(tmp_path, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(UserError, match="a worker process imports the script") as refused:
        RunFolder.create("tune", {}, seed=0, out=tmp_path / "run")
    assert '__name__ == "__main__"' in refused.value.hint
    assert not (tmp_path / "run").exists()

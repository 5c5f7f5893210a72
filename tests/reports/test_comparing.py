"""Several runs on one page: what differs, what each found, and no winner where there is none to be told."""

import dataclasses
import json
import shutil

import pytest

from trialwise import api
from trialwise.base.runs import RunFolder
from trialwise.reports.comparing import comparisons, named, over_seeds, run_names
from trialwise.reports.results import found_by
from trialwise.reports.sections import section


@pytest.fixture(scope="module")
def minimised(tmp_path_factory):
    """A minimisation of branin."""
    return api.optimize("branin", trials=3, out=tmp_path_factory.mktemp("runs") / "first")


def like(run, folder, **changes):
    """A copy of a run with other contents: "seed", "settings", "result", "versions"."""
    shutil.copytree(run.path, folder)
    record = json.loads((folder / "run.json").read_text())
    for name, value in changes.items():
        record[name] = record[name] | value if isinstance(value, dict) else value
    (folder / "run.json").write_text(json.dumps(record))
    return RunFolder.open(folder)


def test_one_run_and_runs_of_different_work_are_not_compared(minimised, tmp_path):
    other = like(minimised, tmp_path / "other", kind="price-ablate")
    assert comparisons([minimised]) == ()
    assert comparisons([minimised, other]) == ()


def test_what_differs_is_shown_and_the_rest_counted(minimised, tmp_path):
    other = like(minimised, tmp_path / "other", settings={"function": "<b>mine</b>"}, versions={"numpy": "9.9"})
    (about,) = comparisons([minimised, other])
    (table,) = about.chapters[0].tables
    assert table.head == ("setting", "first", "other")
    assert ("function", "branin", "<b>mine</b>") in table.rows
    assert [row[0] for row in table.rows] == ["function", "version of.numpy"]
    assert about.chapters[0].sentences[0].endswith("other settings are the same in all of them.")
    page = api.report([minimised, other], out=tmp_path / "page.html").read_text()
    assert page.index("What differs") < page.index("Minimum of branin")
    assert "<b>mine" not in page
    assert "&lt;b&gt;mine&lt;/b&gt;" in page


def test_runs_that_differ_in_the_seed_alone_have_a_spread_and_no_best(minimised, tmp_path):
    values = [1.0, 2.0, 3.0]
    runs = [like(minimised, tmp_path / f"s{n}", seed=n, result={"best_value": v}) for n, v in enumerate(values)]
    (row,) = over_seeds(runs, run_names(runs), [found_by(run) for run in runs])
    assert (row["n"], row["mean"], row["sd"]) == (3, 2.0, 1.0)
    assert row["ci95"] == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-3)
    (about,) = comparisons(runs)
    assert "differ in nothing but the seed: lowest value 2 on average, standard deviation 1." in about.verdict
    assert about.chapters[-1].heading == "The spread over seeds"
    for run in runs:  # what follows from the seed, and where the work was done, are no differences
        run.record["settings"] |= {"split_seed": run.seed, "threads": 1 + run.seed}
    assert len(over_seeds(runs, run_names(runs), [found_by(run) for run in runs])) == 1
    again = like(runs[0], tmp_path / "again")
    assert over_seeds([runs[0], again], ["a", "b"], [found_by(runs[0]), found_by(again)]) == []


def test_the_best_of_two_is_named_with_a_warning_and_the_unfinished_one_is_not_hidden(minimised, tmp_path):
    worse = like(minimised, tmp_path / "worse", settings={"center": 1}, result={"best_value": 1e9})
    (about,) = comparisons([minimised, worse])
    assert about.verdict.startswith("The best lowest value is ")
    assert "of the run first. One run each is one draw" in about.verdict
    stopped = like(minimised, tmp_path / "stopped", status="running")
    record = json.loads((stopped.path / "run.json").read_text())
    (stopped.path / "run.json").write_text(json.dumps(record | {"result": {}}))
    (about,) = comparisons([minimised, RunFolder.open(stopped.path)])
    assert "running" in about.chapters[1].tables[0].rows[1]


def test_runs_of_one_name_are_told_apart(minimised, tmp_path):
    one, other = (like(minimised, tmp_path / name / "run") for name in "ab")
    assert run_names([one, other]) == ["a/run", "b/run"]
    sections = named([section(one), section(other)], [one, other])
    assert [about.title for about in sections] == ["Minimum of branin: a/run", "Minimum of branin: b/run"]
    assert len(set(run_names([one, one]))) == 2


def test_no_best_is_named_of_different_functions(minimised, tmp_path):
    other = like(minimised, tmp_path / "other", settings={"function": "hartmann6"})
    (about,) = comparisons([minimised, other])
    assert about.verdict == "These runs tuned different functions: their numbers cannot be compared."


def test_a_run_without_a_result_has_no_measure_of_its_own(minimised, tmp_path):
    runs = [like(minimised, tmp_path / name, kind="tune", settings={"objective": "m:f"}) for name in "abc"]
    record = json.loads((runs[2].path / "run.json").read_text())
    (runs[2].path / "run.json").write_text(json.dumps(record | {"result": {}, "status": "failed"}))
    runs[2] = RunFolder.open(runs[2].path)
    (about,) = comparisons(runs)
    assert "measure different things" not in about.verdict


def test_test_and_validation_accuracies_are_not_averaged_over_seeds(minimised, tmp_path):
    runs = [like(minimised, tmp_path / str(seed), seed=seed) for seed in range(3)]
    found = [found_by(run) for run in runs]
    found[0] = dataclasses.replace(found[0], measure="test accuracy")
    (row,) = over_seeds(runs, run_names(runs), found)
    assert (row["n"], row["measure"]) == (2, "lowest value")

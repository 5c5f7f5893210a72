"""Reports of studies that have not ended: their trials are shown wherever they lie, and never a password."""

import json
import shutil

import pytest

from trialwise import Choice, Float, api, tune
from trialwise.base.runs import RunFolder


def objective(config, trial):
    for epoch in trial.remaining_epochs():
        if config["kind"] == "bad":
            raise ValueError(f"no <b>good</b> at {config['rate']:.3f}")
        yield config["rate"] ** 2 / epoch


SPACE = {"rate": Float(low=-1, high=1, default=0.5), "kind": Choice(choices=("good", "bad"), default="good")}


@pytest.fixture
def stopped(tmp_path):
    """A run folder whose study lies in SQLite, as a killed driver leaves it; and the trials that it had."""
    seen = []

    def watch(event):
        seen.append((tmp_path / "run" / "trials.json").exists())

    search = {"trials": 12, "sampler": "random", "confirm": 0, "storage": f"sqlite:///{tmp_path}/studies.db"}
    run = tune(objective, SPACE, epochs=2, search=search, out=tmp_path / "run", watch=watch)
    assert seen[-1], "the trials are copied while the study runs"
    trials = json.loads((run.path / "trials.json").read_text())
    record = json.loads((run.path / "run.json").read_text()) | {"status": "running", "result": {}}
    (run.path / "run.json").write_text(json.dumps(record))
    return RunFolder.open(run.path), trials


def test_the_trials_in_a_database_are_shown_and_stay_when_it_is_gone(stopped, tmp_path):
    run, trials = stopped
    (run.path / "trials.json").unlink()
    page = api.report([run]).read_text()
    assert json.loads((run.path / "trials.json").read_text()) == trials
    n_failed = sum(trial["state"] == "failed" for trial in trials)
    assert f"{n_failed} failed" in page
    assert "It has not ended, so there is no result. The best of" in page
    assert "Its trials lie in a database; these are as they stood there" in page
    assert "no &lt;b&gt;good&lt;/b&gt; at" in page
    assert "They go with kind bad" in page
    (tmp_path / "studies.db").unlink()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run.path, elsewhere)
    assert f"{n_failed} failed" in api.report([elsewhere]).read_text()


def test_where_nothing_can_be_read_that_is_said(stopped, tmp_path):
    run, _ = stopped
    (run.path / "trials.json").unlink()
    (tmp_path / "studies.db").unlink()
    page = api.report([run]).read_text()
    assert "Its trials lie in a database, which could not be read." in page
    assert not (tmp_path / "studies.db").exists()


def test_the_journal_of_a_killed_study_is_read_as_it_stands(tmp_path):
    run = tune(objective, SPACE, epochs=2, search={"trials": 12, "sampler": "random", "confirm": 0}, out=tmp_path / "j")
    record = json.loads((run.path / "run.json").read_text()) | {"status": "running", "result": {}}
    (run.path / "run.json").write_text(json.dumps(record))
    (run.path / "trials.json").unlink()
    page = api.report([run.path]).read_text()
    assert "How the search went" in page
    assert "Trials that failed" in page
    assert "as they stood" not in page

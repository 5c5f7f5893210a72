"""The driver with objectives that need no training, so that every path is quick to walk."""

import dataclasses
import math
import os
from collections.abc import Iterator

import pytest

from trialwise.base.errors import UserError, WorkError
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.ledger import trial_folder
from trialwise.tuning.spaces import Choice, Float
from trialwise.tuning.studies import JOURNAL, Study, exclusive, is_running
from trialwise.tuning.winner import best_record, counts, gain_over_default, importances
from trialwise.tuning.workers import InlinePool, ProcessPool

SPACE = {"x": Float(low=-1, high=1), "kind": Choice(choices=("a", "b"))}
PLAN = StudyPlan(
    budget=Budget(trials=12), max_epochs=9, direction="maximize", sampler="tpe", seed=3, lockstep=True, batch_size=9
)
DEFAULT = {"x": 0.9, "kind": "b"}


@dataclasses.dataclass
class Rising:
    """Scores that rise to 1 - x^2 and depend on the trial's own seed; the checkpoint is the epoch in a file."""

    fail_at: int | None = None
    die_at: int | None = None

    def __call__(self, config, trial) -> Iterator[float]:
        trial.folder.mkdir(parents=True, exist_ok=True)
        state = trial.folder / "epoch"
        assert int(state.read_text() if state.exists() else 0) >= trial.epochs_done
        trial.notes["n_params"] = 10
        for epoch in trial.remaining_epochs():
            if self.fail_at == trial.number:
                raise ValueError("too wide")
            if self.die_at == trial.number and not (trial.folder / "died").exists():
                (trial.folder / "died").touch()
                os._exit(9)
            state.write_text(str(epoch))
            yield 1 - config["x"] ** 2 - 1 / epoch + (trial.seed % 1000) * 1e-6


def table(study):
    return [(r.number, r.state, r.params, r.value, r.scores) for r in study.records()]


def run(folder, objective=None, plan=PLAN, default=DEFAULT, stop_after=math.inf, pool=None):
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(folder, plan.direction)
    pool = pool or InlinePool(objective or Rising())
    events = []
    generator = run_study(study, SPACE, plan, pool, default=default)
    for event in generator:
        if isinstance(event, StudyOver):
            break
        events.append(event)
        if len(events) >= stop_after:
            generator.close()
            break
    pool.close()
    return study, events


def test_halving_keeps_the_best_third_at_every_rung_and_the_default(tmp_path):
    study, events = run(tmp_path)
    records = study.records()
    assert counts(records) == {"complete": 3, "pruned": 9, "paused": 0, "failed": 0}
    assert records[0].params == DEFAULT
    assert records[0].state == "complete"
    first = records[:9]
    after_one = sorted(first[1:], key=lambda r: -r.scores[1])
    assert {r.number for r in first if len(r.scores) >= 3} == {r.number for r in after_one[:3]} | {0}
    assert {len(r.scores) for r in records} <= {1, 3, 9}
    assert best_record(records, "maximize").value == max(r.value for r in records if r.state == "complete")
    assert [e.kind for e in events].count("pruned") == 9
    assert all(r.notes["n_params"] == 10 for r in records)


def test_the_value_is_the_last_score_that_of_the_weights_that_are_kept(tmp_path):
    def worse_at_the_end(config, trial):
        for epoch in trial.remaining_epochs():
            yield 1.0 if epoch == 5 else 0.25

    study, _ = run(tmp_path, worse_at_the_end, dataclasses.replace(PLAN, budget=Budget(trials=1)))
    assert study.records()[0].value == 0.25


def test_the_same_seed_gives_the_same_table_and_another_seed_another(tmp_path):
    one, two = run(tmp_path / "1")[0], run(tmp_path / "2")[0]
    other = run(tmp_path / "3", plan=dataclasses.replace(PLAN, seed=4))[0]
    assert table(one) == table(two)
    assert table(one) != table(other)


@pytest.mark.parametrize("stop_after", [1, 5, 9, 10, 11, 14, 20, 25, 33])
def test_a_stopped_study_goes_on_to_the_table_of_an_unstopped_one(tmp_path, stop_after):
    whole = table(run(tmp_path / "whole")[0])
    run(tmp_path / "part", stop_after=stop_after)
    resumed, _ = run(tmp_path / "part")
    assert table(resumed) == whole


@pytest.mark.parametrize("keep_share", [0.02, 0.1, 0.3, 0.5, 0.77, 0.9, 0.999])
def test_a_study_whose_journal_was_cut_anywhere_goes_on_to_the_same_table(tmp_path, keep_share):
    whole, _ = run(tmp_path / "whole")
    journal = (tmp_path / "whole" / JOURNAL).read_bytes()
    part = tmp_path / "part"
    part.mkdir()
    lines = journal.splitlines(keepends=True)
    first = len(lines[0])  # below that there is no study yet
    (part / JOURNAL).write_bytes(journal[: max(first, int(len(journal) * keep_share))])
    for number in range(12):  # the checkpoints are at least as far as the journal
        trial_folder(part, number).mkdir(parents=True)
        (trial_folder(part, number) / "epoch").write_text("9")
    with exclusive(part):
        resumed, _ = run(part)
    assert table(resumed) == table(whole)


def test_the_defaults_folder_stays_where_it_is_asked_for(tmp_path):
    for name, kept in (("a", False), ("b", True)):
        plan = dataclasses.replace(PLAN, keep_default=kept)
        run(tmp_path / name, plan=plan, stop_after=30)
        study, _ = run(tmp_path / name, plan=plan)
        best = best_record(study.records(), "maximize").number
        assert best != 0, "another trial is better"
        folders = sorted(int(path.name) for path in (tmp_path / name / "trials").iterdir())
        assert folders == ([0, best] if kept else [best])


def test_a_study_can_be_given_more_trials(tmp_path):
    run(tmp_path, plan=dataclasses.replace(PLAN, budget=Budget(trials=4)))
    study, _ = run(tmp_path, plan=PLAN)
    assert len(study.records()) == 12
    assert counts(study.records())["paused"] == 0


def test_a_trial_that_raises_is_recorded_with_its_reason_and_the_study_goes_on(tmp_path):
    study, events = run(tmp_path, Rising(fail_at=2))
    failed = study.records()[2]
    assert failed.state == "failed"
    assert failed.notes["reason"].startswith("ValueError: too wide (test_driver.py, line ")
    assert counts(study.records())["failed"] == 1
    assert [e.reason for e in events if e.kind == "failed"] == [failed.notes["reason"]]


def test_a_score_that_is_no_number_fails_the_trial(tmp_path):
    def sometimes_nan(config, trial):
        for _ in trial.remaining_epochs():
            yield math.nan if trial.number == 1 else 1.0

    study, _ = run(tmp_path, sometimes_nan)
    assert study.records()[1].notes["reason"] == "the score after epoch 1 is nan"


def test_the_same_error_in_the_first_trials_stops_the_study_with_its_traceback(tmp_path):
    def broken(config, trial):
        raise ValueError("no such column")
        yield

    with pytest.raises(WorkError, match=r"(?s)first 3 trials all failed .*no such column.*Traceback"):
        run(tmp_path, broken)
    assert len(Study(tmp_path).records()) == 9


def test_errors_that_differ_in_their_numbers_are_the_same_error(tmp_path):
    def broken(config, trial):
        raise ValueError(f"no column {config['x']}")
        yield

    with pytest.raises(WorkError, match="first 3 trials"):
        run(tmp_path, broken)


def test_an_objective_that_exits_fails_its_trial_and_not_the_study(tmp_path):
    def leaving(config, trial):
        for _ in trial.remaining_epochs():
            if trial.number == 1:
                raise SystemExit(0)
            yield 1.0

    study, _ = run(tmp_path, leaving)
    assert study.records()[1].notes["reason"].startswith("SystemExit: 0 (test_driver.py, line ")
    assert counts(study.records())["failed"] == 1


def test_a_damaged_journal_is_named(tmp_path):
    run(tmp_path, stop_after=3)
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    (tmp_path / JOURNAL).write_bytes(b"".join([*lines[:3], b"garbage\n", *lines[3:]]))
    with pytest.raises(UserError, match=f"{JOURNAL} is damaged"):
        Study(tmp_path)
    (tmp_path / JOURNAL).write_bytes(b"")
    with pytest.raises(UserError, match="holds no study yet"):
        Study(tmp_path)


def test_checkpoints_are_kept_for_open_trials_and_the_best_only(tmp_path):
    study, _ = run(tmp_path)
    best = best_record(study.records(), "maximize")
    assert [path.name for path in (tmp_path / "trials").iterdir()] == [f"{best.number:04d}"]


def test_processes_give_the_table_of_one_process_and_survive_a_death(tmp_path):
    inline = table(run(tmp_path / "inline")[0])
    two, _ = run(tmp_path / "two", pool=ProcessPool(Rising(), 2))
    assert table(two) == inline
    died, _ = run(tmp_path / "died", pool=ProcessPool(Rising(die_at=4), 2))
    assert table(died) == inline


def test_one_driver_at_a_time(tmp_path):
    with exclusive(tmp_path), pytest.raises(UserError, match="is running now"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


def test_asking_whether_a_study_runs_leaves_its_folder_as_it_is(tmp_path):
    (tmp_path / JOURNAL).write_text("half a line")
    assert not is_running(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL]
    assert (tmp_path / JOURNAL).read_text() == "half a line"


def test_a_folder_without_a_journal_is_no_study(tmp_path):
    with pytest.raises(UserError, match="holds no study"):
        Study(tmp_path)


def test_looking_at_a_running_study_does_not_cut_its_last_line(tmp_path):
    run(tmp_path, stop_after=12)
    with (tmp_path / JOURNAL).open("a") as journal:
        journal.write('{"op_code": 4, "half')
    before = (tmp_path / JOURNAL).read_bytes()
    assert len(Study(tmp_path).records()) == 9
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_gain_and_importances(tmp_path):
    study, _ = run(tmp_path)
    records = study.records()
    best = best_record(records, "maximize")
    assert gain_over_default(records, "maximize") == pytest.approx(best.value - records[0].value)
    found = importances(records, SPACE, "maximize")
    assert found.n_trials == 12
    assert found.epochs == 1
    assert found.shares["x"] > found.shares["kind"]
    assert importances(records[:5], SPACE, "maximize") is None


@pytest.mark.parametrize("sampler", ["gp", "tpe", "nsga2", "nsga3", "sobol", "random"])
def test_every_sampler_proposes_inside_the_space_and_alike_for_one_seed(tmp_path, sampler):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=12), max_epochs=1, sampler=sampler)
    study, _ = run(tmp_path / "a", plan=plan, default=None)
    again, _ = run(tmp_path / "b", plan=plan, default=None)
    assert table(study) == table(again)
    points = [r.params["x"] for r in study.records()]
    assert all(-1 <= x <= 1 for x in points)
    assert len(set(points)) == 12


class Broken:
    """Scores for the first trials, then nothing but errors, each another one."""

    def __call__(self, config, trial):
        if trial.number > 2:
            raise ValueError("no such thing: " + "x" * trial.number)
        for epoch in trial.remaining_epochs():
            trial.folder.mkdir(parents=True, exist_ok=True)
            (trial.folder / "epoch").write_text(str(epoch))
            yield float(epoch)


@pytest.mark.parametrize("lockstep", [True, False])
def test_a_study_that_no_number_of_trials_ends_stops_where_all_fail(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(epochs=500), sampler="random", lockstep=lockstep)
    with pytest.raises(WorkError, match="the last 50 trials all failed, the last one with: ValueError: no such thing"):
        run(tmp_path, Broken(), plan)
    assert 50 <= counts(Study(tmp_path, "maximize").records())["failed"] < 60


def test_what_was_interrupted_is_not_run_on_where_no_budget_is_left(tmp_path):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=30), lockstep=False, sampler="random", first_rung=3)
    for stop_after in range(30, 100):
        folder = tmp_path / str(stop_after)
        study, _ = run(folder, plan=plan, stop_after=stop_after)
        records = study.records()
        tuned = any(r.state == "complete" for r in records[1:])
        if tuned and any(r.state == "paused" and len(r.scores) in (1, 2) for r in records):
            break
    else:
        raise AssertionError("no study was stopped between two rungs, after a trial was complete")
    study, _ = run(folder, plan=dataclasses.replace(plan, budget=Budget(minutes=1e-9)))
    assert sum(len(r.scores) for r in study.records()) == sum(len(r.scores) for r in records)
    assert counts(study.records())["paused"] == 0

"""Asynchronous halving and budgets, with objectives that need no training."""

import dataclasses
import math
import time
from collections.abc import Iterator

import pytest
from falling_studies import DEFAULT, PLAN, Falling, epochs, run, table

from trialwise.base.errors import UserError, WorkError
from trialwise.tuning.budgets import Budget
from trialwise.tuning.studies import Study
from trialwise.tuning.winner import best_record, counts
from trialwise.tuning.workers import InlinePool, ProcessPool


def asynchronous(**budget):
    return dataclasses.replace(PLAN, budget=Budget(**budget))


def test_the_default_runs_to_the_end_and_promotions_go_to_the_best_third_of_a_rung(tmp_path):
    study, over, events = run(tmp_path)
    records = study.records()
    assert over.stopped_by == "trials"
    assert counts(records)["paused"] == counts(records)["failed"] == 0
    assert (records[0].params, records[0].state) == (DEFAULT, "complete")
    assert {len(r.scores) for r in records} == {1, 3, 9}
    reached = [sum(len(r.scores) >= rung for r in records[1:]) for rung in (1, 3, 9)]
    assert reached[0] == 29
    assert reached[1] >= math.ceil(29 / 3)
    assert reached[2] >= 1
    assert [e.number for e in events][:10] == [0] * 10
    best = best_record(records, "minimize")
    assert [path.name for path in (tmp_path / "trials").iterdir()] == [f"{best.number:04d}"]


def test_each_promotion_is_of_one_among_the_best_third_of_its_rung_at_that_time(tmp_path):
    _, _, events = run(tmp_path)
    at_rung = {1: {}, 3: {}}
    n_promotions = 0
    for event in events:
        if event.kind == "paused":
            at_rung[event.epoch][event.number] = event.score
        elif event.kind == "score" and event.epoch - 1 in at_rung and event.number != 0:
            rivals = at_rung[event.epoch - 1]
            ahead = sum(score < rivals[event.number] for score in rivals.values())
            all_tried = len(at_rung[1]) == 29
            assert ahead < (math.ceil(len(rivals) / 3) if all_tried else len(rivals) // 3)
            n_promotions += 1
    assert n_promotions >= 11


def test_a_trial_that_is_promoted_late_goes_on_from_its_pause(tmp_path):
    _, _, events = run(tmp_path)
    paused = [e.number for e in events if e.kind == "paused"]
    promoted = [n for n in set(paused) if paused.count(n) > 1]
    assert promoted
    for number in promoted:
        of_trial = [e.epoch for e in events if e.number == number and e.kind == "score"]
        assert of_trial == list(range(1, len(of_trial) + 1))


@pytest.mark.parametrize("stop_after", [1, 4, 11, 12, 13, 30, 31, 32, 50, 77])
def test_with_one_worker_a_stopped_study_goes_on_to_the_table_of_an_unstopped_one(tmp_path, stop_after):
    whole = table(run(tmp_path / "whole")[0])
    run(tmp_path / "part", stop_after=stop_after)
    assert table(run(tmp_path / "part")[0]) == whole


@dataclasses.dataclass
class DefaultWaits:
    """The default does not come to its end before three other trials have paused or ended."""

    def __call__(self, config, trial) -> Iterator[float]:
        for score in Falling()(config, trial):
            deadline = time.monotonic() + 30
            while trial.number == 0 and not (trial.folder.parent / "0004").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            yield score


def test_no_worker_waits_for_another(tmp_path):
    start = time.monotonic()
    plan = dataclasses.replace(PLAN, budget=Budget(trials=12))
    study, _, _ = run(tmp_path, plan, pool=ProcessPool(DefaultWaits(), 2))
    assert time.monotonic() - start < 30
    assert counts(study.records())["paused"] == 0
    assert study.records()[0].state == "complete"


def test_the_sampler_learns_from_paused_trials(tmp_path):
    study, _, _ = run(tmp_path, asynchronous(trials=60), stop_after=150)
    by_view = [t.state.name for t in study.optuna.get_trials(deepcopy=False)]
    on_record = [t.state.name for t in study.storage.get_all_trials(0)]
    assert "PRUNED" in by_view
    assert "PRUNED" not in on_record
    assert by_view.count("RUNNING") <= 1
    assert counts(study.records())["pruned"] == 0
    assert counts(study.records())["paused"] > 1


@pytest.mark.parametrize("total", [18, 40, 60, 100])
def test_a_budget_of_epochs_is_never_exceeded_and_holds_a_winner_and_the_default(tmp_path, total):
    study, over, _ = run(tmp_path, asynchronous(epochs=total))
    assert over.stopped_by == "epochs"
    assert total - 9 < over.epochs == epochs(study) <= total
    complete = [r.number for r in study.records() if r.state == "complete"]
    assert complete[0] == 0
    assert len(complete) >= 2
    assert counts(study.records())["paused"] == 0


def test_a_budget_of_epochs_counts_what_earlier_sessions_used(tmp_path):
    run(tmp_path, asynchronous(epochs=80), stop_after=40)
    study, over, _ = run(tmp_path, asynchronous(epochs=80))
    assert over.epochs == epochs(study) <= 80
    assert table(study) == table(run(tmp_path / "whole", asynchronous(epochs=80))[0])


def test_a_budget_of_epochs_that_holds_no_trial_is_refused(tmp_path):
    with pytest.raises(UserError, match="--epochs-total 17: expected at least 18"):
        run(tmp_path, asynchronous(epochs=17))
    assert run(tmp_path / "one", asynchronous(epochs=9, trials=1))[1].stopped_by in ("trials", "epochs")
    assert run(tmp_path / "no default", asynchronous(epochs=9), default=None)[1].stopped_by == "epochs"


@pytest.mark.parametrize("lockstep", [False, True])
def test_a_target_ends_the_study_with_a_complete_winner(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=200, target=0.3), lockstep=lockstep)
    study, over, _ = run(tmp_path, plan)
    assert over.stopped_by == "target"
    assert best_record(study.records(), "minimize").value <= 0.3
    assert len(study.records()) < 200
    assert counts(study.records())["paused"] == 0


@pytest.mark.parametrize("lockstep", [False, True])
def test_a_plateau_ends_the_study(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(plateau=25), lockstep=lockstep)
    study, over, _ = run(tmp_path, plan)
    assert over.stopped_by == "plateau"
    best = best_record(study.records(), "minimize")
    assert len(study.records()) >= best.number + 25
    assert study.records()[0].state == "complete"


def test_a_plateau_waits_for_a_tuned_trial_and_counts_from_the_end_of_the_best(tmp_path):
    """Rungs of 1, 3, 9 and 27 epochs: before some 27 trials are begun none but the default can be complete."""
    plan = dataclasses.replace(PLAN, budget=Budget(plateau=10), max_epochs=27)
    study, over, events = run(tmp_path / "whole", plan)
    assert over.stopped_by == "plateau"
    complete = [event.number for event in events if event.kind == "complete"]
    assert len(complete) > 1
    begun, at_end, best = set(), {}, None
    for event in events:
        begun.add(event.number)
        if event.kind == "complete":
            at_end[event.number] = len(begun)
    best = best_record(study.records(), "minimize").number
    assert len(study.records()) >= at_end[best] + 10
    run(tmp_path / "part", plan, stop_after=60)
    assert table(run(tmp_path / "part", plan)[0]) == table(study)


@dataclasses.dataclass
class Short(Falling):
    """Gives up after five epochs, as an objective with a patience of its own does."""

    def __call__(self, config, trial):
        for epoch, score in enumerate(super().__call__(config, trial), start=trial.epochs_done + 1):
            yield score
            if epoch == 5 and config != DEFAULT:
                return


@pytest.mark.parametrize("lockstep", [False, True])
def test_a_study_of_which_no_trial_is_ever_complete_ends(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(plateau=10), sampler="random", first_rung=3, lockstep=lockstep)
    for default in (None, DEFAULT):
        with pytest.raises(WorkError, match="20 trials failed on their way and none came to its end"):
            run(tmp_path / str(default), plan, objective=Short(), default=default)
    again = dataclasses.replace(plan, budget=Budget(epochs=40))
    study, over, _ = run(tmp_path / "epochs", again, objective=Short())
    assert over.stopped_by == "epochs"
    assert epochs(study) <= 40
    assert counts(study.records())["paused"] == 0


@pytest.mark.parametrize("lockstep", [False, True])
def test_minutes_end_the_study_and_count_all_sessions(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(minutes=0.02), lockstep=lockstep)
    start = time.monotonic()
    study, over, _ = run(tmp_path, plan, objective=Falling(seconds=0.01))
    assert time.monotonic() - start < 10
    assert over.stopped_by == "minutes"
    states = counts(study.records())
    assert states["complete"] >= 2
    assert states["paused"] == 0
    plan = dataclasses.replace(plan, budget=Budget(minutes=over.seconds / 60))
    again, over, _ = run(tmp_path, plan, objective=Falling(seconds=0.01))
    assert over.stopped_by == "minutes"
    assert table(again) == table(study)


@pytest.mark.parametrize("lockstep", [False, True])
def test_in_lockstep_budgets_do_not_depend_on_the_workers(tmp_path, lockstep):
    plan = dataclasses.replace(PLAN, budget=Budget(epochs=90), lockstep=lockstep)
    one = run(tmp_path / "1", plan)
    two = run(tmp_path / "2", plan, pool=ProcessPool(Falling(), 2))
    for study, over, _ in (one, two):
        assert over.stopped_by == "epochs"
        assert epochs(study) <= 90
    assert not lockstep or table(one[0]) == table(two[0])


def test_a_trial_that_hangs_is_ended_with_its_reason_and_the_study_goes_on(tmp_path):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=4), trial_minutes=0.1)
    study, over, _ = run(tmp_path, plan, pool=ProcessPool(Falling(hang=0), 2))
    first = study.records()[0]
    assert first.state == "failed"
    assert first.notes["reason"].startswith("no sign of life for 0.1 minutes, after epoch ")
    assert over.stopped_by == "trials"
    assert counts(study.records())["complete"] >= 1


class LongInComing(InlinePool):
    """A pool whose every process takes longer to start than a trial may be silent."""

    def __init__(self, objective, seconds):
        super().__init__(objective)
        self._seconds = seconds
        self._ready = 0.0

    def start(self, task):
        super().start(task)
        self._ready = time.monotonic() + self._seconds

    def receive(self, timeout_seconds=None):
        left = self._ready - time.monotonic()
        if left > 0 and timeout_seconds is not None and timeout_seconds < left:
            time.sleep(timeout_seconds)
            return None
        time.sleep(max(0.0, left))
        return super().receive()


def test_a_trial_that_waits_for_a_process_or_a_node_is_not_silent(tmp_path):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=3), trial_minutes=0.002)
    study, _, _ = run(tmp_path, plan, pool=LongInComing(Falling(), 0.3))
    assert counts(study.records())["failed"] == 0


def test_a_study_can_be_given_more(tmp_path):
    run(tmp_path, asynchronous(trials=5))
    study, over, _ = run(tmp_path, asynchronous(trials=15))
    assert len(study.records()) == 15
    assert over.stopped_by == "trials"


@pytest.mark.parametrize("sampler", ["cmaes", "tpe", "sobol", "nsga2", "random"])
@pytest.mark.parametrize("stop_after", [7, 60, 111])
def test_every_sampler_goes_on_where_it_was(tmp_path, sampler, stop_after):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=60), max_epochs=1, sampler=sampler)
    whole = table(run(tmp_path / "whole", plan)[0])
    run(tmp_path / "part", plan, stop_after=stop_after)
    assert table(run(tmp_path / "part", plan)[0]) == whole
    if sampler == "cmaes":  # it closes in on the minimum, rather than beginning anew
        last = [r.params["x"] ** 2 + r.params["y"] ** 2 for r in Study(tmp_path / "part").records()[-15:]]
        assert sorted(last)[7] < 0.05


def test_first_points_of_four_workers_are_distinct(tmp_path):
    plan = dataclasses.replace(PLAN, budget=Budget(trials=16), max_epochs=1)
    for sampler in ("tpe", "random", "sobol", "gp"):
        study, _, _ = run(
            tmp_path / sampler, dataclasses.replace(plan, sampler=sampler), pool=ProcessPool(Falling(), 4), default=None
        )
        assert len({tuple(r.params.values()) for r in study.records()}) == 16


def test_paused_checkpoints_are_bounded(tmp_path):
    most = 0
    folder = tmp_path / "trials"

    def counting(config, trial):
        nonlocal most
        for score in Falling()(config, trial):
            most = max(most, len(list(folder.iterdir())))
            yield score

    plan = dataclasses.replace(asynchronous(trials=150), max_epochs=81, sampler="random")
    run(tmp_path, plan, objective=counting)
    assert 40 < most <= 53  # 50 paused, the best, the one that runs, the one that just ended


def test_a_budget_without_an_end_is_refused():
    with pytest.raises(UserError, match="a study needs an end"):
        Budget()
    with pytest.raises(UserError, match="a study needs an end"):
        Budget(target=0.5)

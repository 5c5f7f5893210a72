"""The best trials again on fresh seeds: alike for any number of workers, after a kill at any moment, and fair."""

import dataclasses
import json
import os
import signal
import time

import numpy as np
import pytest

from trialwise.tuning.belief import believe
from trialwise.tuning.budgets import Budget
from trialwise.tuning.confirmation import FOLDER, confirm, contenders, known_reruns, rerun_folder, tidy
from trialwise.tuning.driver import StudyPlan, run_study
from trialwise.tuning.spaces import Float
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.validation_rows import keep_rows, load_rows
from trialwise.tuning.workers import InlinePool, ProcessPool

PLAN = StudyPlan(budget=Budget(trials=12), max_epochs=3, lockstep=True, direction="maximize", sampler="random", seed=3)
ROWS = 400


@dataclasses.dataclass
class Flips:
    """Right on a share of the rows that depends on x by `worth`; which rows depends on the seed."""

    worth: float = 0.0
    fail_seed: int | None = None
    rows: bool = True

    def __call__(self, config, trial):
        trial.folder.mkdir(parents=True, exist_ok=True)
        for epoch in trial.remaining_epochs():
            (trial.folder / "epoch").write_text(str(epoch))
            if self.fail_seed == trial.seed:
                raise ValueError("no luck")
            right = np.random.default_rng([trial.seed, epoch]).random(ROWS) < 0.5 + self.worth * config["x"]
            if self.rows:
                trial.keep_rows(epoch, right, baseline_N=np.random.default_rng(9).random(ROWS) < 0.5)
            yield float(right.mean())


def study_of(folder, objective):
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(folder, "maximize")
    for _ in run_study(study, {"x": Float(low=0, high=1)}, PLAN, InlinePool(objective), default={"x": 0.0}):
        pass
    return study.records()


def again(folder, records, pool, stop_after=10**9, trial_minutes=None):
    numbers = contenders(records, "maximize", top=3, has_default=True)
    reruns = known_reruns(folder, numbers, 2, records)
    how = {"seed": 3, "max_epochs": 3, "first_number": len(records), "trial_minutes": trial_minutes}
    steps = confirm(folder, reruns, pool, **how)
    for number, _ in enumerate(steps):
        if number + 1 >= stop_after:
            steps.close()
            break
    pool.close()
    return reruns


def says(folder, records, reruns):
    return believe(folder, records, reruns, direction="maximize", max_epochs=3, seed=3, has_default=True)


def test_the_same_for_any_number_of_workers_and_after_a_stop_anywhere(tmp_path):
    records = study_of(tmp_path / "a", Flips())
    whole = again(tmp_path / "a", records, InlinePool(Flips()))
    assert len(whole) == 8
    assert all(rerun.is_over(3) for rerun in whole)
    assert study_of(tmp_path / "b", Flips()) == [
        dataclasses.replace(r, seconds=b.seconds)
        for r, b in zip(records, study_of(tmp_path / "b", Flips()), strict=True)
    ]
    assert again(tmp_path / "b", records, ProcessPool(Flips(), 2)) == whole
    study_of(tmp_path / "c", Flips())
    for stop_after in (1, 2, 4, 5):
        again(tmp_path / "c", records, InlinePool(Flips()), stop_after)
    assert again(tmp_path / "c", records, InlinePool(Flips())) == whole
    told = [says(tmp_path / name, records, whole) for name in "abc"]
    assert told[0] == told[1] == told[2]


def test_a_run_whose_folder_is_gone_begins_anew(tmp_path):
    records = study_of(tmp_path, Flips())
    whole = again(tmp_path, records, InlinePool(Flips()))
    record = rerun_folder(tmp_path, whole[0].trial, 1).with_suffix(".json")
    document = json.loads(record.read_text())
    record.write_text(json.dumps(document | {"scores": document["scores"][:1]}))
    for file in rerun_folder(tmp_path, whole[0].trial, 1).iterdir():
        file.unlink()
    assert again(tmp_path, records, InlinePool(Flips())) == whole


def test_all_trials_run_again_on_the_same_seeds(tmp_path):
    seeds = []

    def watched(config, trial):
        seeds.append(trial.seed)
        yield from Flips()(config, trial)

    records = study_of(tmp_path, Flips())
    again(tmp_path, records, InlinePool(watched))
    assert len(seeds) == 8
    assert len(set(seeds)) == 2


def test_coin_flips_gain_nothing_and_their_luck_is_named(tmp_path):
    records = study_of(tmp_path, Flips())
    found = says(tmp_path, records, again(tmp_path, records, InlinePool(Flips())))
    assert found.seen > 0
    assert found.optimism > 0
    assert found.corrected["ci95"][0] <= 0.5 <= found.corrected["ci95"][1]
    assert found.gain_p_value > 0.05
    assert found.chance_p_value > 0.05
    assert found.confirmed["n_seeds"] == 2


def test_a_true_gain_is_told(tmp_path):
    records = study_of(tmp_path, Flips(worth=0.4))
    found = says(tmp_path, records, again(tmp_path, records, InlinePool(Flips(worth=0.4))))
    assert found.gain > 0.2
    assert found.gain_p_value < 0.01
    assert found.chance_p_value < 0.01
    assert 0 < found.gain_standard_error < 0.1
    assert found.named == found.confirmed["best"] != 0
    assert found.gain_error_of == "seeds and rows"


def test_without_rows_the_optimism_is_unknown_and_seeds_alone_judge(tmp_path):
    records = study_of(tmp_path, Flips(rows=False))
    found = says(tmp_path, records, again(tmp_path, records, InlinePool(Flips(rows=False))))
    assert (found.optimism, found.corrected, found.chance_p_value) == (None, None, None)
    assert found.gain_standard_error > 0
    assert found.gain_p_value > 0.05
    assert found.gain_error_of == "seeds"


def test_rows_in_another_unit_than_the_score_say_nothing_of_its_error(tmp_path):
    def in_percent(config, trial):
        for score in Flips(worth=0.4)(config, trial):
            yield 100 * score

    records = study_of(tmp_path, in_percent)
    found = says(tmp_path, records, again(tmp_path, records, InlinePool(in_percent)))
    assert (found.optimism, found.gain_error_of) == (None, "seeds")
    assert found.gain > 20


def test_fresh_seeds_that_change_nothing_tell_no_luck(tmp_path):
    def the_same(config, trial):
        fixed = dataclasses.replace(trial, seed=1)
        yield from Flips(worth=0.4, rows=False)(config, fixed)

    records = study_of(tmp_path, the_same)
    found = says(tmp_path, records, again(tmp_path, records, InlinePool(the_same)))
    assert found.gain > 0
    assert (found.gain_standard_error, found.gain_p_value) == (None, None)


def test_without_reruns_the_rows_of_the_study_judge(tmp_path):
    found = says(tmp_path, study_of(tmp_path, Flips()), [])
    assert found.confirmed is None
    assert found.gain == found.seen
    assert (found.gain_standard_error, found.gain_p_value > 0.05) == (None, True)


def test_a_failed_rerun_is_on_record_and_its_trial_is_not_named(tmp_path):
    records = study_of(tmp_path, Flips())
    numbers = contenders(records, "maximize", top=3, has_default=True)
    first = known_reruns(tmp_path, numbers, 2, records)[1]

    def failing(config, trial):
        if config == first.params and trial.folder.name.endswith("-2"):
            raise ValueError("no luck")
        yield from Flips()(config, trial)

    reruns = again(tmp_path, records, InlinePool(failing))
    (reason,) = [r.reason for r in reruns if r.reason]
    assert reason.startswith("ValueError: no luck (test_confirmation.py, line ")
    found = says(tmp_path, records, reruns)
    assert first.trial not in {row["trial"] for row in found.confirmed["trials"]}
    assert len(found.confirmed["trials"]) == 3


@dataclasses.dataclass
class OneHangs:
    """One seed of one trial gives no second score."""

    name: str

    def __call__(self, config, trial):
        for score in Flips()(config, trial):
            while trial.folder.name == self.name and int((trial.folder / "epoch").read_text()) == 2:
                time.sleep(60)
            yield score


def test_a_rerun_that_hangs_is_ended_and_the_others_go_on(tmp_path):
    records = study_of(tmp_path, Flips())
    number = contenders(records, "maximize", top=3, has_default=True)[1]
    pool = ProcessPool(OneHangs(f"{number:04d}-2"), 2)
    reruns = again(tmp_path, records, pool, trial_minutes=0.02)
    (hung,) = [rerun for rerun in reruns if rerun.reason]
    assert (hung.trial, hung.seed_number, len(hung.scores)) == (number, 2, 1)
    assert hung.reason == "no sign of life for 0.02 minutes, after epoch 1 (--trial-minutes)"
    assert sum(rerun.value(3) is not None for rerun in reruns) == 7
    assert again(tmp_path, records, InlinePool(Flips())) == reruns, "it is not tried again"


@dataclasses.dataclass
class KilledOften:
    """The first epochs of one seed are killed from outside, four times."""

    name: str

    def __call__(self, config, trial):
        deaths = trial.folder.parent.parent / "deaths"
        if trial.folder.name == self.name and len(deaths.read_text() if deaths.exists() else "") < 4:
            with deaths.open("a") as log:
                log.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        yield from Flips()(config, trial)


def test_a_rerun_that_somebody_else_kills_is_started_again_like_a_trial(tmp_path):
    records = study_of(tmp_path / "a", Flips())
    study_of(tmp_path / "b", Flips())
    number = contenders(records, "maximize", top=3, has_default=True)[1]
    reruns = again(tmp_path / "a", records, ProcessPool(KilledOften(f"{number:04d}-1"), 2))
    assert (tmp_path / "a" / "deaths").read_text() == "xxxx"
    assert reruns == again(tmp_path / "b", records, InlinePool(Flips()))


def test_contenders_are_the_best_that_differ(tmp_path):
    def record(number, value, x, state="complete"):
        return TrialRecord(
            number=number, state=state, params={"x": x}, value=value, scores={1: value}, seconds=1.0, notes={}
        )

    records = [record(0, 0.5, 0), record(1, 0.9, 1), record(2, 0.8, 1), record(3, 0.7, 2), record(4, 0.95, 0)]
    records.append(record(5, 0.99, 5, state="pruned"))
    assert contenders(records, "maximize", top=3, has_default=True) == [0, 1, 3]
    assert contenders(records, "minimize", top=1, has_default=True) == [0, 3]
    assert contenders(records, "maximize", top=2, has_default=False) == [4, 1]
    assert contenders(records[:1], "maximize", top=3, has_default=True) == []


def test_tidying_keeps_the_first_seed_and_every_record(tmp_path):
    records = study_of(tmp_path, Flips())
    reruns = again(tmp_path, records, InlinePool(Flips()))
    (tmp_path / FOLDER / "0099-1").mkdir()
    tidy(tmp_path, reruns)
    folders = {path.name for path in (tmp_path / FOLDER).iterdir() if path.is_dir()}
    assert folders == {f"{rerun.trial:04d}-1" for rerun in reruns}
    assert known_reruns(tmp_path, sorted({r.trial for r in reruns}), 2, records)[0].is_over(3)
    assert all(load_rows(rerun_folder(tmp_path, r.trial, r.seed_number)) is not None for r in reruns)


def test_every_finished_trial_keeps_its_rows_when_its_checkpoint_is_gone(tmp_path):
    records = study_of(tmp_path, Flips())
    for record in records:
        rows = load_rows(tmp_path / "trials" / f"{record.number:04d}")
        assert rows.scores_N.mean() == pytest.approx(record.value)
        assert rows.epoch == len(record.scores)
    assert len(list((tmp_path / "trials").iterdir())) < len(records)


def test_damaged_rows_are_as_good_as_none(tmp_path):
    records = study_of(tmp_path, Flips())
    (tmp_path / "validation" / "0000.npz").write_bytes(b"no archive")
    assert load_rows(tmp_path / "trials" / "0000") is None
    assert says(tmp_path, records, []).gain_p_value is None


def test_one_block_of_rows_tells_nothing_and_what_is_too_large_is_refused(tmp_path):
    folder = tmp_path / "trials" / "0000"
    keep_rows(folder, np.arange(20.0), baseline_N=None, block_length=20, epoch=1)
    assert load_rows(folder) is None
    keep_rows(folder, np.arange(21.0), baseline_N=None, block_length=20, epoch=1)
    assert load_rows(folder) is not None
    with pytest.raises(ValueError, match="one finite score for each validation row"):
        keep_rows(folder, np.array([1.0, 1e39]), baseline_N=None, block_length=1, epoch=1)

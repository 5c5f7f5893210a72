"""What every pool must do: the same tests for the one that runs here and the one of processes."""

import dataclasses
import json
import os
import signal
import time
from contextlib import closing

import numpy as np
import pytest
import torch

from trialwise.tuning.task_lists import run_all
from trialwise.tuning.tasks import Begun, Done, Failure, Score, Task, reason_of, run_task
from trialwise.tuning.trials import Trial
from trialwise.tuning.workers import InlinePool, ProcessPool


@dataclasses.dataclass
class Counting:
    """Scores number + epoch / 10; what it keeps is the epoch. A configuration says what else it does in which epoch."""

    def __call__(self, config, trial):
        trial.folder.mkdir(parents=True, exist_ok=True)
        for epoch in trial.remaining_epochs():
            if epoch == config.get("hang_in"):
                (trial.folder / "hangs").write_text(str(os.getpid()))
                time.sleep(60)
            if epoch == config.get("die_in") and not (trial.folder / "died").exists():
                (trial.folder / "died").touch()
                config["how"]()
            if epoch == config.get("raise_in"):
                raise MemoryError
            (trial.folder / "epoch").write_text(str(epoch))
            trial.notes["pid"] = os.getpid()
            yield trial.number + epoch / 10


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def exit_with_9():
    os._exit(9)


def task(folder, number, until=3, done=0, **config):
    trial = Trial(number=number, seed=number, max_epochs=9, epochs_done=done, folder=folder / str(number))
    return Task(trial=trial, config=config, until_epoch=until)


@pytest.fixture(params=["inline", "processes"], scope="module")
def pool(request):
    with closing(InlinePool(Counting()) if request.param == "inline" else ProcessPool(Counting(), 2)) as made:
        yield made


def test_a_task_ends_in_one_done_after_its_scores_in_order(pool, tmp_path):
    tasks = [task(tmp_path, number) for number in range(4)]
    messages = list(run_all(pool, tasks))
    for number in range(4):
        of_trial = [m for m in messages if m.number == number]
        assert [(m.epoch, m.score) for m in of_trial[:-1]] == [(e, number + e / 10) for e in (1, 2, 3)]
        assert of_trial[-1] == Done(number=number)


def test_nothing_comes_where_nothing_runs(pool):
    assert pool.receive(0.01) is None
    assert pool.receive() is None


def test_a_task_goes_on_after_its_epochs_done_and_an_error_has_its_reason(pool, tmp_path):
    list(run_all(pool, [task(tmp_path, 1, until=2)]))
    assert [m.epoch for m in run_all(pool, [task(tmp_path, 1, done=2, until=4)]) if isinstance(m, Score)] == [3, 4]
    (failure,) = run_all(pool, [task(tmp_path, 2, raise_in=1)])
    assert failure.reason.startswith("out of memory (MemoryError) (test_workers.py, line ")
    assert not failure.lost
    assert "raise MemoryError" in failure.traceback


def test_a_trial_that_died_after_its_last_score_runs_no_further_epoch(pool, tmp_path):
    assert list(run_all(pool, [task(tmp_path, 1, done=2, until=2)])) == [Done(number=1)]
    assert not (tmp_path / "1").exists()


def test_a_trial_that_left_nothing_behind_begins_anew(pool, tmp_path):
    epochs = [m.epoch for m in run_all(pool, [task(tmp_path, 1, done=2, until=3)]) if isinstance(m, Score)]
    assert epochs == [1, 2, 3]


def test_a_stopped_trial_is_silent_and_its_place_is_free(pool, tmp_path):
    pool.start(task(tmp_path, 1, until=9))
    assert pool.receive() == Begun(number=1)
    assert pool.receive().epoch == 1
    pool.stop(7)
    pool.stop(1)
    assert pool.receive(0.2) is None
    assert [m.number for m in run_all(pool, [task(tmp_path, number, until=1) for number in (2, 3, 4)])].count(3) == 2
    again = [m for m in run_all(pool, [task(tmp_path, 1, until=9, done=1)]) if isinstance(m, Score)]
    assert again[-1].epoch == 9


def test_processes_wait_no_longer_than_told_and_hanging_ones_can_be_stopped(tmp_path):
    with closing(ProcessPool(Counting(), 2)) as pool:
        pool.start(task(tmp_path, 1, hang_in=1))
        list(run_all(pool, []))
        while not (tmp_path / "1" / "hangs").exists():
            assert pool.receive(0.05) in (None, Begun(number=1))
        pool.stop(1)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "1" / "hangs").read_text()), 0)
        pids = {m.notes["pid"] for m in run_all(pool, [task(tmp_path, n) for n in range(8)]) if isinstance(m, Score)}
        assert len(pids) == 2


@pytest.mark.parametrize(
    ("how", "reason", "blameless"), [(kill_myself, "killed (SIGKILL)", True), (exit_with_9, "exit code 9", False)]
)
def test_a_death_is_told_and_the_process_replaced(tmp_path, how, reason, blameless):
    with closing(ProcessPool(Counting(), 1)) as pool:
        messages = list(run_all(pool, [task(tmp_path, 1, die_in=2, how=how), task(tmp_path, 2)]))
        lost = next(m for m in messages if isinstance(m, Failure))
        assert reason in lost.reason
        assert (lost.number, lost.lost, lost.blameless) == (1, True, blameless)
        assert Done(number=2) in messages


def test_a_process_killed_while_idle_costs_nothing(tmp_path):
    with closing(ProcessPool(Counting(), 1)) as pool:
        first, _ = run_all(pool, [task(tmp_path, 1, until=1)])
        os.kill(first.notes["pid"], signal.SIGKILL)
        time.sleep(0.2)
        assert [type(m) for m in run_all(pool, [task(tmp_path, 2, until=1)])] == [Score, Done]


def test_out_of_memory_is_said_in_words():
    class OutOfMemoryError(RuntimeError):
        """As torch names it."""

    allocator = "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to"
    assert reason_of(OutOfMemoryError("CUDA")) == "out of memory (OutOfMemoryError: CUDA)"
    assert reason_of(RuntimeError(allocator)).startswith("out of memory (RuntimeError: [enforce")
    assert reason_of(ValueError("x")) == "ValueError: x"


def test_an_objective_that_ends_early_fails(tmp_path):
    def short(config, trial):
        yield from (1.0, 2.0)

    messages = list(run_task(short, task(tmp_path, 1)))
    assert messages[0] == Begun(number=1)
    assert messages[-1].reason == "the objective ended after 2 of 3 epochs"


@dataclasses.dataclass
class Seeing:
    """Puts on record which GPU its process sees, and dies once where the configuration says so."""

    def __call__(self, config, trial):
        trial.folder.mkdir(parents=True, exist_ok=True)
        trial.notes["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        for epoch in trial.remaining_epochs():
            if config.get("dies") and not (trial.folder / "died").exists():
                (trial.folder / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.1)  # so that both processes are busy at once
            yield float(epoch)


def test_each_process_sees_its_own_gpu_and_so_does_the_one_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    tasks = [
        Task(
            trial=Trial(number=n, seed=0, max_epochs=1, folder=tmp_path / str(n)), config={"dies": n < 2}, until_epoch=1
        )
        for n in range(2)
    ]
    seen, lost = [], 0
    with closing(ProcessPool(Seeing(), 2, gpus=["5", "7"])) as pool:
        for _ in range(2):  # every process is killed at its first task
            for message in run_all(pool, tasks):
                lost += isinstance(message, Failure) and message.lost
                if isinstance(message, Score):
                    seen.append(message.notes["gpu"])
    assert lost == 2
    assert sorted(seen) == ["5", "7"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,7"


def test_without_gpus_a_process_sees_what_this_one_does(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "none of them")
    task = Task(trial=Trial(number=0, seed=0, max_epochs=1, folder=tmp_path / "0"), config={}, until_epoch=1)
    with closing(ProcessPool(Seeing(), 1)) as pool:
        scores = [message for message in run_all(pool, [task]) if isinstance(message, Score)]
    assert [score.notes["gpu"] for score in scores] == ["none of them"]


class Noting:
    """Puts the configuration on record."""

    def __call__(self, config, trial):
        trial.notes["given"] = config["given"]
        yield 1.0


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int64(3), 3),
        (np.array([1.0, 2.0], dtype=np.float32), [1.0, 2.0]),
        (torch.tensor(0.5), 0.5),
        ({"a": [1]}, {"a": [1]}),
        ({1, 2}, None),
    ],
)
def test_notes_are_plain_and_what_cannot_be_written_fails_its_trial_alone(given, kept, tmp_path):
    trial = Trial(number=0, seed=0, max_epochs=1, folder=tmp_path / "0")
    messages = list(run_task(Noting(), Task(trial=trial, config={"given": given}, until_epoch=1)))
    if kept is None:
        assert "trial.notes['given']: expected a value that JSON can write" in messages[-1].reason
    else:
        assert messages[1].notes == {"given": kept}
        assert json.loads(json.dumps(messages[1].notes)) == {"given": kept}

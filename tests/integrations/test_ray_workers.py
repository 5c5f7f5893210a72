"""Studies on a real Ray cluster of three nodes (the first without processors), whose nodes, database and driver die."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from bucket_files import surroundings

from trialwise import api
from trialwise.base.errors import UserError, WorkError
from trialwise.base.runs import RunFolder
from trialwise.functions.objective import OwnObjective
from trialwise.tuning.settings import ClusterSettings
from trialwise.tuning.spaces import Float
from trialwise.tuning.task_lists import run_all
from trialwise.tuning.tasks import Begun, Done, Score, Task
from trialwise.tuning.trials import Trial

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install trialwise[ray]", allow_module_level=True)

# The state is carried from epoch to epoch in the trial's folder alone; `log` sees every epoch that was run.
MODEL = """
import os, time
import {name}_parts

def objective(config, trial):
    state = trial.folder / "state"
    values = state.read_text().split()[: trial.epochs_done] if state.exists() else []
    assert len(values) == trial.epochs_done, f"{{trial.epochs_done}} epochs are done, {{len(values)}} are here"
    value = float(values[-1]) if values else config["x"]
    for epoch in trial.remaining_epochs():
        time.sleep({nap})
        if config["x"] > {bad}:
            raise ValueError("too far")
        while config["x"] == 0.125:
            time.sleep(60)
        value = {name}_parts.step(value)
        values.append(repr(value))
        state.write_text(" ".join(values))
        with open({log!r}, "a") as log:
            log.write(f"{{trial.number}} {{epoch}}\\n")
        print("a trial says", trial.number)
        yield value
"""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """The environment in which all processes, those of the cluster too, know `bucket://`."""
    before, says = dict(os.environ), surroundings(tmp_path_factory.mktemp("store"))
    os.environ.update(says)
    yield says
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def cluster(bucket):
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.add_node(num_cpus=1)
    try:
        yield made
    finally:
        made.shutdown()


@pytest.fixture
def model(tmp_path):
    """A function that writes a module of its own name and gives "module:objective"."""

    def write(name, nap=0.0, bad=9.0):
        (tmp_path / f"{name}_parts.py").write_text("def step(value):\n    return value * 0.7 + 0.01\n")
        text = MODEL.format(name=name, nap=nap, bad=bad, log=str(tmp_path / "log"))
        (tmp_path / f"{name}.py").write_text(text)
        return f"{name}:objective"

    return write


def epochs_run(tmp_path):
    return [tuple(map(int, line.split())) for line in (tmp_path / "log").read_text().splitlines()]


def table(run):
    return [{key: trial[key] for key in ("number", "state", "params", "value")} for trial in run.result["trials"]]


TABLES = []


def local_table(reference, tmp_path):
    """The table of the same study on this machine alone, made once."""
    if not TABLES:
        run = api.tune(reference, SPACE, epochs=9, search={**HOW, "workers": 2}, out=tmp_path / "here")
        TABLES.append(table(run))
        (tmp_path / "log").unlink()
    return TABLES[0]


def replace_node(cluster):
    """Kill a node with all its processes at once; another one comes."""
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    cluster.add_node(num_cpus=1)


SPACE = {"x": Float(low=0.5, high=2.0, default=1.0)}
HOW = {"trials": 9, "lockstep": True, "sampler": "random", "confirm": 0}


def test_a_pool_on_a_cluster_does_what_every_pool_does(cluster, model, tmp_path):
    from trialwise.integrations.ray_workers import RayPool

    reference = model("pool_model", bad=5.0)
    objective = OwnObjective(reference, tmp_path)
    importlib.import_module("trialwise.functions.objective").load_callable(reference, tmp_path)
    run = RunFolder.create("tune", {}, seed=0, out=tmp_path / "run")
    settings = ClusterSettings(ray=cluster.address, checkpoints=str(tmp_path / "shared"))

    def task(number, x, until=3, done=0, most=9):
        folder = run.path / "trials" / f"{number:04d}"
        trial = Trial(number=number, seed=0, max_epochs=most, epochs_done=done, folder=folder)
        return Task(trial=trial, config={"x": x}, until_epoch=until)

    with closing(RayPool(objective, settings, run_folder=run.path, study="one", code=tmp_path)) as pool:
        assert pool.capacity == 2
        assert pool.receive() is None
        messages = list(run_all(pool, [task(number, 1.0) for number in range(3)] + [task(3, 6.0)]))
        for number in range(3):
            of_trial = [m for m in messages if m.number == number]
            assert [m.epoch for m in of_trial[:-1]] == [1, 2, 3]
            assert of_trial[-1] == Done(number=number)
        (failure,) = [m for m in messages if m.number == 3]
        assert failure.reason.startswith("ValueError: too far")
        assert not failure.lost
        assert "raise ValueError" in failure.traceback

        pool.start(task(4, 0.125))
        assert pool.receive() == Begun(number=4)
        assert pool.receive(0.2) is None
        pool.stop(4)
        assert pool.receive() is None

        (run.path / "trials" / "0001").rename(tmp_path / "gone")  # as the driver does with a trial that is pruned
        more = list(run_all(pool, [task(0, 1.0, until=5, done=3, most=5)]))
        assert [m.epoch for m in more[:-1]] == [4, 5]
        assert (run.path / "trials" / "0000" / "state").read_text().count(" ") == 4
        assert sorted(path.name for path in (tmp_path / "shared" / "one").iterdir()) == ["trials.0002"]

        pool.start(task(2, 1.0, until=9, done=3))
        assert isinstance(pool.receive(), Begun)
        assert isinstance(pool.receive(), Score)
        replace_node(cluster)
        replace_node(cluster)
        heard = [pool.receive()]
        while isinstance(heard[-1], Score):
            heard.append(pool.receive())
        assert isinstance(heard[-1], Done) or (heard[-1].lost and heard[-1].blameless)


def test_a_trial_paused_at_a_rung_of_samples_goes_on_from_the_archives(cluster, tmp_path, model, monkeypatch):
    reference = model("samples_model")
    source = (tmp_path / "samples_model.py").read_text()
    (tmp_path / "samples_model.py").write_text(source.replace("yield value", "trial.saw(100); yield value"))
    monkeypatch.chdir(tmp_path)  # a relative place is this folder's, whatever the nodes' own current folder
    search = {**HOW, "first_rung": "100samples", "ray": cluster.address, "checkpoints": "kept"}
    found = api.tune(reference, SPACE, epochs=9, search=search, out=tmp_path / "run")
    assert found.result["counts"]["failed"] == 0
    assert len(epochs_run(tmp_path)) == len(set(epochs_run(tmp_path))), "no epoch is trained twice"
    assert (tmp_path / "kept").is_dir()
    assert list((tmp_path / "kept").glob("*/*")) == []


@pytest.fixture
def slow_enough(model):
    return model("study_model", nap=0.15)


def test_a_study_outlives_a_node_and_a_restart_of_its_database(
    cluster, slow_enough, tmp_path, postgres_server, postgres_url
):
    here = local_table(slow_enough, tmp_path)
    accidents = [lambda: replace_node(cluster), postgres_server.restart]
    notes = []

    def watch(event):
        notes.append(getattr(event, "text", ""))
        if getattr(event, "kind", "") == "score" and accidents and len(epochs_run(tmp_path)) > 6 * (3 - len(accidents)):
            accidents.pop(0)()

    search = {**HOW, "storage": postgres_url, "ray": cluster.address, "checkpoints": str(tmp_path / "shared")}
    search |= {"confirm": 1, "confirm_seeds": 1}
    there = api.tune(slow_enough, SPACE, epochs=9, search=search, out=tmp_path / "there", watch=watch)
    assert not accidents
    assert table(there) == here
    twice = [epoch for epoch in set(epochs_run(tmp_path)) if epochs_run(tmp_path).count(epoch) > 1]
    assert len(twice) <= 2, "a lost node costs its trial one epoch"
    assert list((tmp_path / "shared").glob("*/*")) == []
    reruns = [json.loads(path.read_text()) for path in (there.path / "confirmation").glob("*.json")]
    assert [len(rerun["scores"]) for rerun in reruns] == [9, 9]
    best = there.result["best_trial"]
    assert (there.path / "trials" / f"{best:04d}" / "state").read_text().count(" ") == 8


def test_a_killed_driver_goes_on_at_another_address(cluster, slow_enough, tmp_path, capfd):
    here = local_table(slow_enough, tmp_path)
    (tmp_path / "space.toml").write_text("[x]\nlow = 0.5\nhigh = 2.0\ndefault = 1.0\n")
    command = [sys.executable, "-m", "trialwise", "tune", slow_enough, "--space", "space.toml", "--epochs", "9"]
    command += [
        "--trials",
        "9",
        "--lockstep",
        "--sampler",
        "random",
        "--confirm",
        "0",
        "--ray",
        cluster.address,
        "--out",
        "there",
    ]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
    while not (tmp_path / "log").exists() or len(epochs_run(tmp_path)) < 8:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGKILL)
    _, said = driver.communicate()
    assert "a trial says" in said
    before = len(epochs_run(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "trialwise", "study", "resume", "there", "--ray", "auto", "--json"],
        env={**os.environ, "RAY_ADDRESS": cluster.address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{"), "what trials print is not among the data"
    there = RunFolder.open(tmp_path / "there")
    assert table(there) == here
    assert there.settings["search"]["cluster"]["ray"] == "auto"
    assert before < len(epochs_run(tmp_path)) <= sum(len(t["scores"]) for t in read_trials(there)) + 2


def test_ctrl_c_ends_all_trials_and_the_study_goes_on_from_a_place_known_by_url(cluster, bucket, slow_enough, tmp_path):
    here = local_table(slow_enough, tmp_path)
    (tmp_path / "space.toml").write_text("[x]\nlow = 0.5\nhigh = 2.0\ndefault = 1.0\n")
    command = [sys.executable, "-m", "trialwise", "tune", slow_enough, "--space", "space.toml", "--epochs", "9"]
    command += ["--trials", "9", "--lockstep", "--sampler", "random", "--confirm", "0", "--out", "there"]
    command += ["--ray", cluster.address, "--checkpoints", "bucket://studies/mine"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
    while not (tmp_path / "log").exists() or len(epochs_run(tmp_path)) < 8:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130, said
    assert "trialwise study resume there" in said
    assert "Traceback" not in said
    assert RunFolder.open(tmp_path / "there").record["status"] == "interrupted"
    ended = len(epochs_run(tmp_path))
    time.sleep(1.0)
    assert len(epochs_run(tmp_path)) == ended, "no trial runs on"
    kept = list(Path(bucket["FSSPEC_BUCKET_ROOT"], "studies", "mine").glob("*/*/*.tar"))
    assert kept, "paused trials' checkpoints are in the store"

    resumed = subprocess.run(
        [sys.executable, "-m", "trialwise", "study", "resume", "there", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    there = RunFolder.open(tmp_path / "there")
    assert table(there) == here
    assert len(epochs_run(tmp_path)) <= sum(len(t["scores"]) for t in read_trials(there)) + 2
    assert list(Path(bucket["FSSPEC_BUCKET_ROOT"], "studies", "mine").glob("*/*")) == []


def test_a_store_that_refuses_is_said_before_anything_runs(cluster, bucket, model, monkeypatch):
    code = "import sys; from trialwise.cli.app import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "tune", model("refused_model"), "--param", "x=0.5:2.0", "--epochs", "3"]
    command += ["--ray", cluster.address, "--checkpoints", "bucket://studies/mine"]
    environment = {**os.environ, "FSSPEC_BUCKET_KEY": "wrong"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    said = " ".join(done.stderr.split())
    assert "--checkpoints bucket://studies/mine" in said
    assert "cannot be written to: the bucket wants its key" in said


@pytest.fixture
def with_gpus(cluster):
    """The cluster with a node of two GPUs more, as far as Ray knows."""
    node = cluster.add_node(num_cpus=8, num_gpus=2)
    yield cluster
    cluster.remove_node(node)


SEES = """
import os
from pathlib import Path
import time

def objective(config, trial):
    here = trial.folder.parent.parent / "together"
    here.mkdir(exist_ok=True)
    for epoch in trial.remaining_epochs():
        (here / str(trial.number)).touch()
        deadline = time.monotonic() + 60
        while len(list(here.iterdir())) < {together} and time.monotonic() < deadline:
            time.sleep(0.02)
        trial.notes["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        trial.notes["together"] = len(list(here.iterdir()))
        yield config["x"]
"""


@pytest.mark.parametrize(("share", "together"), [(1.0, 2), (0.5, 4)])
def test_each_trial_sees_its_own_gpu_or_its_share_of_one(with_gpus, tmp_path, share, together):
    name = f"sees_{together}"
    (tmp_path / f"{name}.py").write_text(SEES.format(together=together))
    search = {"trials": together, "sampler": "random", "confirm": 0, "ray": with_gpus.address, "gpus_per_trial": share}
    run = api.tune(f"{name}:objective", {"x": Float(low=0.5, high=2.0)}, search=search, out=tmp_path / "run")
    assert run.result["workers"] == together, "as many as there are shares, whatever the processors"
    notes = [trial["notes"] for trial in read_trials(run)]
    assert [note["together"] for note in notes] == [together] * together, "all of them ran at once"
    assert sorted(note["gpu"] for note in notes) == sorted(["0", "1"] * (together // 2))


def test_a_trial_that_waits_for_a_node_with_room_is_not_called_silent(cluster, model, tmp_path):
    """Three places and two nodes of one processor: the third trial waits for longer than trials may be silent."""
    reference = model("waiting_model", nap=1.0)
    search = {**HOW, "first_rung": "9", "trials": 3, "workers": 3, "ray": cluster.address, "trial_minutes": 0.1}
    run = api.tune(reference, SPACE, epochs=9, search=search, out=tmp_path / "run")
    assert [trial["state"] for trial in run.result["trials"]] == ["complete"] * 3


def read_trials(run):
    return json.loads((run.path / "trials.json").read_text())


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"ray": "127.0.0.1:1"}, WorkError, "nobody answers"),
        ({"ray": "local"}, UserError, "address of a cluster that runs"),
        ({"ray": "somewhere"}, UserError, "expected auto, HOST:6379 or ray://HOST:10001"),
        ({"ray": "auto", "checkpoints": "nosuch://bucket"}, UserError, "cannot be written to"),
        ({"ray": "auto", "checkpoints": "ftp://me:secret@host/folder"}, UserError, "ftp://me@host/folder: run folders"),
        ({"cpus_per_trial": 2}, UserError, "for a Ray cluster"),
        ({"ray": "auto", "gpus_per_trial": 1.5}, UserError, "a share of one GPU or a whole number"),
    ],
)
def test_what_cannot_work_is_said_at_once(model, settings, error, words):
    with pytest.raises(error, match=words):
        api.tune(model("no_model"), SPACE, epochs=3, search={"trials": 3, **settings})


def test_a_cluster_without_room_says_so(cluster, model):
    search = {"trials": 3, "ray": cluster.address, "cpus_per_trial": 64, "gpus_per_trial": 2.0}
    with pytest.raises(UserError, match="no node of the Ray cluster has 64 CPUs and 2 GPUs"):
        api.tune(model("big_model"), SPACE, epochs=3, search=search)

import dataclasses
import importlib.util
import sys
from pathlib import Path

from trialwise.base.runs import RunFolder
from trialwise.images.cifar import CIFAR10
from trialwise.images.expectations import expectation, measured
from trialwise.images.sources import find_source
from trialwise.images.store import prepare

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_figure_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("gathering", BENCHMARKS / "expectations.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "measured")
    assert [dataclasses.asdict(one) for one in measured()] == module.gathered()
    assert len(measured()) >= 1


def test_cifar10_is_known_and_other_data_is_not(pictures):
    data = prepare(find_source(str(pictures))).description
    like_cifar = dataclasses.replace(data, classes=CIFAR10.classes, n_train=50_000)
    known = expectation(like_cifar, epochs=10, n_params=190_000 + 10_000)
    assert f"{measured()[0].accuracy:.1%} in {measured()[0].epochs} epochs" in known
    assert "JPEG copy" in known
    for other in (data, dataclasses.replace(like_cifar, n_train=5_000)):
        assert "no training of this data is on record" in expectation(other, epochs=10, n_params=200_000)
    assert "no training" in expectation(like_cifar, epochs=10, n_params=8_000)


def test_ones_own_training_of_the_same_data_and_size_comes_first(pictures):
    data = prepare(find_source(str(pictures))).description

    def add_run(epochs, content, n_params, accuracy, status="complete"):
        run = RunFolder.create("image-train", {"content_sha256": content}, seed=0)
        result = {"epochs": epochs, "n_params": n_params, "valid": {"accuracy": accuracy, "n": 40}}
        run.finish(result, status=status)

    add_run(10, data.content_sha256, 8_000, 0.8)
    add_run(40, data.content_sha256, 8_000, 0.9)
    add_run(30, data.content_sha256, 100_000, 0.95)
    add_run(30, "of other data", 8_000, 0.96)
    add_run(30, data.content_sha256, 8_000, 0.97, status="interrupted")
    sentence = expectation(data, epochs=30, n_params=9_000)
    assert sentence.startswith("an earlier training of this data gave 90.0% of 40 validation images in 40 epochs")
    assert "80.0%" in expectation(data, epochs=5, n_params=9_000)

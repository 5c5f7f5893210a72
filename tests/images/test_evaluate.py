"""The evaluation puts its parts together: each number from the right rows, nothing mixed."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from trialwise.base.files import to_json
from trialwise.base.settings import fill
from trialwise.images.calibrate import calibrated
from trialwise.images.evaluate import evaluate
from trialwise.images.objective import ImageObjective
from trialwise.images.predictions import VALID_FILE, load_valid
from trialwise.images.saved import load_model, save_model
from trialwise.images.settings import TrainSettings, resolve
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, picture_digests, prepare
from trialwise.images.train import predict_logits, training_on
from trialwise.training.device import threads
from trialwise.tuning.trials import Trial


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


def trained(folder, *, epochs=1, seed=0):
    prepared = prepare(find_source(str(folder)))
    data = prepared.description
    given = fill(TrainSettings, {"max_params": 20_000, "epochs": epochs, "batch_size": 8})
    settings = resolve(given, n_train=data.n_train, image_size=data.height, channels=data.channels)
    training = training_on(open_train(prepared), prepared.description, settings, seed=seed, split_seed=0)
    list(training.epochs())
    return training, prepared


def test_the_temperature_is_fitted_on_validation_rows_and_kept(tmp_path, write_images):
    training, _ = trained(write_images(tmp_path / "colours", {"red": 40, "green": 40}), epochs=3)
    saved = calibrated(training, tmp_path)
    assert saved.temperature != 1.0
    valid = load_valid(tmp_path)
    assert valid.rows_N.tolist() == training.valid_index.tolist()
    assert valid.labels_N.tolist() == training.labels_N[training.valid_index].tolist()
    expected = predict_logits(training.saved, training.images_NHWC, training.valid_index, dtype=torch.float32)
    np.testing.assert_array_equal(valid.logits_NK, expected.numpy())
    assert valid.logits_NK.dtype == np.float32
    save_model(saved, tmp_path)
    assert load_model(tmp_path, torch.device("cpu")).temperature == saved.temperature


def test_a_model_from_before_there_were_temperatures_still_loads(tmp_path, write_images):
    training, _ = trained(write_images(tmp_path / "colours", {"red": 9, "green": 9}))
    save_model(dataclasses.replace(training.saved, temperature=2.0), tmp_path)
    document = json.loads((tmp_path / "model.json").read_text())
    del document["temperature"]
    (tmp_path / "model.json").write_text(json.dumps(document))
    assert load_model(tmp_path, torch.device("cpu")).temperature == 1.0
    (tmp_path / "model.json").write_text(json.dumps(document | {"temperature": 0}))
    with pytest.raises(Exception, match="expected a temperature above 0, got 0"):
        load_model(tmp_path, torch.device("cpu"))


def test_a_trial_keeps_its_temperature_and_its_validation_predictions(tmp_path, write_images):
    folder = write_images(tmp_path / "colours", {"red": 20, "green": 20})
    prepared = prepare(find_source(str(folder)))
    settings = resolve(
        fill(TrainSettings, {"max_params": 20_000, "batch_size": 8}), n_train=32, image_size=12, channels=3
    )
    objective = ImageObjective(prepared=prepared, settings=settings, split_seed=0, dtype="float32")
    (tmp_path / "trial").mkdir()
    trial = Trial(number=0, seed=0, max_epochs=2, folder=tmp_path / "trial")
    scores = list(objective({}, trial))
    valid = load_valid(tmp_path / "trial")
    assert (valid.logits_NK.argmax(1) == valid.labels_N).mean() == pytest.approx(scores[-1])
    assert load_model(tmp_path / "trial", torch.device("cpu")).temperature != 1.0


def test_plain_and_averaged_predictions_stay_apart(tmp_path, write_images):
    training, prepared = trained(write_images(tmp_path / "colours", {"red": 30, "green": 30, "blue": 30}))
    plain, both = (evaluate(training.saved, prepared, tta=tta) for tta in (False, True))
    assert plain.predictions.tta_N is None
    assert "accuracy_tta" not in plain.document
    assert both.document["accuracy"] == plain.document["accuracy"]
    right = both.predictions.tta_N == both.predictions.labels_N
    assert both.document["accuracy_tta"] == right.mean()
    low, high = both.document["ci95_tta"]
    assert low <= right.mean() <= high
    test_images = np.load(prepared.folder / "test_images.npy")
    assert [row.tobytes() for row in both.predictions.digests_N8] == picture_digests(test_images)


def test_the_accuracy_without_twins_leaves_out_just_those(tmp_path, write_images):
    folder = tmp_path / "scenes"
    for part, counts in (("train", {"a": 30, "b": 30}), ("test", {"a": 10, "b": 10})):
        write_images(folder / part, counts)
    for name in ("a", "b"):  # copies of training images among the test images
        for i in range(3):
            Image.open(folder / "train" / name / f"{i:03}.png").save(folder / "test" / name / f"copy{i}.png")
    training, prepared = trained(folder)
    found = evaluate(training.saved, prepared, tta=False, train=open_train(prepared))
    duplicates = found.document["near_duplicates"]
    assert duplicates["n_exact"] == 6
    copies = {pair["test_row"] for pair in duplicates["pairs"]}
    others = [row for row in range(26) if row not in copies]
    right = found.predictions.plain_N == found.predictions.labels_N
    assert duplicates["without"]["n"] == len(others)
    assert duplicates["without"]["accuracy"] == right[others].mean()
    assert len(found.pictures["near_test"]) == len(found.pictures["near_train"]) == len(duplicates["shown"])
    exact = [i for i, pair in enumerate(duplicates["shown"]) if pair["exact"]]
    np.testing.assert_array_equal(found.pictures["near_test"][exact], found.pictures["near_train"][exact])
    assert all(pair["test_class"] == pair["train_class"] for pair in duplicates["pairs"] if pair["exact"])


def test_where_all_test_images_are_copies_no_accuracy_is_left(tmp_path, write_images):
    folder = tmp_path / "leaky"
    write_images(folder / "train", {"a": 6, "b": 6})
    for name in ("a", "b"):
        (folder / "test" / name).mkdir(parents=True)
        Image.open(folder / "train" / name / "000.png").save(folder / "test" / name / "x.png")
    training, prepared = trained(folder)
    found = evaluate(training.saved, prepared, tta=False, train=open_train(prepared)).document["near_duplicates"]
    assert found["n"] == 2
    assert found["without"] == {"accuracy": None, "ci95": None, "n": 0}


def test_wrong_labels_are_found_among_test_and_validation_rows(tmp_path, write_images):
    folder = write_images(tmp_path / "colours", {"red": 60, "green": 60})
    for i in range(50, 60):  # some red ones lie among the green ones
        (folder / "red" / f"{i:03}.png").rename(folder / "green" / f"wrong{i}.png")
    training, prepared = trained(folder, epochs=10)
    saved = calibrated(training, tmp_path)
    valid = load_valid(tmp_path)
    found = evaluate(saved, prepared, tta=False, train=open_train(prepared), valid=valid)
    test_images, train_images = (np.load(prepared.folder / f"{part}_images.npy") for part in ("test", "train"))
    classes = prepared.description.classes
    n_found = 0
    for name, images in (("test", test_images), ("valid", train_images)):
        listed = found.document["label_errors"][name]
        assert listed["n"] == len(listed["rows"]) <= listed["n_wrong"]
        for picture, row in zip(found.pictures[f"label_errors_{name}"], listed["rows"], strict=True):
            np.testing.assert_array_equal(picture, images[row["row"]])
            means = images[row["row"]].mean(axis=(0, 1))
            assert classes[1 if means[0] > means[1] else 0] == row["suggested"] != row["given"]
            n_found += 1
            assert row["file"].startswith(f"{row['given']}/wrong")
        assert {row["row"] for row in listed["rows"]} <= set(
            valid.rows_N.tolist() if name == "valid" else range(len(test_images))
        )
    assert n_found >= 1


def test_robustness_is_measured_where_it_is_asked_for(tmp_path, write_images):
    training, prepared = trained(write_images(tmp_path / "colours", {"red": 12, "green": 12}))
    assert "robustness" not in evaluate(training.saved, prepared, tta=False).document
    steps = []
    found = evaluate(
        training.saved, prepared, tta=False, robustness=True, progress=lambda *step: steps.append(step)
    ).document["robustness"]
    assert len(found["corruptions"]) == 7
    assert 0 <= found["mean"] <= 1
    assert len(steps) > 21


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_class_without_test_images_is_no_hindrance(tmp_path, write_images, mode):
    folder = tmp_path / "some"
    write_images(folder / "train", {"a": 9, "b": 9, "c": 9}, mode=mode)
    write_images(folder / "test", {"a": 3, "c": 3}, mode=mode)
    (folder / "test" / "b").mkdir()
    training, prepared = trained(folder)
    found = evaluate(
        training.saved, prepared, tta=training.saved.flip, robustness=True, train=open_train(prepared)
    ).document
    assert found["per_class"]["b"]["accuracy"] is None
    assert found["n"] == 6
    assert "NaN" not in to_json(found)


def test_other_data_is_compared_with_the_training_images_too(tmp_path, write_images):
    folder = write_images(tmp_path / "colours", {"red": 20, "green": 20})
    training, prepared = trained(folder)
    train = open_train(prepared)
    trained_on = np.frombuffer(b"".join(picture_digests(train.images_NHWC)), np.uint8).reshape(-1, 8)
    brighter = tmp_path / "brighter" / "colours"
    for name in ("red", "green"):
        (brighter / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.asarray(Image.open(folder / name / f"{i:03}.png"))
            Image.fromarray((pixels * 0.9 + 5).astype(np.uint8)).save(brighter / name / f"{i}.png")
    other = prepare(find_source(str(brighter)))
    found = evaluate(training.saved, other, tta=False, trained_on=trained_on, train=train).document
    assert found["n_seen_in_training"] == 0
    assert found["near_duplicates"]["n"] >= 8
    assert evaluate(training.saved, other, tta=False, trained_on=trained_on).document["near_duplicates"] is None
    assert "valid" not in found["label_errors"]


def test_nothing_is_written_by_an_evaluation(tmp_path, write_images):
    training, prepared = trained(write_images(tmp_path / "colours", {"red": 9, "green": 9}))
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    evaluate(training.saved, prepared, tta=False, robustness=True)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json") == [
        path for path in before if path.suffix != ".json"
    ]
    assert not (tmp_path / VALID_FILE).exists()

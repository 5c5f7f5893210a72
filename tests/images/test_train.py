"""A tiny set must be learnt, noise must not, and a pause must change nothing."""

import dataclasses
import shutil
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from trialwise.base.errors import UserError
from trialwise.base.settings import fill
from trialwise.images.evaluate import evaluate
from trialwise.images.objective import NOTES, ImageObjective
from trialwise.images.saved import load_model, save_model
from trialwise.images.settings import TrainSettings, resolve
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, picture_digests, prepare
from trialwise.images.train import predict_logits, training_on
from trialwise.training.device import threads
from trialwise.tuning.trials import Trial
from trialwise.tuning.validation_rows import load_rows


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


@pytest.fixture
def prepared(tmp_path, write_images):
    return prepare(find_source(str(write_images(tmp_path / "colours", {"red": 40, "green": 30, "blue": 50}))))


def resolved(prepared, **changes):
    data = prepared.description
    settings = fill(TrainSettings, {"max_params": 20_000, "epochs": 6, "batch_size": 16} | changes)
    return resolve(settings, n_train=data.n_train, image_size=data.height, channels=data.channels)


def start(prepared, seed=0, **changes):
    return training_on(
        open_train(prepared), prepared.description, resolved(prepared, **changes), seed=seed, split_seed=0
    )


def test_a_plain_set_is_learnt_and_measured_on_rows_never_seen(prepared):
    training = start(prepared, epochs=12)
    results = list(training.epochs())
    assert results[-1].valid["accuracy"] == 1.0
    test = evaluate(training.saved, prepared, tta=True).document
    assert test["accuracy"] == test["accuracy_tta"] == 1.0
    assert test["n"] == prepared.description.n_test == 24
    assert test["ci95"][0] < 1.0
    assert np.trace(test["confusion"]) == 24
    assert {name: found["n"] for name, found in test["per_class"].items()} == {"blue": 10, "green": 6, "red": 8}


def test_balanced_training_lets_a_rare_class_count_like_the_others(tmp_path):
    generator = np.random.default_rng(0)
    for name, n in (("common", 180), ("rare", 20)):  # nothing tells them apart but how many there are
        (tmp_path / "noise" / name).mkdir(parents=True)
        for i in range(n):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "noise" / name / f"{i:03}.png")
    noise = prepare(find_source(str(tmp_path / "noise")))

    def share_of_rare(balanced):
        plain = {"family": "plain", "batch_norm": False, "optimizer": "adamw", "learning_rate": 0.003}
        training = start(noise, epochs=8, balanced=balanced, **plain)
        list(training.epochs())
        logits = predict_logits(training.saved, training.images_NHWC, training.valid_index, dtype=torch.float32)
        return float(logits.softmax(1)[:, 1].mean())

    assert share_of_rare(False) < 0.3
    assert 0.35 < share_of_rare(True) < 0.65


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_learns_the_same(prepared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own
        plain, compiled = start(prepared, epochs=3), start(prepared, epochs=3, compile=True)
        pairs = zip(plain.epochs(), compiled.epochs(), strict=True)
        for one, other in pairs:
            assert one.train_loss == pytest.approx(other.train_loss, rel=0.05)
    assert compiled.network.state_dict().keys() == plain.network.state_dict().keys()


def test_training_holds_train_and_valid_rows_only(prepared):
    training = start(prepared)
    rows = set(training.train_index.tolist()) | set(training.valid_index.tolist())
    assert not set(training.train_index.tolist()) & set(training.valid_index.tolist())
    assert rows == set(range(prepared.description.n_train))
    test_images = np.load(prepared.folder / "test_images.npy")
    held = {image.tobytes() for image in training.images_NHWC.numpy()}
    assert not held & {image.tobytes() for image in test_images}


def test_shuffled_labels_are_not_learnt(prepared):
    training = start(prepared, epochs=4)
    order = torch.randperm(len(training.labels_N), generator=torch.Generator().manual_seed(0))
    shuffled = dataclasses.replace(training, labels_N=training.labels_N[order])
    assert list(shuffled.epochs())[-1].valid["accuracy"] < 0.75


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(prepared):
    def weights(seed):
        training = start(prepared, seed=seed, epochs=2)
        list(training.epochs())
        return torch.cat([tensor.flatten().float() for tensor in training.network.state_dict().values()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_a_saved_model_predicts_the_same_to_the_bit(prepared, tmp_path):
    training = start(prepared, epochs=1)
    list(training.epochs())
    save_model(training.saved, tmp_path)
    loaded = load_model(tmp_path, torch.device("cpu"))
    index = torch.arange(20)
    before = predict_logits(training.saved, training.images_NHWC, index, dtype=torch.float32)
    assert torch.equal(before, predict_logits(loaded, training.images_NHWC, index, dtype=torch.float32))
    assert loaded.classes == ("blue", "green", "red")


def test_a_model_that_is_damaged_or_missing_is_refused(prepared, tmp_path):
    with pytest.raises(UserError, match="holds no image model"):
        load_model(tmp_path, torch.device("cpu"))
    save_model(start(prepared).saved, tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:200])
    with pytest.raises(UserError, match="does not fit"):
        load_model(tmp_path, torch.device("cpu"))


def test_other_data_is_refused_before_it_is_measured(prepared, tmp_path, write_images):
    saved = start(prepared).saved
    other = prepare(find_source(str(write_images(tmp_path / "other", {"cat": 9, "dog": 9}))))
    with pytest.raises(UserError, match="are not those of the model"):
        evaluate(saved, other, tta=False)
    larger = write_images(tmp_path / "larger", {"red": 9, "green": 9, "blue": 9}, size=(20, 20))
    with pytest.raises(UserError, match="20 pixels, the model takes"):
        evaluate(saved, prepare(find_source(str(larger))), tta=False)
    with pytest.raises(UserError, match="--tta"):
        evaluate(dataclasses.replace(saved, flip=False), prepared, tta=True)


def test_a_trial_paused_and_resumed_gives_the_scores_and_the_model_of_one_never_paused(prepared, tmp_path):
    settings = resolved(prepared)
    objective = ImageObjective(prepared=prepared, settings=settings, split_seed=0, dtype="float32")
    config = {"learning_rate": 0.02, "dropout": 0.3}

    def trial(folder, done=0):
        (tmp_path / folder / "trials" / "0001").mkdir(exist_ok=True, parents=True)
        return Trial(number=1, seed=5, max_epochs=4, epochs_done=done, folder=tmp_path / folder / "trials" / "0001")

    whole = list(objective(config, trial("whole")))
    paused = objective(config, trial("paused"))
    first = [next(paused), next(paused)]
    paused.close()
    resumed = trial("paused", done=2)
    assert first + list(objective(config, resumed)) == whole
    assert all(resumed.notes[name] > 0 for name in NOTES), "what --also may ask for"
    models = [(trial(name).folder / "model.safetensors").read_bytes() for name in ("whole", "paused")]
    assert models[0] == models[1]
    # Which validation rows are right is kept too, and their share is the score.
    rows = [load_rows(trial(name).folder) for name in ("whole", "paused")]
    assert np.array_equal(rows[0].scores_N, rows[1].scores_N)
    assert rows[0].scores_N.mean() == pytest.approx(whole[-1])
    assert rows[0].baseline_N.mean() == pytest.approx(1 / 3, abs=0.1)


def test_other_data_is_measured_without_the_pictures_that_were_trained_on(prepared, tmp_path, write_images):
    training = start(prepared)
    list(training.epochs())
    trained_on = np.frombuffer(b"".join(picture_digests(training.images_NHWC.numpy())), np.uint8).reshape(-1, 8)
    with_new = write_images(tmp_path / "colours", {"red": 45, "green": 35, "blue": 55})  # the old ones and 15 more
    found = evaluate(training.saved, prepare(find_source(str(with_new))), tta=False, trained_on=trained_on).document
    assert found["n_seen_in_training"] == prepared.description.n_train
    assert found["n"] == 135 - prepared.description.n_train
    grey = prepare(find_source(str(write_images(tmp_path / "grey", {"red": 9, "green": 9, "blue": 9}, mode="L"))))
    assert evaluate(training.saved, grey, tta=False, trained_on=trained_on).document["n"] == 27
    nothing = dataclasses.replace(training.saved)
    # The model learns from three channels, so grey pictures were trained on with three alike.
    as_colour = [np.repeat(np.load(grey.folder / f"{part}_images.npy"), 3, axis=-1) for part in ("train", "test")]
    everything, test = (np.frombuffer(b"".join(picture_digests(rows)), np.uint8) for rows in as_colour)
    with pytest.raises(UserError, match="every image of grey is among those"):
        evaluate(nothing, grey, tta=False, trained_on=np.concatenate([everything, test]).reshape(-1, 8))

"""Going on from a trained model: its filters and its preprocessing, a new head where the classes are others."""

import itertools

import pytest
import torch

from trialwise.base.errors import UserError
from trialwise.base.settings import fill
from trialwise.images.settings import TrainSettings, resolve
from trialwise.images.store import open_train
from trialwise.images.train import training_on
from trialwise.images.transfer import continued, n_thawed
from trialwise.training.checkpoints import Checkpoint


@pytest.fixture
def trained(prepared, tmp_path, write_images):
    folder = prepared(write_images(tmp_path / "first", {"red": 20, "green": 20, "blue": 20}))
    data = folder.description
    settings = resolve(
        fill(TrainSettings, {"max_params": 20_000, "epochs": 1}),
        n_train=data.n_train,
        image_size=data.height,
        channels=data.channels,
    )
    training = training_on(open_train(folder), folder.description, settings, seed=0, split_seed=0)
    list(training.epochs())
    return training


def test_the_same_classes_keep_the_whole_network(trained, prepared, tmp_path, write_images):
    again = prepared(write_images(tmp_path / "again", {"red": 10, "green": 10, "blue": 10}))
    found = continued(trained.saved, again.description, flip=True, seed=1)
    for name, tensor in trained.saved.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], tensor), name
    assert found.network is not trained.saved.network


def test_other_classes_get_a_new_head_on_the_old_filters(trained, prepared, tmp_path, write_images):
    other = prepared(write_images(tmp_path / "other", {"cat": 10, "dog": 10}))
    found = continued(trained.saved, other.description, flip=True, seed=1)
    assert found.classes == ("cat", "dog")
    assert found.network.head.out_features == 2
    assert torch.equal(found.mean, trained.saved.mean)
    before = trained.saved.network.state_dict()
    for name, tensor in found.network.state_dict().items():
        assert name.startswith("head") or torch.equal(before[name], tensor), name


def test_it_learns_the_new_classes_and_leaves_the_old_model_alone(trained, prepared, tmp_path, write_images):
    other = prepared(write_images(tmp_path / "other", {"cat": 20, "dog": 20}))
    before = {name: tensor.clone() for name, tensor in trained.saved.network.state_dict().items()}
    settings = resolve(fill(TrainSettings, {"max_params": 20_000, "epochs": 15}), n_train=32, image_size=12, channels=3)
    training = training_on(
        open_train(other), other.description, settings, seed=0, split_seed=0, start_from=trained.saved
    )
    assert list(training.epochs())[-1].valid["accuracy"] == 1.0
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.saved.network.state_dict().items())


def test_images_of_another_shape_are_refused(trained, prepared, tmp_path, write_images):
    larger = prepared(write_images(tmp_path / "larger", {"cat": 9, "dog": 9}, size=(20, 20)))
    with pytest.raises(UserError, match="the model takes 3-channel images of 12 pixels") as error:
        continued(trained.saved, larger.description, flip=True, seed=0)
    assert error.value.hint == "--image-size 12"


def going_on(trained, data, freeze, epochs=6):
    settings = resolve(
        fill(TrainSettings, {"max_params": 20_000, "epochs": epochs, "freeze": freeze}),
        n_train=32,
        image_size=12,
        channels=3,
    )
    return training_on(open_train(data), data.description, settings, seed=0, split_seed=0, start_from=trained.saved)


def test_a_frozen_body_stays_to_the_bit_and_the_head_learns(trained, prepared, tmp_path, write_images):
    other = prepared(write_images(tmp_path / "other", {"cat": 20, "dog": 20}))
    training = going_on(trained, other, "body", epochs=20)
    head = training.network.head.weight.clone()
    results = list(training.epochs())
    before, after = trained.saved.network.state_dict(), training.network.state_dict()
    for name, tensor in before.items():
        assert name.startswith("head") or torch.equal(after[name], tensor), name
    assert not torch.equal(training.network.head.weight, head)
    assert results[-1].train_loss < results[0].train_loss


def test_layers_thaw_from_the_top(trained, prepared, tmp_path, write_images):
    other = prepared(write_images(tmp_path / "other", {"cat": 20, "dog": 20}))
    training = going_on(trained, other, "gradual", epochs=12)
    learning = []
    states = [{name: tensor.clone() for name, tensor in training.network.state_dict().items()}]
    for _ in training.epochs():
        states.append({name: tensor.clone() for name, tensor in training.network.state_dict().items()})
        learning.append(
            [
                any(not torch.equal(states[-1][n], states[-2][n]) for n in states[-1] if n.startswith(f"stages.{i}."))
                for i in range(len(training.network.stages))
            ]
        )
    assert not any(learning[0])
    assert all(learning[6])
    assert all(sorted(layers) == layers for layers in learning), "what is above learns before what is below"
    assert all(sum(a) <= sum(b) for a, b in itertools.pairwise(learning))
    assert torch.equal(states[0]["stem.weight"], states[-1]["stem.weight"])


def test_a_gradual_training_that_was_stopped_ends_with_the_same_weights(trained, prepared, tmp_path, write_images):
    other = prepared(write_images(tmp_path / "other", {"cat": 20, "dog": 20}))
    whole = going_on(trained, other, "gradual")
    list(whole.epochs())
    checkpoint = Checkpoint(tmp_path / "checkpoint.pt")
    stopped = going_on(trained, other, "gradual").epochs(checkpoint)
    for _ in range(3):
        next(stopped)
    stopped.close()
    resumed = going_on(trained, other, "gradual")
    list(resumed.epochs(checkpoint))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


@pytest.mark.parametrize("n_epochs", [1, 2, 5, 10, 41])
def test_all_layers_learn_in_the_second_half(n_epochs):
    thawed = [n_thawed(epoch, n_epochs, 7) for epoch in range(1, n_epochs + 1)]
    assert thawed[0] == 0
    assert thawed == sorted(thawed)
    assert all(n == 7 for n in thawed[-(-n_epochs // 2) :])

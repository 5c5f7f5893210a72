"""Going on from a trained model: its filters and its preprocessing, a new head where the classes are others."""

import pytest
import torch

from trialwise.base.errors import UserError
from trialwise.base.settings import fill
from trialwise.images.settings import TrainSettings, resolve
from trialwise.images.train import prepare_training
from trialwise.images.transfer import continued


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
    training = prepare_training(folder, settings, seed=0, split_seed=0)
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
    training = prepare_training(other, settings, seed=0, split_seed=0, start_from=trained.saved)
    assert list(training.epochs())[-1].valid["accuracy"] == 1.0
    assert all(torch.equal(before[name], tensor) for name, tensor in trained.saved.network.state_dict().items())


def test_images_of_another_shape_are_refused(trained, prepared, tmp_path, write_images):
    larger = prepared(write_images(tmp_path / "larger", {"cat": 9, "dog": 9}, size=(20, 20)))
    with pytest.raises(UserError, match="the model takes 3-channel images of 12 pixels") as error:
        continued(trained.saved, larger.description, flip=True, seed=0)
    assert error.value.hint == "--image-size 12"

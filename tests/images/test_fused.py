"""Folded networks give the answers of plain ones, and what cannot be folded is left as it was."""

import copy

import pytest
import torch
from torch import nn

from trialwise.images.augment import normalised
from trialwise.images.budget import architecture_for
from trialwise.images.fused import fold_batch_norms, ready_network
from trialwise.images.networks import build_network
from trialwise.training.device import threads


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


@pytest.fixture
def images_BHWC():
    return torch.randint(0, 256, (7, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def n_norms(network):
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def plain_logits(saved, images_BHWC):
    with torch.inference_mode():
        return saved.network(normalised(images_BHWC, saved.mean, saved.std))


class Residual(nn.Module):
    """Two uses of one convolution, a BatchNorm before a convolution, and one whose input goes elsewhere too."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.before = nn.BatchNorm2d(8)
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.after_twice = nn.BatchNorm2d(8)
        self.branch = nn.Conv2d(8, 8, 3, padding=1)
        self.after_branch = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, images_BCHW):
        maps = torch.relu(self.first(images_BCHW))
        maps = self.twice(self.before(maps))
        maps = self.after_twice(self.twice(maps))
        branch = self.branch(maps)
        maps = maps + torch.relu(self.after_branch(branch)) + branch
        return self.head(maps.amax(dim=(2, 3))) / 9


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_folded_network_gives_the_answers_of_the_plain_one(small_model, images_BHWC, dtype):
    saved = small_model()
    before = copy.deepcopy(saved.network.state_dict())
    folded = fold_batch_norms(saved.network)
    assert n_norms(saved.network) == 2
    assert n_norms(folded) == 0
    with torch.inference_mode():
        fast = ready_network(saved, dtype)(images_BHWC)
    assert fast.dtype == torch.float32
    tolerance = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.02}
    torch.testing.assert_close(fast, plain_logits(saved, images_BHWC), **tolerance)
    assert all(torch.equal(before[name], tensor) for name, tensor in saved.network.state_dict().items())


def test_a_batch_norm_after_a_pooling_is_folded_only_where_its_scales_are_positive(small_model, images_BHWC):
    saved = small_model()
    saved.network[5].weight.data[0] = -1.0
    folded = fold_batch_norms(saved.network)
    assert n_norms(folded) == 1
    inputs_BCHW = normalised(images_BHWC, saved.mean, saved.std)
    with torch.inference_mode():
        torch.testing.assert_close(folded(inputs_BCHW), saved.network(inputs_BCHW), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"mirrored": True},
        {"mirrored": True, "batch_norm": False},
        {"shortcuts": False},
        {"separable": True},
        {"separable": True, "batch_norm": False},
        {"family": "plain"},
        {"family": "feed_forward"},
    ],
)
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 8)])
def test_the_networks_of_the_house_are_folded_without_a_rest(small_model, channels, size, kind):
    architecture = architecture_for(channels=channels, image_size=size, n_classes=5, max_params=60_000, **kind)
    saved = small_model(channels=channels, size=size, network=build_network(architecture, seed=0))
    assert n_norms(fold_batch_norms(saved.network)) == 0
    images = torch.randint(0, 256, (6, size, size, channels), generator=torch.Generator().manual_seed(0)).byte()
    wanted = plain_logits(saved, images)
    for dtype, tolerance in [(torch.float32, 1e-4), (torch.bfloat16, 0.03)]:
        with torch.inference_mode():
            difference = ready_network(saved, dtype)(images) - wanted
        assert difference.norm() < tolerance * wanted.norm()


class OddPooling(nn.Module):
    """A pooling padded where the maps have an odd side, as in the house's own networks."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 2)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, images_BCHW):
        maps = self.convolution(images_BCHW)
        maps = torch.nn.functional.max_pool2d(maps, 2, padding=maps.shape[-1] % 2)
        return self.head(torch.relu(self.norm(maps)).amax(dim=(2, 3)))


def test_who_asks_for_a_shape_does_not_keep_a_batch_norm_from_being_folded(small_model, images_BHWC):
    saved = small_model(network=OddPooling())
    folded = fold_batch_norms(saved.network)
    assert n_norms(folded) == 0
    inputs_BCHW = normalised(images_BHWC, saved.mean, saved.std)
    with torch.inference_mode():
        torch.testing.assert_close(folded(inputs_BCHW), saved.network(inputs_BCHW), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_cannot_be_folded_is_left(small_model, images_BHWC, dtype):
    saved = small_model(network=Residual())
    folded = fold_batch_norms(saved.network)
    assert n_norms(folded) == 3
    with torch.inference_mode():
        fast = ready_network(saved, dtype)(images_BHWC)
    tolerance = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.03}
    torch.testing.assert_close(fast, plain_logits(saved, images_BHWC), **tolerance)


def test_logits_keep_their_digits(small_model, images_BHWC):
    saved = small_model()
    with torch.inference_mode():
        logits = ready_network(saved, torch.bfloat16)(images_BHWC)
    assert not torch.equal(logits, logits.bfloat16().float())


class Branching(nn.Module):
    """What `torch.fx` cannot follow: a step that depends on the images."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 5)

    def forward(self, images_BCHW):
        features = images_BCHW.mean(dim=(2, 3))
        return self.layer(features if features.mean() > 0 else -features)


def test_a_network_that_cannot_be_followed_is_used_as_it_is(small_model, images_BHWC):
    saved = small_model(network=Branching())
    with pytest.raises(torch.fx.proxy.TraceError):
        fold_batch_norms(saved.network)
    with torch.inference_mode():
        logits = ready_network(saved, torch.float32)(images_BHWC)
    torch.testing.assert_close(logits, plain_logits(saved, images_BHWC))


def test_a_folding_that_went_wrong_is_not_used(small_model, images_BHWC, monkeypatch):
    saved = small_model()

    def wrong(network):
        folded = fold_batch_norms(network)
        folded.get_submodule("3").weight.data.mul_(2)
        return folded

    monkeypatch.setattr("trialwise.images.fused.fold_batch_norms", wrong)
    with torch.inference_mode():
        logits = ready_network(saved, torch.float32)(images_BHWC)
    torch.testing.assert_close(logits, plain_logits(saved, images_BHWC))

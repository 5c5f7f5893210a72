"""Grad-CAM is captum's, maps are those of the network, and nothing is left behind on it."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import nn

from trialwise.base.errors import UserError
from trialwise.images.explain import (
    cam_layer,
    feature_maps,
    find_layer,
    first_filters,
    grad_cam,
    map_layers,
    typical_layers,
)
from trialwise.training.device import threads


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield


@pytest.fixture
def inputs_BCHW():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def n_hooks(network):
    return sum(len(part._forward_hooks) + len(part._backward_hooks) for part in network.modules())


def test_grad_cam_is_that_of_captum(small_model, inputs_BCHW):
    network = small_model().network
    classes_B = torch.tensor([0, 3, 4, 1])
    inputs_BCHW.requires_grad_()  # captum warns where it has to do that itself
    wanted = LayerGradCam(network, network.get_submodule("3")).attribute(
        inputs_BCHW, target=classes_B, relu_attributions=True
    )
    wanted_BHW = LayerAttribution.interpolate(wanted, (16, 16), "bilinear")[:, 0].detach()
    wanted_BHW = wanted_BHW / wanted_BHW.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    heat_BHW = grad_cam(network, inputs_BCHW.detach(), classes_B, "3")
    np.testing.assert_allclose(heat_BHW, wanted_BHW.numpy(), atol=1e-5)
    assert heat_BHW.max() == 1


def test_grad_cam_finds_the_corner_that_decides():
    # The only class is "how bright the upper left corner is".
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(128, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        network[3].weight.zero_()
        network[3].weight[0].view(2, 8, 8)[0, :4, :4] = 1
    network.requires_grad_(False)  # frozen layers are explained too
    image = torch.full((1, 1, 8, 8), 0.1)
    image[..., :4, :4] = 1
    heat_HW = grad_cam(network, image, torch.tensor([0]), "1")[0]
    assert heat_HW[:3, :3].min() > 0.9
    assert heat_HW[5:, 5:].max() < 0.2
    assert (grad_cam(network, image, torch.tensor([1]), "1") == 0).all()  # nothing speaks for the other class


def test_nothing_is_left_on_the_network(small_model, inputs_BCHW):
    network = small_model().network
    before = copy.deepcopy(network.state_dict())
    layers = map_layers(network, inputs_BCHW)
    feature_maps(network, inputs_BCHW, layers[0].name)
    grad_cam(network, inputs_BCHW, torch.zeros(4, dtype=torch.long), layers[0].name)
    assert n_hooks(network) == 0
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_hooks_go_even_when_the_network_fails(small_model):
    network = small_model().network
    with pytest.raises(RuntimeError):
        feature_maps(network, torch.zeros(1, 7, 16, 16), "0")
    assert n_hooks(network) == 0


def test_layers_are_listed_with_the_maps_they_put_out(small_model, inputs_BCHW):
    network = small_model().network
    layers = map_layers(network, inputs_BCHW)
    assert [(layer.name, layer.channels, layer.height) for layer in layers[:5]] == [
        ("0", 8, 16),
        ("1", 8, 16),
        ("2", 8, 16),
        ("3", 16, 16),
        ("4", 16, 8),
    ]
    assert [layer.name for layer in typical_layers(layers, 3)] == ["2", "6"]  # activated, not the bare layer "3"
    assert cam_layer(layers).name == "6"
    maps_BCHW = feature_maps(network, inputs_BCHW, "2")
    np.testing.assert_allclose(maps_BCHW, network[:3](inputs_BCHW).detach().numpy(), atol=1e-6)


def test_a_layer_that_does_not_exist_is_answered_with_those_that_do(small_model, inputs_BCHW):
    network = nn.Sequential()
    network.add_module("stem", nn.Conv2d(3, 4, 3))
    network.add_module("stages", nn.Conv2d(4, 4, 3))
    layers = map_layers(network, inputs_BCHW)
    assert find_layer(layers, "stem").channels == 4
    with pytest.raises(UserError, match=r"unknown layer 'stge'[\s\S]*did you mean 'stages'\?[\s\S]*: stem, stages"):
        find_layer(layers, "stge")
    with pytest.raises(UserError, match=r"unknown layer 'xyz'[\s\S]*maps: stem, stages"):
        find_layer(layers, "xyz")


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 16)])
def test_filters_are_shown_on_one_scale(small_model, channels, size):
    network = small_model(channels=channels, size=size).network
    filters = first_filters(network, channels=channels, image_size=size)
    assert filters.tiles_OHWC.shape == (8, 3, 3, channels)
    assert filters.tiles_OHWC.min() >= 0
    assert filters.tiles_OHWC.max() <= 1
    weights_OHWC = network[0].weight.detach().permute(0, 2, 3, 1).numpy()
    scale = 2 * np.abs(weights_OHWC).max()
    np.testing.assert_allclose((filters.tiles_OHWC - 0.5) * scale, weights_OHWC, atol=1e-6)
    assert not filters.is_fixed
    network[0].weight.requires_grad_(False)
    assert first_filters(network, channels=channels, image_size=size).is_fixed


def test_a_feed_forward_net_has_filters_as_large_as_the_image_and_no_maps():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 7), nn.ReLU(), nn.Linear(7, 2))
    filters = first_filters(network, channels=1, image_size=8)
    assert filters.tiles_OHWC.shape == (7, 8, 8, 1)
    layers = map_layers(network, torch.zeros(1, 1, 8, 8))
    assert layers == []
    assert cam_layer(layers) is None
    with pytest.raises(UserError, match="none"):
        find_layer(layers, "0")

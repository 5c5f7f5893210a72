import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trialwise.base.errors import UserError
from trialwise.images.budget import architecture_for, cost_of, n_macs
from trialwise.images.networks import MirroredBatchNorm2d, MirroredConv2d, build_network, n_params, written_out
from trialwise.images.whitening import whiten


def architecture(**changes):
    given = {"channels": 3, "image_size": 32, "n_classes": 10, "max_params": 200_000, "width": 1.0, "dropout": 0.1}
    return architecture_for(**given | changes)


@given(
    st.sampled_from([1, 3]),
    st.integers(8, 96),
    st.integers(2, 30),
    st.integers(20_000, 600_000),
    st.floats(0.1, 1.0),
    st.sampled_from([{}, {"mirrored": True}, {"separable": True}]),
)
@settings(max_examples=25)
def test_the_network_keeps_to_its_budget_and_takes_its_images(channels, size, n_classes, max_params, width, kind):
    found = architecture(
        channels=channels,
        image_size=size,
        n_classes=n_classes,
        max_params=max_params,
        width=width,
        **kind,
    )
    network = build_network(found, seed=0)
    assert n_params(network) <= max_params
    assert network(torch.zeros(2, channels, size, size)).shape == (2, n_classes)


def test_the_budget_is_used():
    assert 0.85 * 200_000 < n_params(build_network(architecture(), seed=0)) <= 200_000
    small = n_params(build_network(architecture(max_params=36_552), seed=0))
    assert 0.6 * 36_552 < small <= 36_552


def test_a_narrower_share_is_narrower():
    assert architecture(width=0.5).widths < architecture(width=1.0).widths


def test_a_budget_too_small_is_refused_with_the_smallest_size():
    with pytest.raises(UserError, match=r"--max-params 100: the smallest network .* has [\d,]+ parameters"):
        architecture(max_params=100)


def test_weights_come_from_the_seed_alone():
    one, same, other = (build_network(architecture(), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


@pytest.mark.parametrize("kind", [{}, {"mirrored": True}, {"separable": True}])
def test_every_part_learns(kind):
    network = build_network(architecture(dropout=0.0, **kind), seed=0)
    network(torch.randn(8, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize("family", ["plain", "feed_forward"])
def test_the_networks_to_compare_with_keep_to_the_budget_too(family):
    found = architecture(family=family, max_params=3_810_000)
    network = build_network(found, seed=0)
    assert 3_700_000 < n_params(network) <= 3_810_000
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_feed_forward_net_of_the_notebooks_has_three_million_weights():
    assert architecture(family="feed_forward", max_params=3_810_000, batch_norm=False).widths[:2] == (1024, 512)


@pytest.mark.parametrize("size", [16, 24, 32, 48, 64, 128])
def test_a_mirrored_network_gives_an_image_and_its_mirror_image_the_same_logits(size):
    images = torch.randn(64, 3, size, size, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3) / size
    for mirrored, same in [(True, True), (False, False)]:
        network = build_network(architecture(image_size=size, mirrored=mirrored), seed=0)
        whiten(network, [images])
        network(images)  # statistics for BatchNorm
        network.eval()
        with torch.no_grad():
            logits, turned = network(images), network(images.flip(3))
        assert bool(((logits - turned).abs().max() < 1e-4 * logits.abs().max()).item()) is same


def test_a_whitened_stem_gives_outputs_of_variance_one_that_are_not_correlated():
    images = torch.randn(500, 3, 16, 16, generator=torch.Generator().manual_seed(0)).cumsum(2).cumsum(3) / 16
    network = build_network(architecture(image_size=16), seed=0)
    whiten(network, [images])
    outputs_NP = network.stem(images)[:, :12].transpose(0, 1).flatten(1)
    second = outputs_NP @ outputs_NP.T / outputs_NP.shape[1]
    # The regulariser holds the weakest directions below one.
    assert (second - torch.diag(second.diagonal())).abs().max() < 0.02
    assert 0.97 < second.diagonal().max() < 1.02
    assert torch.equal(network.stem.weight[12:], -network.stem.weight[:12])


def test_mirrored_filters_cost_twice_the_multiplications_a_parameter():
    pairs, single = architecture(mirrored=True), architecture(mirrored=False)
    assert 1.3 < n_macs(pairs) / n_macs(single) < 2.2
    cost = cost_of(build_network(single, seed=0), single, dtype=torch.float32)
    assert cost.n_macs == n_macs(single) == 18_058_192
    assert cost.microseconds > 0


def test_separable_convolutions_buy_width():
    separable, dense = architecture(separable=True), architecture()
    assert all(wide > narrow for wide, narrow in zip(separable.widths, dense.widths, strict=True))
    network = build_network(separable, seed=0)
    depthwise = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1]
    assert len(depthwise) == 6  # one in every block
    assert all(layer.groups == layer.in_channels for layer in depthwise)


def test_multiplications_are_counted_as_by_hand():
    found = architecture(family="plain", image_size=8, channels=1, max_params=2000, batch_norm=False, n_classes=2)
    first, second = found.widths
    # 8 x 8 outputs of 9 inputs, then 4 x 4 outputs of 9 x first, then 2 x 2 x second features.
    assert n_macs(found) == 64 * 9 * first + 16 * 9 * first * second + 2 * 4 * second


@pytest.mark.parametrize("batch_norm", [True, False])
def test_written_out_filters_give_the_same_answers(batch_norm):
    images = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = build_network(architecture(mirrored=True, batch_norm=batch_norm), seed=0)
    whiten(network, [images])
    network(images)
    plain = written_out(network.eval())
    assert not any(isinstance(layer, MirroredConv2d | MirroredBatchNorm2d) for layer in plain.modules())
    with torch.no_grad():
        wanted, found = network(images), plain(images)
    assert (wanted - found).abs().max() < 1e-5 * wanted.abs().max()
    assert n_params(plain) > 1.8 * n_params(network)

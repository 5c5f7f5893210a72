import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.images.networks import architecture_for, build_network, n_params


def architecture(**changes):
    given = {"channels": 3, "image_size": 32, "n_classes": 10, "max_params": 200_000, "width": 1.0, "dropout": 0.1}
    return architecture_for(**given | changes)


@given(
    st.sampled_from([1, 3]), st.integers(8, 96), st.integers(2, 30), st.integers(20_000, 600_000), st.floats(0.1, 1.0)
)
@settings(max_examples=25, deadline=None)
def test_the_network_keeps_to_its_budget_and_takes_its_images(channels, size, n_classes, max_params, width):
    found = architecture(channels=channels, image_size=size, n_classes=n_classes, max_params=max_params, width=width)
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


def test_every_part_learns():
    network = build_network(architecture(dropout=0.0), seed=0)
    network(torch.randn(8, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())

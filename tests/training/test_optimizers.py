import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trialwise.training.optimizers import Muon, build_optimizer, constant, one_cycle, orthogonalised


def test_the_schedule_rises_to_one_and_falls_to_zero():
    shares = [one_cycle(i / 100) for i in range(101)]
    assert shares[0] == pytest.approx(0.1)
    assert max(shares) == shares[20] == 1.0
    assert shares[100] == 0.0
    assert shares[:21] == sorted(shares[:21])
    assert shares[20:] == sorted(shares[20:], reverse=True)
    assert constant(0.3) == 1.0


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_only_weights_decay(name):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    optimizer = build_optimizer(model, name, learning_rate=0.1, weight_decay=0.01)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decay == {
        id(p): 0.01 if p.ndim == 2 or (p.ndim == 4 and name != "muon") else 0.0 for p in model.parameters()
    }


@given(st.integers(2, 12), st.integers(2, 40), st.integers(0, 1000))
def test_orthogonalised_brings_the_singular_values_near_one_and_keeps_the_directions(rows, columns, seed):
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalised(matrix)
    assert found.shape == matrix.shape
    brought = torch.linalg.svdvals(found)[values > 0.1 * values.max()]
    assert brought.min() > 0.5
    assert brought.max() < 1.3
    # The same singular directions: the new matrix is diagonal in them.
    inside = u.T @ found @ v.T
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 1e-3


def test_muon_keeps_the_length_of_filters_and_leaves_the_rest_to_adamw():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten())
    network.append(nn.Linear(8 * 4, 2))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    muon = build_optimizer(network, "muon", learning_rate=0.1, weight_decay=0.0)
    assert isinstance(muon, Muon)
    for _ in range(3):
        muon.zero_grad()
        network(torch.randn(16, 3, 6, 6)).square().mean().backward()
        muon.step()
    filters = network[0].weight
    step_length = 0.1 * 8**0.5
    assert 8**0.5 - 1.5 * step_length < float(filters.detach().norm()) < 8**0.5 + 1.5 * step_length
    for name, parameter in network.named_parameters():
        assert not torch.equal(parameter, before[name]), name
    # A depthwise bank is no matrix; AdamW moves each of its weights by about the learning rate.
    moved = (network[2].weight.detach() - before["2.weight"]).abs().max()
    assert 0.001 < float(moved) < 0.05


def test_muon_learns_what_sgd_learns():
    torch.manual_seed(1)
    images = torch.randn(128, 1, 6, 6)
    labels = (images[:, :, :3].mean((1, 2, 3)) > images[:, :, 3:].mean((1, 2, 3))).long()
    for name, rate in [("sgd", 0.1), ("muon", 0.1), ("adamw", 0.01)]:
        torch.manual_seed(2)
        network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 2))
        optimizer = build_optimizer(network, name, learning_rate=rate, weight_decay=0.0)
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        assert float((network(images).argmax(1) == labels).float().mean()) > 0.95, name

import numpy as np
import pytest
import torch

from trialwise.images.corruptions import CORRUPTIONS, SEVERITIES, accuracy_by_corruption, corrupt


def pictures(n=6, size=32, channels=3):
    grid = torch.linspace(0, 255, size)
    stripes = 127 + 127 * torch.sign(torch.sin(torch.arange(size) * 0.9))
    base = (grid[:, None] + stripes[None, :]) / 2
    shades = torch.linspace(0.6, 1.0, n)[:, None, None, None]
    return (base[None, :, :, None] * shades).expand(n, size, size, channels).to(torch.uint8)


def change(name, images, level, seed=0):
    corruption = CORRUPTIONS[name]
    return corrupt(images, corruption.change, corruption.strengths[level], torch.Generator().manual_seed(seed))


def distance(a, b):
    return float((a.float() - b.float()).pow(2).mean().sqrt())


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (32, 3), (33, 1), (100, 3)])
def test_images_stay_images_and_get_worse_with_severity(name, size, channels):
    images = pictures(size=size, channels=channels)
    changed = [change(name, images, level) for level in range(len(SEVERITIES))]
    for worse in changed:
        assert worse.shape == images.shape
        assert worse.dtype == torch.uint8
    distances = [distance(images, worse) for worse in changed]
    assert 0 < distances[-1]
    assert distances == pytest.approx(sorted(distances), abs=0.1)
    assert distances[-1] < 160


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_corrupts_alike(name):
    images = pictures()
    assert torch.equal(change(name, images, 1), change(name, images, 1))


def test_only_noise_and_occlusion_are_left_to_chance():
    images = pictures()
    differing = {
        name for name in CORRUPTIONS if not torch.equal(change(name, images, 1), change(name, images, 1, seed=1))
    }
    assert differing == {"noise", "occlusion"}


def test_what_each_one_does():
    images = torch.full((2, 20, 20, 3), 100, dtype=torch.uint8)
    assert (change("brightness", images, 0).float() - 100).abs().sub(25.5).abs().max() < 1
    for flat in ("blur", "contrast", "pixelate"):
        assert torch.equal(change(flat, images, 2), images)
    covered = (change("occlusion", images, 1) != 100).any(dim=-1)
    assert covered.flatten(1).sum(1).tolist() == [64, 64]  # 0.4 x 20 pixels a side
    assert 5 < (change("noise", images, 0).float() - 100).std() < 15


def test_the_table_counts_right_answers():
    images = pictures(10)
    steps = []
    found = accuracy_by_corruption(
        lambda batch: (batch.float().mean(dim=(1, 2, 3)) > 150).long(),
        images,
        torch.zeros(10, dtype=torch.int64),
        lambda *step: steps.append(step),
    )
    assert found["severities"] == SEVERITIES
    assert set(found["corruptions"]) == set(CORRUPTIONS)
    bright = found["corruptions"]["brightness"]["accuracy"]
    assert bright == sorted(bright, reverse=True)
    assert bright[-1] < bright[0]
    table = np.array([row["accuracy"] for row in found["corruptions"].values()])
    assert found["mean"] == pytest.approx(table.mean())
    assert found["mean_by_severity"] == pytest.approx(table.mean(axis=0).tolist())
    assert steps[-1][1:] == (20, 21)

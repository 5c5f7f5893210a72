import torch
from hypothesis import given
from hypothesis import strategies as st

from trialwise.images.augment import colour_changed, cut_out, mixed, moved_by, normalised, resized, shifted_batch

ROWS = torch.arange(5 * 8 * 8 * 3, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(5, 8, 8, 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_without_shift_and_flip_the_rows_come_out_as_they_are():
    index = torch.tensor([3, 0, 3])
    assert torch.equal(shifted_batch(ROWS, index, shift=0, flipped_B=None, generator=generator()), ROWS[index])


@given(st.integers(0, 10_000), st.integers(0, 3), st.booleans())
def test_every_image_is_a_shift_of_its_own_row_with_mirrored_edges(seed, shift, flip):
    index = torch.tensor([0, 1, 2, 3, 4])
    batch = shifted_batch(
        ROWS, index, shift=shift, flipped_B=torch.arange(5) % 2 == 0 if flip else None, generator=generator(seed)
    )
    pad = torch.nn.functional.pad(ROWS.permute(0, 3, 1, 2).float(), [shift] * 4, mode="reflect").to(torch.uint8)
    for row, (image, padded) in enumerate(zip(batch.permute(0, 3, 1, 2), pad, strict=True)):
        windows = [padded[:, i : i + 8, j : j + 8] for i in range(2 * shift + 1) for j in range(2 * shift + 1)]
        candidates = [window.flip(2) for window in windows] if flip and row % 2 == 0 else windows
        assert any(torch.equal(image, candidate) for candidate in candidates)


def test_all_shifts_and_both_sides_come_up():
    row = torch.arange(8 * 8, dtype=torch.uint8).reshape(1, 8, 8, 1)
    batch = shifted_batch(
        row, torch.zeros(500, dtype=torch.int64), shift=1, flipped_B=torch.arange(500) % 2 == 0, generator=generator()
    )
    assert len({tuple(image.flatten().tolist()) for image in batch}) == 18


def test_normalised_inputs_have_mean_0_and_spread_1_in_channels_last():
    images = torch.randint(0, 256, (64, 8, 8, 3), generator=generator(), dtype=torch.uint8)
    scaled = images.float() / 255
    inputs = normalised(images, scaled.mean((0, 1, 2)), scaled.std((0, 1, 2)))
    assert inputs.shape == (64, 3, 8, 8)
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert inputs.mean((0, 2, 3)).abs().max() < 1e-4
    assert (inputs.std((0, 2, 3)) - 1).abs().max() < 1e-3


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_a_cutout_is_one_grey_square_and_the_rest_stays(seed, side):
    images = torch.full((20, 10, 10, 3), 7, dtype=torch.uint8)
    cut = cut_out(images, side, generator(seed))
    assert set(cut.unique().tolist()) <= {7, 128}
    for image in cut[..., 0] == 128:
        rows, columns = image.any(1).sum(), image.any(0).sum()
        assert 1 <= rows <= side
        assert 1 <= columns <= side
        assert image.sum() == rows * columns


@given(st.integers(0, 10_000))
def test_cutmix_gives_targets_the_shares_that_are_seen(seed):
    images = torch.arange(40, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 8, 8, 3)
    found, targets = mixed(images, torch.eye(40), "cutmix", generator(seed))
    for image, target in zip(found, targets, strict=True):
        seen = torch.bincount(image[..., 0].flatten().long(), minlength=40) / 64
        torch.testing.assert_close(target, seen)
    whole = (targets.max(1).values == 1).float().mean()
    assert 0.2 < whole < 0.95


@given(st.integers(0, 10_000))
def test_mixup_blends_pictures_and_targets_alike(seed):
    images = torch.arange(40, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 4, 4, 1)
    found, targets = mixed(images, torch.eye(40), "mixup", generator(seed))
    torch.testing.assert_close(targets.sum(1), torch.ones(40))
    torch.testing.assert_close(found[:, 0, 0, 0], targets @ torch.arange(40.0))


def test_without_mixing_nothing_changes():
    images, targets = mixed(ROWS, torch.eye(5), "none", generator())
    assert images is ROWS
    assert torch.equal(targets, torch.eye(5))


def test_colours_change_by_no_more_than_asked():
    images = torch.randint(60, 180, (200, 4, 4, 3), generator=generator(), dtype=torch.uint8)
    assert torch.equal(colour_changed(images, 0.0, generator()), images.float())
    brightness = colour_changed(images, 0.2, generator()).mean((1, 2, 3)) / images.float().mean((1, 2, 3))
    assert 0.79 < brightness.min() < 0.85
    assert 1.15 < brightness.max() < 1.21


def test_moved_by_and_back_is_the_middle_unmoved():
    moved = moved_by(moved_by(ROWS, 1), -1)
    assert torch.equal(moved[:, 1:-1, 1:-1], ROWS[:, 1:-1, 1:-1])
    assert torch.equal(moved_by(ROWS, 1)[:, 1:, 1:], ROWS[:, :-1, :-1])


def test_resized_images_keep_their_mean_and_layout():
    small = resized(ROWS.permute(0, 3, 1, 2).float(), 6)
    assert small.shape == (5, 3, 6, 6)
    assert small.is_contiguous(memory_format=torch.channels_last)
    assert (small.mean((2, 3)) - ROWS.float().mean((1, 2))).abs().max() < 8

import torch
from hypothesis import given
from hypothesis import strategies as st

from trialwise.images.augment import normalised, shifted_batch

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

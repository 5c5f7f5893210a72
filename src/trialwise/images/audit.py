"""Test images that are near-duplicates of training images: what was learnt by heart should not count as skill.

Near means the same shot: moved by a few pixels, mirrored, recompressed, recoloured, in other light. Two different
pictures of one kind of thing are not near.

Shapes: N rows, H height, W width, C channels, S side of the small grey images that are compared, D numbers of a
descriptor, P pairs.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from trialwise.base.seeds import numpy_generator
from trialwise.images.store import Rows, picture_digests

SIDE = 32  # images are compared as grey images of so many pixels a side
DETAIL_SIGMA = 1.5  # pixels of SIDE: what is smoother than this is light and background, not the picture's own detail
LARGEST_SHIFT = 3  # pixels of SIDE
GRID, GRID_BLUR = 12, 5  # of the first kind of descriptor
HIGHEST_FREQUENCY, LEAST_AMPLITUDE = 8, 3.0  # of the second
LEAST_GRID_LIKENESS, LEAST_SPECTRUM_LIKENESS = 0.65, 0.70  # of candidates; lower finds hardly more in CIFAR-10
# Tuned for precision on the JPEG copy of CIFAR-10, by eye: from 0.70 on, about 97 of 100 pairs are the same shot.
LEAST_SIMILARITY = 0.70
CHANCE_SDS = 6.0  # so far above what pictures of one class have in common by chance
N_CHANCE_PAIRS = 2000
MOST_COMPARISONS = 2_000_000_000  # test rows times training rows; four times CIFAR-10, half a minute on one core
_CHUNK, _PAIR_CHUNK = 2000, 250  # images at a time; pairs at a time, so that they fit into a CPU's cache
_TILE = (1000, 2000)  # test rows by training rows whose similarities fit into a CPU's cache


@dataclasses.dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """For each test image that has one, the most similar training image.

    Attributes:
        test_P: Test rows, each at most once, the most similar first.
        train_P: The training row of each.
        similarity_P: 1 for the same pixels, else the correlation of the details of both images.
        is_mirrored_P: Whether it is the mirror image that is similar.
        is_exact_P: Whether all pixels are the same.
        threshold: The least similarity that counted; None where only exact copies were looked for.
    """

    test_P: NDArray[np.int64]
    train_P: NDArray[np.int64]
    similarity_P: NDArray[np.float64]
    is_mirrored_P: NDArray[np.bool_]
    is_exact_P: NDArray[np.bool_]
    threshold: float | None


def near_duplicates(test: Rows, train: Rows, device: torch.device) -> NearDuplicates:
    """The test images that are training images too, exactly or nearly.

    Candidates are the nearest training rows by two small descriptors, of which one knows neither where something is nor
    on which side; what counts is the correlation of the details of both images (a band of middle frequencies, rows and
    columns each of mean 0, so that a horizon or a frame is no likeness) at the best shift, mirrored or not. The bar is
    at least `LEAST_SIMILARITY`, and above anything that two training images of one class have in common by chance:
    handwritten ones are all alike.

    CIFAR-10 is known to have 286 test images with such a twin among the training images (Barz & Denzler 2020, "Do we
    train on test data? Purging CIFAR of near-duplicates").

    Args:
        test: The rows to look at.
        train: The rows that were learnt from or chosen by.
        device: Where to compute.
    """
    found = _exact(test, train)
    threshold = None
    if len(test.labels_N) * len(train.labels_N) <= MOST_COMPARISONS:
        threshold = _threshold(train, device)
        for test_row, train_row, similarity, is_mirrored in _near(test, train, device):
            if similarity >= threshold and similarity > found.get(test_row, (0, 0.0, False))[1]:
                found[test_row] = (train_row, similarity, is_mirrored)
    order = sorted(found, key=lambda row: (-found[row][1], row))
    similarity_P = np.array([found[row][1] for row in order], dtype=np.float64)
    return NearDuplicates(
        test_P=np.array(order, dtype=np.int64),
        train_P=np.array([found[row][0] for row in order], dtype=np.int64),
        similarity_P=similarity_P,
        is_mirrored_P=np.array([found[row][2] for row in order], dtype=bool),
        is_exact_P=similarity_P == _EXACT,
        threshold=threshold,
    )


_EXACT = 1.0  # correlations are kept below it


def _exact(test: Rows, train: Rows) -> dict[int, tuple[int, float, bool]]:
    rows = {digest: row for row, digest in enumerate(picture_digests(train.images_NHWC))}
    pairs = ((row, rows.get(digest)) for row, digest in enumerate(picture_digests(test.images_NHWC)))
    return {row: (match, _EXACT, False) for row, match in pairs if match is not None}


def _near(test: Rows, train: Rows, device: torch.device) -> Iterator[tuple[int, int, float, bool]]:
    """Candidates: test row, training row, similarity of their details, whether mirrored."""
    for test_P, train_P in _candidates(test, train, device):
        for start in range(0, len(test_P), _PAIR_CHUNK):
            part = slice(start, start + _PAIR_CHUNK)
            test_PSS = _details(test, test_P[part], device)
            train_PSS = _details(train, train_P[part], device)
            direct_P, mirrored_P = _correlation(test_PSS, train_PSS), _correlation(test_PSS.flip(2), train_PSS)
            is_mirrored_P = (mirrored_P > direct_P).tolist()
            best_P = torch.maximum(direct_P, mirrored_P).tolist()
            yield from zip(test_P[part].tolist(), train_P[part].tolist(), best_P, is_mirrored_P, strict=True)


def _candidates(test: Rows, train: Rows, device: torch.device) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Test rows, and the training row of each that is nearest by one descriptor and by the other."""
    for describe, least in ((_grids, LEAST_GRID_LIKENESS), (_spectra, LEAST_SPECTRUM_LIKENESS)):
        train_ND = describe(train, device)
        mean_D, sd_D = train_ND.mean(dim=0), train_ND.std(dim=0, correction=0).clamp(min=1e-6)
        test_ND = describe(test, device)
        best_N, nearest_N = _nearest(_unit((test_ND - mean_D) / sd_D), _unit((train_ND - mean_D) / sd_D))
        is_near_N = best_N >= least
        yield torch.nonzero(is_near_N)[:, 0].cpu().numpy(), nearest_N[is_near_N].cpu().numpy()


def _threshold(train: Rows, device: torch.device) -> float:
    """The least similarity that is no chance: far out in the distribution over random pairs of one class.

    Correlations are made normal by Fisher's z; median and median absolute deviation keep real duplicates among the
    pairs from raising the bar.
    """
    first_P, second_P = _pairs_of_one_class(train.labels_N)
    z = []
    for chosen in np.array_split(np.arange(len(first_P)), max(1, len(first_P) // _PAIR_CHUNK)):
        similarity_P = _correlation(_details(train, first_P[chosen], device), _details(train, second_P[chosen], device))
        z.append(torch.atanh(similarity_P).cpu().numpy())
    z_P = np.concatenate(z)
    if not z_P.size:
        return LEAST_SIMILARITY
    median = float(np.median(z_P))
    sd = 1.4826 * float(np.median(np.abs(z_P - median)))  # what the deviation is of a normal distribution
    return max(LEAST_SIMILARITY, math.tanh(median + CHANCE_SDS * sd))


def _pairs_of_one_class(labels_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random pairs of different rows with the same label, always the same pairs."""
    generator = numpy_generator(0, "chance pairs")
    by_class_N = np.argsort(labels_N, kind="stable")
    starts = np.searchsorted(labels_N[by_class_N], np.arange(int(labels_N.max()) + 2))
    first_P = generator.integers(0, len(labels_N), N_CHANCE_PAIRS)
    low_P, high_P = starts[labels_N[first_P]], starts[labels_N[first_P] + 1]
    second_P = by_class_N[(low_P + generator.random(N_CHANCE_PAIRS) * (high_P - low_P)).astype(np.int64)]
    differ_P = first_P != second_P
    return first_P[differ_P], second_P[differ_P]


def _grids(rows: Rows, device: torch.device) -> torch.Tensor:
    """The coarse details of each image (N, D): they suit images of which nothing has moved far."""
    parts = []
    for grey_NSS in _all_grey(rows, device):
        coarse_N1GG = functional.interpolate(grey_NSS[:, None], size=(GRID, GRID), mode="area")
        blurred = functional.avg_pool2d(coarse_N1GG, GRID_BLUR, 1, GRID_BLUR // 2, count_include_pad=False)
        parts.append(_centred((coarse_N1GG - blurred)[:, 0]).flatten(1))
    return torch.cat(parts)


def _spectra(rows: Rows, device: torch.device) -> torch.Tensor:
    """The logarithms of each image's low frequencies (N, D): the same wherever its content lies, mirrored or not."""
    window_S = torch.hann_window(SIDE, periodic=False, device=device)
    n = HIGHEST_FREQUENCY + 1
    parts = []
    for grey_NSS in _all_grey(rows, device):
        centred = grey_NSS - grey_NSS.mean(dim=(1, 2), keepdim=True)
        even = SIDE * _unit(centred.flatten(1)).view_as(centred)  # the same contrast for all
        amplitudes = torch.fft.rfft2(even * window_S[:, None] * window_S).abs()
        logs = torch.log(amplitudes + LEAST_AMPLITUDE)
        # Mirroring swaps the frequencies (y, x) and (-y, x).
        down, up = logs[:, :n, :n], torch.cat([logs[:, :1, :n], logs[:, 1 - n :, :n].flip(1)], dim=1)
        parts.append(((down + up) / 2).flatten(1))
    return torch.cat(parts)


def _nearest(test_ND: torch.Tensor, train_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each test row its largest scalar product with a training row, and which row that is."""
    best_N = torch.full((len(test_ND),), -2.0, device=test_ND.device)
    nearest_N = torch.zeros(len(test_ND), dtype=torch.int64, device=test_ND.device)
    tile_test, tile_train = _TILE
    for start in range(0, len(test_ND), tile_test):
        part = slice(start, start + tile_test)
        for first in range(0, len(train_ND), tile_train):
            highest, position = (test_ND[part] @ train_ND[first : first + tile_train].T).max(dim=1)
            nearest_N[part] = torch.where(highest > best_N[part], position + first, nearest_N[part])
            best_N[part] = torch.maximum(highest, best_N[part])
    return best_N, nearest_N


def _all_grey(rows: Rows, device: torch.device) -> Iterator[torch.Tensor]:
    for start in range(0, len(rows.labels_N), _CHUNK):
        yield _grey(rows.images_NHWC[start : start + _CHUNK], device)


def _grey(images_NHWC: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Small grey images (N, S, S) in 0..255, whatever the size and the channels of the images."""
    # A copy, since rows may be mapped read-only from disk.
    grey_N1HW = torch.from_numpy(np.array(images_NHWC)).to(device).float().mean(dim=-1)[:, None]
    mode = "area" if min(grey_N1HW.shape[-2:]) >= SIDE else "bilinear"
    return functional.interpolate(grey_N1HW, size=(SIDE, SIDE), mode=mode)[:, 0]


def _details(rows: Rows, chosen_P: NDArray[np.int64], device: torch.device) -> torch.Tensor:
    """What is left of the grey images (P, S, S) when all that is smooth is taken away."""
    grey_P1SS = _grey(rows.images_NHWC[chosen_P], device)[:, None]
    reach = math.ceil(4 * DETAIL_SIGMA)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=device) / DETAIL_SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(grey_P1SS, (reach, reach, reach, reach), mode="reflect")
    smooth = functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return (grey_P1SS - smooth)[:, 0]


def _correlation(first_PSS: torch.Tensor, second_PSS: torch.Tensor) -> torch.Tensor:
    """The correlation (P) of each pair at the shift that suits it best; 0 for an image without details."""
    inner = slice(LARGEST_SHIFT, -LARGEST_SHIFT)
    first = _unit(_centred(first_PSS[:, inner, inner]).flatten(1))
    side = SIDE - 2 * LARGEST_SHIFT
    best = torch.zeros(len(first_PSS), device=first_PSS.device)
    for down in range(2 * LARGEST_SHIFT + 1):
        for right in range(2 * LARGEST_SHIFT + 1):
            second = _unit(_centred(second_PSS[:, down : down + side, right : right + side]).flatten(1))
            best = torch.maximum(best, (first * second).sum(dim=1))
    return best.clamp(max=1 - 1e-6)


def _centred(maps: torch.Tensor) -> torch.Tensor:
    """The maps (..., S, S) less the means of their rows and columns."""
    maps = maps - maps.mean(dim=-1, keepdim=True)
    return maps - maps.mean(dim=-2, keepdim=True)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    """The rows scaled to length 1; what is next to nothing stays so."""
    return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-3)

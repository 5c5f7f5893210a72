"""What a person hands to `ImageClassifier` -> pictures as the networks take them.

Shapes: N pictures, F features, H height, W width, C channels (1 or 3).
"""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trialwise.api.estimators.saving import InputError
from trialwise.images.decoding import Picture, decode, measure, with_channels
from trialwise.images.spool import fitting_side

ImageShape = tuple[int, ...] | Literal["pad"] | None
SMALLEST = 8  # pixels a side that a network takes


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureForm:
    """How what was given to `fit` became pictures: what is given to `predict` becomes pictures the same way.

    Attributes:
        shape: Height, width and channels of arrays; () where image files were given.
        low: The value that is black.
        high: The value that is white.
        size: Pixels a side of the pictures.
        channels: 1 (grey) or 3 (RGB).
    """

    shape: tuple[int, ...]
    low: float
    high: float
    size: int
    channels: int


def is_files(X: Any) -> bool:
    """Whether `X` names image files rather than holding numbers."""
    if isinstance(X, str | Path):
        raise InputError(
            f"X: expected arrays or a list of image files, got one path, {str(X)!r}",
            hint="a list of the files and y with their classes; trialwise.api.train takes a folder of class folders",
        )
    if not isinstance(X, list | tuple) and not (getattr(X, "ndim", None) == 1 and hasattr(X, "__iter__")):
        return False
    return len(X) > 0 and all(isinstance(item, str | Path) for item in X)


def form_of(values: NDArray[Any], image_shape: ImageShape, image_size: int | None) -> PictureForm:
    """The form of the arrays that a classifier is fitted on: (N, F), (N, H, W) or (N, H, W, C).

    Those that are not square get black edges: nothing of an array is cropped.
    Whole 8-bit numbers are taken as they are; of all others the smallest becomes black and the largest white.

    Raises:
        InputError: They are not, or not clearly, pictures.
    """
    shape = _shape_of(values, image_shape)
    low, high = (0.0, 255.0) if values.dtype == np.uint8 else (float(values.min()), float(values.max()))
    if not high > low:
        high = low + 1.0
    side = max(shape[:2]) * _repeats(shape)
    size = image_size or fitting_side([(side, side)])
    return PictureForm(shape=shape, low=low, high=high, size=size, channels=shape[2])


def _shape_of(values: NDArray[Any], image_shape: ImageShape) -> tuple[int, int, int]:
    given = values.shape[1:]
    n_values = math.prod(given)
    if image_shape == "pad":
        side = math.isqrt(n_values - 1) + 1
        return side, side, 1
    if image_shape is not None:
        if isinstance(image_shape, str) or len(image_shape) not in (2, 3) or min(image_shape) < 1:
            raise InputError(
                f"image_shape: expected (height, width), (height, width, channels) or 'pad', got {image_shape!r}"
            )
        if math.prod(image_shape) != n_values:
            raise InputError(
                f"image_shape {tuple(image_shape)} has {math.prod(image_shape)} values, X has {n_values} a row"
            )
        if len(given) > 1 and _with_channel(given) != _with_channel(tuple(image_shape)):
            raise InputError(f"image_shape {tuple(image_shape)}: X has images of shape {given}")
        given = tuple(map(int, image_shape))
    elif len(given) == 1:
        side = math.isqrt(n_values)
        if side * side != n_values:
            raise InputError(
                f"X: {n_values} features are no square image",
                hint="image_shape=(height, width) or (height, width, 3) says what they are; image_shape='pad' fills a "
                "square up with black, for features that are no image",
            )
        given = (side, side)
    shape = _with_channel(given)
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(f"X: expected images (N, H, W), (N, H, W, 1) or (N, H, W, 3), got shape {values.shape}")
    return shape


def pictures(values: NDArray[Any], form: PictureForm) -> NDArray[np.uint8]:
    """(N, size, size, channels) uint8 pictures of arrays; values beyond black and white become black and white.

    Raises:
        InputError: Their shape is not that of the arrays that the form was taken from.
    """
    n_values, n_pixels = math.prod(values.shape[1:]), math.prod(form.shape)
    is_pad = values.ndim == 2 and n_pixels > n_values
    if not form.shape or (n_values != n_pixels and not is_pad):
        wanted = f"images of {form.shape}" if form.shape else "image files, as in fit"
        raise InputError(f"X: expected {wanted}, got an array of shape {values.shape}")
    if values.ndim > 2 and _with_channel(values.shape[1:]) != tuple(form.shape):
        raise InputError(f"X: expected images of {form.shape}, as in fit, got an array of shape {values.shape}")
    shades = _shades(values, form).reshape(len(values), -1)
    if is_pad:
        shades = np.pad(shades, ((0, 0), (0, n_pixels - n_values)))
    images_NHWC = _between_edges(shades.reshape(len(values), *form.shape))
    repeats = _repeats(form.shape)
    if repeats > 1:
        images_NHWC = images_NHWC.repeat(repeats, axis=1).repeat(repeats, axis=2)
    if images_NHWC.shape[1:3] == (form.size, form.size):
        return np.ascontiguousarray(images_NHWC)
    return np.stack([_resized(image_HWC, form) for image_HWC in images_NHWC])


def _with_channel(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape, 1) if len(shape) == 2 else shape


def _shades(values: NDArray[Any], form: PictureForm) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and (form.low, form.high) == (0.0, 255.0):
        return values
    shares = (values.astype(np.float64) - form.low) / (form.high - form.low)
    return np.rint(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)


def _repeats(shape: tuple[int, ...]) -> int:
    """How often each pixel is repeated along both sides, so that a network has room to work in."""
    return math.ceil(SMALLEST / max(shape[:2]))


def _between_edges(images_NHWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures that are not square between black edges: cropped, much of a spectrogram would never be seen."""
    missing = [max(images_NHWC.shape[1:3]) - side for side in images_NHWC.shape[1:3]]
    edges = [(lack // 2, lack - lack // 2) for lack in missing]
    return np.pad(images_NHWC, ((0, 0), *edges, (0, 0)))


def _resized(image_HWC: NDArray[np.uint8], form: PictureForm) -> NDArray[np.uint8]:
    found = decode(image_HWC[..., 0] if form.channels == 1 else image_HWC, size=form.size)
    assert isinstance(found, Picture)
    return with_channels(found, form.channels)


def form_of_files(files: Sequence[str | Path], image_size: int | None) -> PictureForm:
    """The form of the image files that a classifier is fitted on: grey where all of them are.

    Raises:
        InputError: One of them cannot be read.
    """
    sizes = [measure(Path(file)) for file in files]
    size = image_size or fitting_side([found for found in sizes if found is not None])
    is_grey = all(_decoded(file, size).is_grey for file in files)
    return PictureForm(shape=(), low=0.0, high=255.0, size=size, channels=1 if is_grey else 3)


def pictures_of_files(files: Sequence[str | Path], form: PictureForm) -> NDArray[np.uint8]:
    """(N, size, size, channels) uint8 pictures of image files, cropped and resized as in `image train`.

    Raises:
        InputError: One of them cannot be read, or the classifier was fitted on arrays of another kind.
    """
    found = [_decoded(file, form.size) for file in files]
    n_coloured = sum(not picture.is_grey for picture in found)
    if form.channels == 1 and n_coloured:
        warnings.warn(f"{n_coloured} colour images are made grey, because the model takes grey ones", stacklevel=3)
    return np.stack([with_channels(picture, form.channels) for picture in found])


def _decoded(file: str | Path, size: int) -> Picture:
    found = decode(Path(file), size=size)
    if isinstance(found, str):
        raise InputError(f"{file}: {found}")
    return found

"""One image's bytes -> pixels of a fixed size, or the reason why not.

Shapes: H height, W width, C channels (always 3 here; the store keeps one where all images are grey).
"""

import io
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")

UNREADABLE = "cannot be read:"  # what the system said of a file; it may be another time
PIXEL_LIMIT = 50_000_000

# A file is read by what it holds, not by its name; formats beyond these are left alone, as each is one more decoder
# that a hostile file could reach.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# Pillow logs what it finds wrong in a TIFF file; the reason says it.
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)

Content = bytes | Path | NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One decoded image.

    Attributes:
        pixels_HWC: uint8 in 0..255, shape (size, size, 3); the three channels are equal where `is_grey`.
        is_grey: Whether the file says that it has no colour (its mode or its palette, not its pixels).
        original_size: Width and height in pixels as stored, before turning, cropping and resizing.
    """

    pixels_HWC: NDArray[np.uint8]
    is_grey: bool
    original_size: tuple[int, int]


def decode(content: Content, *, size: int) -> Picture | str:
    """The picture at `size` x `size` pixels, or the reason (for people) why there is none.

    The EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits; of an animation or
    of several pages the first is taken. The central square is resized with an antialiased Lanczos filter, so that the
    aspect ratio stays. Nothing is raised or warned.

    Args:
        content: An image file's bytes or its path, or pixels: uint8 of shape (H, W) or (H, W, 3).
        size: Pixels a side of what comes out.
    """
    if isinstance(content, np.ndarray):
        image = Image.fromarray(content)
        return Picture(pixels_HWC=_squared(image, size), is_grey=content.ndim == 2, original_size=image.size)
    try:
        with _quiet(), Image.open(_opened(content), formats=_FORMATS) as image:
            return _decoded(image, size)
    except Exception as error:  # Pillow raises nearly anything on a damaged file, SyntaxError included
        return _reason(error, content)


def measure(content: Content) -> tuple[int, int] | None:
    """Width and height in pixels by the file's header; None where it has none that can be read."""
    if isinstance(content, np.ndarray):
        return content.shape[1], content.shape[0]
    try:
        with _quiet(), Image.open(_opened(content), formats=_FORMATS) as image:
            return image.size
    except Exception:
        return None


def with_channels(picture: Picture, channels: int) -> NDArray[np.uint8]:
    """The picture's pixels (H, W, channels) as a network of that many channels takes them.

    A grey network is given a colour picture's brightness (ITU-R 601, as in Pillow's mode L).
    """
    if channels == 3:
        return picture.pixels_HWC
    if picture.is_grey:
        return picture.pixels_HWC[..., :1]
    return np.asarray(Image.fromarray(picture.pixels_HWC).convert("L"))[..., None]


class _Quiet:
    """How many threads want no warnings now, and the filters to put back when the last one is done.

    `warnings.catch_warnings` alone is not safe in threads: whoever leaves last would put back another's filters.
    """

    lock = threading.Lock()
    n_inside = 0
    guard: warnings.catch_warnings


@contextmanager
def _quiet() -> Iterator[None]:
    with _Quiet.lock:
        if _Quiet.n_inside == 0:
            _Quiet.guard = warnings.catch_warnings()
            _Quiet.guard.__enter__()
            warnings.simplefilter("ignore")
        _Quiet.n_inside += 1
    try:
        yield
    finally:
        with _Quiet.lock:
            _Quiet.n_inside -= 1
            if _Quiet.n_inside == 0:
                _Quiet.guard.__exit__(None, None, None)


def _opened(content: bytes | Path) -> io.BytesIO | Path:
    return io.BytesIO(content) if isinstance(content, bytes) else content


def _decoded(image: Image.Image, size: int) -> Picture | str:
    original_size = image.size
    if original_size[0] * original_size[1] > PIXEL_LIMIT:
        width, height = original_size
        return f"{width} x {height} pixels: more than the limit of {PIXEL_LIMIT:,}"
    if image.mode == "F":
        return "floating-point pixels: which value is white is not known"
    # A JPEG can be decoded at a half, a quarter or an eighth: many times faster for photos, and with three times the
    # wanted size left the resizing filter still decides what is seen.
    image.draft(None, (3 * size, 3 * size))
    image.load()
    plain = _without_alpha(_upright(image))
    return Picture(pixels_HWC=_squared(plain, size), is_grey=_is_grey(image, plain), original_size=original_size)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return image


def _without_alpha(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB."""
    if image.mode.startswith("I"):
        # Pillow would clip 16-bit values at 255 instead of scaling them.
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(values, 0, 65535) // 257).astype(np.uint8))
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, "white")
        flat = Image.alpha_composite(white, colours).convert("RGB")
        return flat.getchannel(0) if image.mode in ("LA", "La", "L", "1") else flat
    if image.mode in ("L", "1"):
        return image.convert("L")
    return image.convert("RGB")


def _is_grey(image: Image.Image, plain: Image.Image) -> bool:
    if image.mode != "P":
        return plain.mode == "L"
    pixels_HWC = np.asarray(plain)
    return bool((pixels_HWC == pixels_HWC[..., :1]).all())


def _squared(image: Image.Image, size: int) -> NDArray[np.uint8]:
    width, height = image.size
    if (width, height) != (size, size):
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        # Cropped first: with `box` the filter would mix in pixels from outside of the square.
        square = image.crop((left, top, left + short, top + short))
        image = square.resize((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _reason(error: Exception, content: bytes | Path) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {PIXEL_LIMIT:,}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{UNREADABLE} {error.strerror}"
    if isinstance(error, UnidentifiedImageError):
        n_bytes = len(content) if isinstance(content, bytes) else content.stat().st_size
        return "an empty file" if n_bytes == 0 else "not an image, whatever its name says"
    return f"cannot be decoded: {str(error) or type(error).__name__}"

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from trialwise.images import decoding
from trialwise.images.decoding import Picture, decode, measure


def encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def decoded(content, size=8) -> Picture:
    picture = decode(content, size=size)
    assert isinstance(picture, Picture), picture
    assert picture.pixels_HWC.shape == (size, size, 3)
    assert picture.pixels_HWC.dtype == np.uint8
    return picture


RED = (250, 10, 20)


@pytest.mark.parametrize("format", ["PNG", "BMP", "JPEG", "MPO", "WEBP", "GIF", "TIFF"])
def test_formats(format):
    picture = decoded(encoded(Image.new("RGB", (8, 8), RED), format))
    assert np.abs(picture.pixels_HWC.astype(int) - RED).max() < 12
    assert not picture.is_grey
    assert picture.original_size == (8, 8)


def test_pixels_of_the_right_size_are_kept_exactly():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert (decoded(encoded(Image.fromarray(pixels))).pixels_HWC == pixels).all()
    assert (decoded(pixels).pixels_HWC == pixels).all()


def test_a_path_is_read_as_bytes_are(tmp_path):
    content = encoded(Image.new("RGB", (8, 8), RED))
    (tmp_path / "a.png").write_bytes(content)
    assert (decoded(tmp_path / "a.png").pixels_HWC == decoded(content).pixels_HWC).all()


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16"])
def test_grey_modes_are_grey(mode):
    grey = np.tile(np.array([[0, 255]], dtype=np.uint8), (8, 4))
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert(mode)
    picture = decoded(encoded(image))
    assert picture.is_grey
    assert (picture.pixels_HWC == grey[..., None]).all()


def test_sixteen_bits_are_scaled_and_not_clipped():
    values = np.tile(np.linspace(0, 65535, 8).astype(np.uint16), (8, 1))
    picture = decoded(encoded(Image.fromarray(values)))
    assert (picture.pixels_HWC[0, :, 0] == values[0] // 257).all()


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i4"])
def test_sixteen_bits_in_a_tiff(kind):
    values = np.tile(np.linspace(0, 65535, 8).astype(kind), (8, 1))
    picture = decoded(encoded(Image.fromarray(values), "TIFF"))
    assert picture.is_grey
    assert (picture.pixels_HWC[0, :, 0] == values[0] // 257).all()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_several_pictures_in_a_file_the_first_is_taken(format):
    others = [Image.new("RGB", (8, 8), "blue"), Image.new("RGB", (8, 8), "green")]
    picture = decoded(encoded(Image.new("RGB", (8, 8), RED), format, save_all=True, append_images=others))
    assert np.abs(picture.pixels_HWC.astype(int) - RED).max() < 12


def test_grey_pixels_in_a_colour_mode_are_colour_and_a_grey_palette_is_grey():
    assert not decoded(encoded(Image.new("RGB", (8, 8), (9, 9, 9)))).is_grey
    assert decoded(encoded(Image.new("L", (8, 8), 9).convert("P"))).is_grey
    assert not decoded(encoded(Image.new("RGB", (8, 8), RED).quantize(4))).is_grey


def test_a_palette_becomes_its_colours():
    assert (decoded(encoded(Image.new("RGB", (8, 8), RED).quantize(4))).pixels_HWC == RED).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_is_white(mode):
    image = Image.new(mode, (8, 8), (0,) * len(mode))
    assert (decoded(encoded(image)).pixels_HWC == 255).all()


def test_half_transparent_is_half_white():
    picture = decoded(encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 128))))
    assert np.abs(picture.pixels_HWC.astype(int) - 127).max() <= 1


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([250, 10, 20, 0, 0, 0])
    assert (decoded(encoded(image, transparency=0)).pixels_HWC == 255).all()


def test_cmyk():
    picture = decoded(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert picture.pixels_HWC[..., 0].min() > 230
    assert picture.pixels_HWC[..., 1:].max() < 25


def test_the_exif_orientation_is_applied():
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right: the upper half is then the right half
    picture = decoded(encoded(Image.fromarray(pixels), exif=exif.tobytes()))
    assert (picture.pixels_HWC[:, 4:] == 255).all()
    assert (picture.pixels_HWC[:, :4] == 0).all()


def test_a_damaged_exif_block_does_not_cost_the_image():
    content = encoded(Image.new("RGB", (8, 8), RED), exif=b"Exif\0\0II*\0\xff\xff\xff\xff\xff")
    assert (decoded(content).pixels_HWC == RED).all()


@pytest.mark.parametrize("size", [(40, 20), (20, 40)])
def test_the_central_square_is_taken_and_keeps_its_shape(size):
    image = Image.new("RGB", size, "black")
    image.paste("white", (size[0] // 2 - 10, size[1] // 2 - 10, size[0] // 2 + 10, size[1] // 2 + 10))
    assert (decoded(encoded(image), size=10).pixels_HWC == 255).all()


def test_shrinking_averages_and_does_not_skip_pixels():
    checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = decoded(encoded(Image.fromarray(checks)), size=8)
    assert np.abs(picture.pixels_HWC.astype(int) - 127).max() < 15


def test_a_large_jpeg_gives_nearly_what_full_decoding_gives():
    noise = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC)
    content = encoded(photo, "JPEG", quality=95)
    full = Image.open(io.BytesIO(content)).crop((200, 0, 1400, 1200)).resize((140, 140), Image.Resampling.LANCZOS)
    difference = np.abs(decoded(content, size=140).pixels_HWC.astype(int) - np.asarray(full))
    assert difference.mean() < 2


def test_one_pixel_and_one_line_are_enlarged():
    assert (decoded(encoded(Image.new("RGB", (1, 1), RED)), size=8).pixels_HWC == RED).all()
    assert (decoded(encoded(Image.new("RGB", (500, 1), RED)), size=8).pixels_HWC == RED).all()


def noise_jpeg():
    return encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"this is a text", "not an image"),
        (noise_jpeg()[:1500], "cannot be decoded"),
        (encoded(Image.new("RGB", (64, 64), RED))[:60], "cannot be decoded"),
        (encoded(Image.new("L", (8, 8)), "PPM"), "not an image"),
        (encoded(Image.new("F", (8, 8)), "TIFF"), "floating-point pixels"),
    ],
    ids=["empty", "text", "cut JPEG", "cut PNG", "a format that is not read", "floats"],
)
def test_broken_files_come_back_as_reasons(content, reason):
    assert decode(content, size=8).startswith(reason)


def test_a_file_that_is_gone_comes_back_as_a_reason(tmp_path):
    assert decode(tmp_path / "gone.png", size=8) == "cannot be read: No such file or directory"
    assert measure(tmp_path / "gone.png") is None


def png_header(width, height):
    stream = io.BytesIO()
    stream.write(b"\x89PNG\r\n\x1a\n")
    PngImagePlugin.putchunk(
        stream, b"IHDR", width.to_bytes(4, "big"), height.to_bytes(4, "big"), bytes([8, 2, 0, 0, 0])
    )
    PngImagePlugin.putchunk(stream, b"IDAT", b"")
    return stream.getvalue()


@pytest.mark.parametrize("side", [8_000, 10_000, 60_000], ids=["over ours", "Pillow warns", "Pillow raises"])
def test_a_decompression_bomb_is_left_out_without_a_warning(side):
    assert "50,000,000" in decode(png_header(side, side), size=8)
    measure(png_header(side, side))


def test_every_way_to_cut_a_file_gives_a_picture_or_a_reason():
    tiff = encoded(Image.new("RGB", (9, 9)), "TIFF", compression="tiff_deflate")
    for content in [noise_jpeg(), encoded(Image.new("P", (9, 9), 3)), encoded(Image.new("RGB", (9, 9)), "WEBP"), tiff]:
        for n_bytes in range(0, len(content), max(len(content) // 50, 1)):
            assert isinstance(decode(content[:n_bytes], size=8), Picture | str)


def test_damaged_bytes_never_raise_or_warn_or_print(capfd, caplog):
    generator = np.random.default_rng(1)
    noise = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    tiffs = [encoded(noise, "TIFF", compression=name) for name in ["raw", "tiff_lzw", "tiff_deflate", "jpeg"]]
    for content in [*tiffs, noise_jpeg(), encoded(Image.new("RGBA", (9, 9), RED)), encoded(noise, "BMP")]:
        for _ in range(60):
            damaged = np.frombuffer(content, dtype=np.uint8).copy()
            damaged[generator.integers(0, len(damaged), 4)] = generator.integers(0, 256, 4)
            assert isinstance(decode(damaged.tobytes(), size=8), Picture | str)
        out, err = capfd.readouterr()
        assert out == ""
        assert err == "" or content in tiffs  # libtiff itself prints on damaged files, and cannot be kept from it
        assert not caplog.records


def test_measure_reads_the_header_only():
    assert measure(noise_jpeg()[:700]) == (64, 64)
    assert measure(b"text") is None
    assert measure(np.zeros((5, 7), dtype=np.uint8)) == (7, 5)


def test_no_torch_is_imported():
    assert not any(name.startswith("torch") for name in vars(decoding))

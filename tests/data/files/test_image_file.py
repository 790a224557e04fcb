# SPDX-License-Identifier: Apache-2.0
"""Every kind of number, colour, transparency and turn that an image file may have."""

import struct

import numpy as np
import pytest
from PIL import Image

from vae_ortho_plugin.data.files import image_file
from vae_ortho_plugin.errors import InputError

COLOURS = np.array([[[200, 100, 50], [0, 0, 0]], [[255, 255, 255], [9, 9, 9]]], np.uint8)
DEEP = np.array([[0, 4095, 65535]], np.uint16)


def read(file, sides=None, grey=False, background=None):
    return image_file.read(file, sides, grey, background)


def grey(file):
    return read(file, grey=True)[..., 0].tolist()


def tiff(path, bits, photometric, sample_format, data):
    """An uncompressed TIFF of one row with two grey numbers."""
    tags = [(256, 2), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 200), (277, 1)]
    tags += [(278, 1), (279, len(data)), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    path.write_bytes(head.ljust(200, b"\0") + data)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "CMYK", "YCbCr"])
def test_modes_of_8_bits_are_bytes_of_one_or_three_channels(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    image = Image.fromarray(COLOURS).convert("L" if mode == "1" else mode)
    (image.convert("1", dither=Image.Dither.NONE) if mode == "1" else image).save(path)
    assert grey(path) == ([[0, 0], [255, 0]] if mode == "1" else [[124, 0], [255, 9]])
    colours = read(path)
    assert colours.shape == (2, 2, 3) and colours.dtype == np.uint8


@pytest.mark.parametrize(
    "name, pixels",
    [
        ("a.png", DEEP),
        ("a.pgm", DEEP),
        ("a.tif", DEEP.astype(">u2")),
        ("a.tif", DEEP / np.float32(65535)),
    ],
)
def test_16_bits_and_floats_keep_all_their_levels_from_0_to_1(tmp_path, name, pixels):
    Image.fromarray(pixels).save(tmp_path / name)
    found = read(tmp_path / name)
    assert found.dtype == np.float32 and found.shape == (1, 3, 3)
    np.testing.assert_array_equal(found[..., 1], DEEP / np.float32(65535))


def test_12_bits_of_a_tiff_are_scaled_by_4095(tmp_path):
    tiff(tmp_path / "a.tif", 12, 1, 1, bytes([0xFF, 0xF0, 0x00]))
    assert grey(tmp_path / "a.tif") == [[1, 0]]


def test_resized_floats_stay_between_0_and_1(tmp_path):
    Image.fromarray(np.repeat(DEEP, 8, axis=0)).save(tmp_path / "a.png")
    found = read(tmp_path / "a.png", (16, 16), grey=True)
    assert found.min() == 0 and found.max() == 1 and found.shape == (16, 16, 1)


@pytest.mark.parametrize(
    "pixels, message",
    [
        (np.array([[0.5, 1.5]], np.float32), "values from 0.5 to 1.5; floating"),
        (np.array([[0.5, -1]], np.float32), "values from -1.0 to 0.5"),
        (np.array([[0.5, np.nan]], np.float32), "values from nan"),
        (np.array([[0, 70000]], np.int32), "mode I has no range that is known"),
    ],
)
def test_numbers_of_an_unknown_range_are_refused(tmp_path, pixels, message):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=f"a.tif.*{message}"):
        read(tmp_path / "a.tif")


def test_white_as_0_signed_numbers_and_lab_are_refused(tmp_path):
    for photometric, sample_format in ((0, 1), (1, 2)):
        tiff(tmp_path / "a.tif", 16, photometric, sample_format, bytes(4))
        with pytest.raises(InputError, match="a.tif.*has no range that is known"):
            read(tmp_path / "a.tif")
    Image.merge("LAB", Image.fromarray(COLOURS).split()).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="a.tif.*mode LAB"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_an_image_is_turned_as_its_exif_orientation_says(tmp_path, name):
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: what is stored at the left is at the top
    Image.fromarray(pixels).save(tmp_path / name, exif=exif, quality=100)
    found = read(tmp_path / name, grey=True)
    assert found.shape == (32, 16, 1)
    assert found[:16].mean() > 250 and found[16:].mean() < 5


def test_transparent_pixels_show_the_background_and_not_their_hidden_colour(tmp_path):
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 51))  # a fifth of black
    image.save(tmp_path / "a.png")
    found = read(tmp_path / "a.png", background="#ffff00")
    assert found.tolist() == [[[255, 255, 0], [204, 204, 0]]]
    with pytest.raises(InputError, match="a.png: has transparent pixels; .*folder.background"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_palette_is_its_colours_and_its_transparent_one_the_background(tmp_path, name):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 10, 20, 30])
    image.save(tmp_path / name)
    assert read(tmp_path / name).tolist() == [[[255, 0, 0], [10, 20, 30]]]
    image.save(tmp_path / name, transparency=0)
    found = read(tmp_path / name, background="white")
    assert found.tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_a_transparent_number_of_16_bits_is_refused(tmp_path):
    Image.fromarray(DEEP).save(tmp_path / "a.png", transparency=4095)
    with pytest.raises(InputError, match="a.png: has a transparent colour of 16 bits"):
        read(tmp_path / "a.png", background="white")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.tif", "a.webp"])
def test_a_file_of_several_pages_is_refused(tmp_path, name):
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=f"{name}: has 3 pages or frames; save each"):
        read(tmp_path / name)


def test_of_a_cameras_file_with_previews_the_first_picture_is_taken(tmp_path):
    image, preview = Image.new("RGB", (8, 8), "white"), Image.new("RGB", (4, 4))
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview])
    assert (read(tmp_path / "a.jpg") == np.full((8, 8, 3), 255)).all()


def test_a_picture_of_400_megapixels_is_refused(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 20000 20000 255\n")
    with pytest.raises(InputError, match=r"a.pgm: too large \(Image size \(400000000"):
        read(tmp_path / "a.pgm")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["a.bmp", "a.gif", "a.jpg", "a.png", "a.pgm", "a.tif", "a.webp"])
def test_a_file_that_ends_too_early_or_has_bad_bytes_is_named(tmp_path, name):
    random, file = np.random.RandomState(0), tmp_path / name
    Image.fromarray(random.randint(256, size=(40, 40), dtype=np.uint8)).save(file)
    whole = file.read_bytes()
    for _ in range(50):
        damaged = bytearray(whole[: random.randint(len(whole))])
        for place in random.randint(len(damaged), size=3) if damaged else ():
            damaged[place] = random.randint(256)
        file.write_bytes(damaged)
        try:
            read(file, background="white")
        except InputError as error:
            assert str(error).startswith(str(file))

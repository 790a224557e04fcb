# SPDX-License-Identifier: Apache-2.0
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import dsprites as dlib_dsprites

from vae_ortho_plugin.data import dsprites, render_dsprites
from vae_ortho_plugin.data.files.location import VARIABLE, data_root
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.errors import InputError

SIZES = (1, 3, 2, 4, 3, 2)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    grid = [str(size) for size in SIZES[1:]]
    assert render_dsprites.main(["--root", str(root), "--grid", *grid]) == 0
    return root / dsprites.FILE


@pytest.fixture
def dlib_file(monkeypatch):
    def use(path):
        monkeypatch.setattr(dlib_dsprites, "DSPRITES_PATH", str(path))

    return use


def rewritten(path, tmp_path, **arrays):
    with np.load(path, allow_pickle=True) as content:
        arrays = dict(content) | arrays
    other = tmp_path / "other.npz"
    np.savez_compressed(other, **{key: value for key, value in arrays.items() if value is not None})
    return other


def test_the_rendered_file_has_the_official_keys_and_factor_values(rendered):
    with np.load(rendered, allow_pickle=True, encoding="latin1") as content:
        assert set(content) == {"imgs", "latents_values", "latents_classes", "metadata"}
        metadata = content["metadata"][()]
        values, classes = content["latents_values"], content["latents_classes"]
    assert tuple(metadata["latents_sizes"]) == SIZES
    assert dsprites.RENDERED in metadata["title"]
    with zipfile.ZipFile(rendered) as archive:  # modules that NumPy 1 and NumPy 2 have
        assert b"numpy.core.multiarray" in archive.read("metadata.npy")
    assert classes.dtype == np.int64 and values.dtype == np.float64
    for k, name in enumerate(metadata["latents_names"]):
        np.testing.assert_array_equal(
            values[:, k], metadata["latents_possible_values"][name][classes[:, k]]
        )
    _, _, scales, orientations, *positions = render_dsprites.factor_values()
    np.testing.assert_array_equal(scales, np.linspace(0.5, 1, 6))
    np.testing.assert_array_equal(orientations, np.linspace(0, 2 * np.pi, 40))
    np.testing.assert_array_equal(positions, [np.linspace(0, 1, 32)] * 2)


def sprite(shape, scale=1.0, orientation=0.0, x=0.0, y=0.0):
    """The image of one sprite, uint8 [64, 64]."""
    positions = np.array([x]), np.array([y])
    return render_dsprites.sprite_images(shape, scale, orientation, *positions)[0, 0]


def sprite_of(classes, *sizes):
    """The image of class numbers of the six factors."""
    _, scale, *others = [
        values[k]
        for values, k in zip(render_dsprites.factor_values(*sizes)[1:], classes[1:], strict=True)
    ]
    return sprite(list(render_dsprites.OUTLINES)[classes[1]], scale, *others)


def box(image):
    """First and last row, first and last column of the white pixels."""
    rows, columns = np.nonzero(image)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize(
    "shape, areas, bounds",
    [
        ("square", [100, 144, 196, 256, 324, 400], (6, 25, 6, 25)),
        ("ellipse", [76, 104, 144, 184, 228, 288], (9, 22, 3, 28)),
        ("heart", [58, 84, 108, 140, 182, 222], (7, 23, 6, 25)),
    ],
)
def test_sprites_have_the_areas_and_bounding_boxes_of_the_published_ones(shape, areas, bounds):
    assert [sprite(shape, scale).sum() for scale in np.linspace(0.5, 1, 6)] == areas
    assert box(sprite(shape)) == bounds
    # The first and the last orientation are the same image.
    for scale in np.linspace(0.5, 1, 6):
        np.testing.assert_array_equal(
            sprite(shape, scale, 0, 0.4, 0.7), sprite(shape, scale, 2 * np.pi, 0.4, 0.7)
        )


def test_sprites_turn_counter_clockwise():
    lying = sprite("ellipse")
    np.testing.assert_array_equal(sprite("ellipse", 1.0, np.pi / 2)[:32, :32], lying[:32, :32].T)
    # The right half of a lying ellipse goes up, which is to smaller row numbers.
    rows, columns = np.nonzero(sprite("ellipse", 1.0, 0.3))
    assert np.corrcoef(rows, columns)[0, 1] < -0.2
    heart = sprite("heart")[:32, :32]
    np.testing.assert_array_equal(heart, heart[:, ::-1])
    # A quarter of a turn brings the tip from below to the right.
    quarter = sprite("heart", 1.0, np.pi / 2)[:32, :32]
    assert quarter[:, 24].sum() < quarter[:, 8].sum()


def test_sprites_travel_32_pixels_and_lie_between_whole_pixels():
    first, last = sprite("heart"), sprite("heart", x=1.0, y=1.0)
    np.testing.assert_array_equal(np.roll(first, (32, 32), axis=(0, 1)), last)
    assert box(sprite("square", x=1.0)) == (6, 25, 38, 57)
    # At 16 + 32 / 31 a square of 19.2 pixels covers other columns than at 16.
    assert box(sprite("square", 0.5, x=1 / 31)) == (11, 20, 12, 21)


def test_the_file_has_its_images_in_the_order_of_the_factors(rendered):
    images, sizes, *_ = dsprites.load_dsprites(rendered)
    assert sizes == SIZES
    images = images.reshape(*SIZES, 64, 64)
    for classes in [(0, 0, 0, 0, 0, 0), (0, 1, 1, 2, 2, 0), (0, 2, 0, 1, 1, 1)]:
        np.testing.assert_array_equal(images[classes], sprite_of(classes, SIZES))


def published_frames():
    """The file of published images, where one is: below the data root or beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    for root in (data_root(), beside):
        if (root / "dsprites_frames" / "frames.npz").is_file():
            return root / "dsprites_frames" / "frames.npz"
    return None


@pytest.mark.skipif(published_frames() is None, reason="needs dsprites_frames/frames.npz")
def test_all_published_images_are_drawn_exactly():
    with np.load(published_frames()) as content:
        images, classes = content["images"], content["latents_classes"]
    for image, without_colour in zip(images, classes, strict=True):
        np.testing.assert_array_equal(sprite_of((0, *without_colour)), image)
    assert dsprites.RENDERED.startswith(f"rendered; {len(images)} of {len(images)} ")


@pytest.mark.long
def test_the_number_of_white_pixels_is_28_above_the_published_one():
    _, _, scales, orientations, xs, ys = render_dsprites.factor_values()
    white = sum(
        int(render_dsprites.sprite_images(shape, scale, orientation, xs, ys).sum())
        for shape in render_dsprites.OUTLINES
        for scale in scales
        for orientation in orientations
    )
    # A corner that another processor's cosine rounds to the other side changes a few pixels.
    assert white - 28 == pytest.approx(128_328_862, abs=100)


def test_our_initializer_gives_dlib_the_same_object_without_reading_again(
    rendered, tmp_path, dlib_file, monkeypatch
):
    dlib_file(rendered)
    dlib_own = dlib_dsprites.DSprites([2, 3, 4, 5])
    monkeypatch.setattr(dlib_dsprites.DSprites, "__init__", dsprites.initialize)
    ours = dlib_dsprites.DSprites([2, 3, 4, 5])
    assert vars(dlib_own).keys() <= vars(ours).keys()
    for a, b in zip(
        ours.sample(30, np.random.RandomState(0)),
        dlib_own.sample(30, np.random.RandomState(0)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert dlib_dsprites.ColorDSprites([1, 2, 3, 4, 5]).images is ours.images
    assert ours.factors_num_values == [2, 4, 3, 2]
    assert dlib_dsprites.DSprites().num_factors == 6
    observations, scale = resident_observations(ours)
    assert observations.dtype == np.uint8 and scale == 1.0
    assert np.shares_memory(observations, ours.images)
    dlib_file(tmp_path / "missing.npz")
    with pytest.raises(InputError, match=f"missing.npz.*download_data.*render.*{VARIABLE}"):
        dlib_dsprites.DSprites()


def test_dlib_draws_every_resident_sprite_equally_often(tmp_path, dlib_file):
    render_dsprites.render(tmp_path / "dsprites.npz", (1, 3, 2, 1, 4, 4))
    dlib_file(tmp_path / "dsprites.npz")
    data = dlib_dsprites.DSprites([2, 3, 4, 5])  # the shape is drawn, too
    observations, scale = resident_observations(data)
    assert observations.shape == (96, 64, 64, 1) and observations.dtype == np.uint8
    numbers = {(image * scale).tobytes(): k for k, image in enumerate(observations)}
    drawn = data.sample_observations(9600, np.random.RandomState(0)).astype(np.float64)
    counts = np.bincount([numbers[image.tobytes()] for image in drawn], minlength=96)
    # Chi-squared with 95 degrees of freedom: mean 95, standard deviation 14.
    assert ((counts - 100) ** 2 / 100).sum() < 95 + 4 * 14


def test_a_file_is_published_by_its_hash_rendered_by_its_comment_or_neither(
    rendered, dlib_file, tmp_path, monkeypatch
):
    dlib_file(rendered)
    assert dsprites.origin("color_dsprites") == dsprites.RENDERED
    assert dsprites.origin("mnist") is None
    published = "md5:" + hashlib.md5(rendered.read_bytes()).hexdigest()
    monkeypatch.setattr(dsprites, "KNOWN_HASH", published)
    assert dsprites.origin("color_dsprites") is None
    dlib_file(rewritten(rendered, tmp_path))
    assert dsprites.origin("dsprites_full") == "other.npz is not the published file"
    assert not dsprites.is_rendered(tmp_path / "nothing.npz")


def test_a_file_is_taken_for_the_published_one_if_it_is_whole_and_not_rendered(
    rendered, tmp_path, monkeypatch
):
    with pytest.raises(InputError, match="is rendered"):
        dsprites.check_published(rendered)
    whole = rewritten(rendered, tmp_path)
    with pytest.raises(InputError, match=r"expected factors of sizes \(1, 3, 6, 40, 32, 32\)"):
        dsprites.check_published(whole)
    monkeypatch.setattr(dsprites, "SIZES", SIZES)
    dsprites.check_published(whole)
    path, good = tmp_path / "file.npz", whole.read_bytes()
    half = len(good) // 2
    one_byte = good[:half] + bytes([good[half] ^ 0xFF]) + good[half + 1 :]
    for content in (b"", b"<html>", good[:-1000], one_byte):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{path}: .*damaged"):
            dsprites.check_published(path)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"latents_classes": None}, "not in the layout of dSprites.*latents_classes"),
        ({"imgs": np.zeros((144, 9, 9))}, r"expected imgs .* found float64 .*\(144, 9, 9\)"),
        ({"latents_classes": np.zeros((144, 6), int)}, "not all combinations"),
        ({"latents_classes": np.array([{}])}, "pickle"),
    ],
)
def test_a_foreign_file_is_named_with_what_was_found(rendered, tmp_path, arrays, message):
    path = rewritten(rendered, tmp_path, **arrays)
    with pytest.raises(InputError, match=message):
        dsprites.load_dsprites(path)


def test_only_overwrite_replaces_a_file_and_an_impossible_grid_is_refused(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    path = tmp_path / dsprites.FILE
    path.parent.mkdir()
    path.write_text("old")
    grid = ["--grid", "1", "1", "1", "2", "1"]
    assert render_dsprites.main(grid) == 1
    assert f"{path} exists; --overwrite" in capsys.readouterr().err
    assert path.read_text() == "old"
    assert render_dsprites.main(["--overwrite", *grid]) == 0
    assert dsprites.load_dsprites(path).sizes == (1, 1, 1, 1, 2, 1)
    for impossible in (["4", "1"], ["3", "0"]):
        assert render_dsprites.main(["--overwrite", "--grid", *impossible, "1", "1", "1"]) == 1
        assert "1 to 3 shapes" in capsys.readouterr().err

# SPDX-License-Identifier: Apache-2.0
import zipfile

import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import dsprites as dlib_dsprites

from vae_ortho_plugin.data import dsprites, render_dsprites
from vae_ortho_plugin.data.location import VARIABLE
from vae_ortho_plugin.data.resident import resident_observations
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
        kept = dict(content) | arrays
    other = tmp_path / "other.npz"
    np.savez_compressed(other, **{key: value for key, value in kept.items() if value is not None})
    return other


def test_dlib_reads_the_stand_in_as_dsprites(rendered, dlib_file):
    dlib_file(rendered)
    data = dlib_dsprites.DSprites([1, 2, 3, 4, 5])
    images = data.images.reshape(*SIZES, 64, 64)
    factors = data.sample_factors(50, np.random.RandomState(0))
    observations = data.sample_observations_from_factors(factors, np.random.RandomState(0))
    assert observations.shape == (50, 64, 64, 1) and set(np.unique(observations)) == {0, 1}
    np.testing.assert_array_equal(observations[..., 0], images[0][tuple(factors.T)])


def test_the_stand_in_has_the_official_keys_and_factor_values(rendered):
    with np.load(rendered, allow_pickle=True, encoding="latin1") as content:
        assert set(content) == {"imgs", "latents_values", "latents_classes", "metadata"}
        metadata = content["metadata"][()]
        values, classes = content["latents_values"], content["latents_classes"]
    assert tuple(metadata["latents_sizes"]) == SIZES
    assert "rendered stand-in" in metadata["title"]
    assert classes.dtype == np.int64 and values.dtype == np.float64
    for k, name in enumerate(metadata["latents_names"]):
        np.testing.assert_array_equal(
            values[:, k], metadata["latents_possible_values"][name][classes[:, k]]
        )
    full = dict(zip(metadata["latents_names"], render_dsprites.factor_values(), strict=True))
    np.testing.assert_array_equal(full["scale"], np.linspace(0.5, 1, 6))
    np.testing.assert_array_equal(full["orientation"], np.linspace(0, 2 * np.pi, 40))
    np.testing.assert_array_equal(full["posX"], np.linspace(0, 1, 32))
    assert [len(values) for values in full.values()] == [1, 3, 6, 40, 32, 32]


@pytest.mark.parametrize("shape", render_dsprites.SHAPE_NAMES)
def test_sprites_fit_their_patch_and_cover_about_400_pixels_at_scale_1(shape):
    for angle in np.linspace(0, 2 * np.pi, 13):
        sprite = render_dsprites.render_sprite(shape, 1.0, angle)
        assert sprite.sum() == pytest.approx(400, rel=0.04)
        assert not (sprite[[0, -1]].any() or sprite[:, [0, -1]].any())
        half = render_dsprites.render_sprite(shape, 0.5, angle)
        assert half.sum() == pytest.approx(100, rel=0.08)


def test_sprites_are_turned_by_their_orientation():
    lying = render_dsprites.render_sprite("ellipse", 1.0, 0.0)
    np.testing.assert_array_equal(render_dsprites.render_sprite("ellipse", 1.0, np.pi / 2), lying.T)
    heart = render_dsprites.render_sprite("heart", 1.0, 0.0)
    np.testing.assert_array_equal(heart, heart[:, ::-1])
    np.testing.assert_array_equal(
        render_dsprites.render_sprite("heart", 1.0, np.pi), heart[::-1, ::-1]
    )
    # Two lobes on top, one tip below.
    assert np.abs(np.diff(heart[4].astype(int))).sum() == 4
    assert np.abs(np.diff(heart[24].astype(int))).sum() == 2


def test_position_moves_the_same_sprite_over_the_image(rendered):
    images, sizes = dsprites.load_dsprites(rendered)
    assert sizes == SIZES
    images = images.reshape(*SIZES, 64, 64)[0, 2, 1, 1]
    sprite = images[0, 0, :32, :32]
    assert sprite.any()
    for i, left in enumerate([0, 16, 31]):
        for j, top in enumerate([0, 31]):
            expected = np.zeros((64, 64), np.uint8)
            expected[top : top + 32, left : left + 32] = sprite
            np.testing.assert_array_equal(images[i, j], expected)


def test_our_initializer_gives_dlib_the_same_object_without_reading_again(
    rendered, dlib_file, monkeypatch
):
    dlib_file(rendered)
    dlib_own = dlib_dsprites.DSprites([2, 3, 4, 5])
    monkeypatch.setattr(dlib_dsprites.DSprites, "__init__", dsprites.initialize)
    ours = dlib_dsprites.DSprites([2, 3, 4, 5])
    assert set(vars(ours)) == set(vars(dlib_own))
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


def test_a_changed_file_is_read_again(rendered, tmp_path):
    images, _ = dsprites.load_dsprites(rendered)
    assert dsprites.load_dsprites(rendered)[0] is images
    other = rewritten(rendered, tmp_path, imgs=1 - images)
    np.testing.assert_array_equal(dsprites.load_dsprites(other)[0], 1 - images)


def test_only_rendered_files_are_stand_ins(rendered, tmp_path):
    assert dsprites.is_rendered_stand_in(rendered)
    assert not dsprites.is_rendered_stand_in(rewritten(rendered, tmp_path))
    assert not dsprites.is_rendered_stand_in(tmp_path / "nothing.npz")
    (tmp_path / "text.npz").write_text("text")
    assert not dsprites.is_rendered_stand_in(tmp_path / "text.npz")


def test_a_whole_official_file_passes_its_check(rendered, monkeypatch):
    with pytest.raises(InputError, match=r"imgs to be uint8 of shape \(737280, 64, 64\)"):
        dsprites.check_official(rendered)
    monkeypatch.setattr(dsprites, "SIZES", SIZES)
    dsprites.check_official(rendered)


def damaged(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    "content, message",
    [
        (lambda path: b"", "damaged or truncated npz"),
        (lambda path: b"<html>", "damaged or truncated npz"),
        (lambda path: path.read_bytes()[:-1000], "damaged or truncated npz"),
        (damaged, "damaged"),
    ],
    ids=["empty", "html", "truncated", "one byte"],
)
def test_a_damaged_file_is_named(rendered, tmp_path, monkeypatch, content, message):
    path = tmp_path / "file.npz"
    path.write_bytes(content(rendered))
    monkeypatch.setattr(dsprites, "SIZES", SIZES)
    for read in (dsprites.load_dsprites, dsprites.check_official):
        with pytest.raises(InputError, match=message) as error:
            read(path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"imgs": None}, "not in the layout of dSprites.*imgs"),
        ({"latents_classes": None}, "not in the layout of dSprites.*latents_classes"),
        (
            {"imgs": np.zeros((5, 64, 64), np.uint8)},
            r"expected imgs .* found uint8 .*\(5, 64, 64\)",
        ),
        ({"imgs": np.zeros((144, 64, 64))}, "expected imgs .* found float64"),
        ({"latents_classes": np.zeros((144, 6), int)}, "not all combinations"),
        ({"latents_classes": np.arange(6)}, "not all combinations"),
        ({"latents_classes": np.array([{}])}, "pickle|Object arrays"),
    ],
)
def test_a_foreign_file_is_named_with_what_was_found(rendered, tmp_path, arrays, message):
    path = rewritten(rendered, tmp_path, **arrays)
    with pytest.raises(InputError, match=message):
        dsprites.load_dsprites(path)


def test_a_missing_file_is_reported_with_the_commands_that_get_it(dlib_file, tmp_path, monkeypatch):
    dlib_file(tmp_path / "missing.npz")
    monkeypatch.setattr(dlib_dsprites.DSprites, "__init__", dsprites.initialize)
    with pytest.raises(InputError) as error:
        dlib_dsprites.DSprites([1, 2, 3, 4, 5])
    for part in (str(tmp_path / "missing.npz"), "vae_ortho_download_data", "render", VARIABLE):
        assert part in str(error.value)


def test_rendering_does_not_replace_a_file_unasked(rendered, capsys):
    root, before = rendered.parent.parent, rendered.read_bytes()
    assert render_dsprites.main(["--root", str(root), "--grid", "1", "1", "1", "1", "1"]) == 1
    assert f"{rendered} exists; --overwrite" in capsys.readouterr().err
    assert rendered.read_bytes() == before


def test_overwrite_replaces_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    path = tmp_path / dsprites.FILE
    path.parent.mkdir()
    path.write_text("old")
    assert render_dsprites.main(["--overwrite", "--grid", "1", "1", "1", "2", "1"]) == 0
    assert dsprites.load_dsprites(path)[1] == (1, 1, 1, 1, 2, 1)


@pytest.mark.parametrize("grid", [("4", "1", "1", "1", "1"), ("3", "0", "1", "1", "1")])
def test_an_impossible_grid_is_refused(tmp_path, capsys, grid):
    assert render_dsprites.main(["--root", str(tmp_path), "--grid", *grid]) == 1
    assert "1 to 3 shapes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rendering_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(render_dsprites, "render_sprite", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render_dsprites.render(tmp_path / "file.npz", SIZES)
    assert list(tmp_path.iterdir()) == []


def test_the_archive_comment_is_the_mark(rendered):
    with zipfile.ZipFile(rendered) as archive:
        assert archive.comment.startswith(b"rendered stand-in")

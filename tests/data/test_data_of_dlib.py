# SPDX-License-Identifier: Apache-2.0
"""Every data set that dlib names, from synthetic files in the published formats."""

import gzip
import hashlib
import json
import resource as resource_usage
import shutil

import data_files
import gin
import numpy as np
import pytest
from data_of_dlib_support import (  # noqa: F401  fixtures
    NAMES,
    PICTURES,
    files,
    root,
    use_root,
)
from disentanglement_lib.data.ground_truth import named_data, norb
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.visualize import visualize_dataset
from parameters_support import long_but

from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.files import origin
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.data.sampling import resident
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty data root."""
    use_root(monkeypatch, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_observations_have_the_declared_shape_and_lie_in_0_to_1(name, root):
    data = named_data.get_named_ground_truth_data(name)
    factors, observations = data.sample(100, np.random.RandomState(0))
    assert observations.shape == (100, *data.observation_shape)
    assert data.observation_shape == [64, 64, 1 if name.startswith(("dspr", "small")) else 3]
    assert observations.min() >= 0 and observations.max() <= 1 and observations.max() > 0.5
    assert factors.shape == (100, data.num_factors)
    assert len(data.factors_num_values) == data.num_factors
    assert (factors.max(axis=0) + 1 == data.factors_num_values).all()


@pytest.mark.parametrize("name", PICTURES)
def test_each_factor_changes_its_own_pixel(name, root):
    module, shown = PICTURES[name]
    data = named_data.get_named_ground_truth_data(name)
    factors = data_files.grid([module.SIZES[k] for k in shown])
    observations = data.sample_observations_from_factors(factors, np.random.RandomState(0))
    for column, k in enumerate(shown):
        expected = data_files.brightness(factors[:, column], module.SIZES[k]) / 255
        row, column_of_pixel = data_files.bar(k)
        pixels = observations[:, row, column_of_pixel]
        np.testing.assert_allclose(pixels, np.tile(expected[:, None], pixels.shape[1]), atol=1e-6)
        assert len(np.unique(expected)) == module.SIZES[k]


def test_the_sprite_on_the_scream_has_the_inverted_background(root):
    data = named_data.get_named_ground_truth_data("scream_dsprites")
    plain = named_data.get_named_ground_truth_data("dsprites_full")
    factors = plain.sample_factors(5, np.random.RandomState(0))
    mask = plain.sample_observations_from_factors(factors, np.random.RandomState(0))[..., 0] == 1
    pictures = data.sample_observations_from_factors(factors, np.random.RandomState(0))
    for picture, inside in zip(pictures, mask, strict=True):
        np.testing.assert_allclose(picture[inside][0] + picture[~inside][0], 1, atol=0.02)


def test_pictures_of_variations_of_each_factor_are_drawn(root, tmp_path):
    for name in ("noisy_dsprites", "smallnorb"):
        visualize_dataset.visualize_dataset(name, str(tmp_path), num_animations=1, num_frames=2)
        drawn = sorted(path.name for path in (tmp_path / name).iterdir())
        factors = named_data.get_named_ground_truth_data(name).num_factors
        expected = [f"variations_of_factor{k}.png" for k in range(factors)]
        assert drawn == ["animation0.gif", *expected]


QUICK = ("cars3d", "mpi3d_toy", "scream_dsprites")  # in memory, mapped, and drawn by dlib


@pytest.mark.parametrize("name", long_but(QUICK, NAMES))
def test_a_model_trains_on_it(name, root, tmp_path):
    bindings = [
        f"dataset.name = '{name}'",
        "model.training_steps = 50",
        "model.eval_steps = 2",
        "training_loop.xla = 'off'",
        "encoder.num_latent = 3",
        "mlp_encoder.layers = [10]",
        "mlp_decoder.layers = [10]",
        "reconstruction_loss.loss_fn = @bernoulli_loss",
        "reconstruction_loss.activation = 'logits'",
    ]
    gin.clear_config()
    train.train_with_gin(
        str(tmp_path / "model"), False, [str(gin_config("beta_vae.gin"))], bindings
    )
    written = tmp_path / "model/results/json/train_results.json"
    results = json.loads(written.read_text())
    assert results["global_step"] == 50 and np.isfinite(results["loss"])


@pytest.mark.parametrize("name", ["dsprites_full", *PICTURES])
def test_images_are_read_once_as_bytes_and_sampled_in_the_graph(name, root):
    first, second = (named_data.get_named_ground_truth_data(name) for _ in range(2))
    observations, scale = resident_observations(first)
    again, _ = resident_observations(second)
    assert observations.dtype == np.uint8 and np.shares_memory(observations, again)
    assert observations.ctypes.data % 64 == 0 and observations.flags.c_contiguous
    assert observations.shape[1:] == tuple(first.observation_shape)
    drawn = first.sample_observations(50, np.random.RandomState(0)).astype(np.float32)
    rows = {row.tobytes() for row in observations}
    assert {np.rint(image / scale).astype(np.uint8).tobytes() for image in drawn} <= rows


@pytest.mark.parametrize("name", ["color_dsprites", "noisy_dsprites", "scream_dsprites"])
def test_data_with_noise_in_every_sample_are_not_sampled_in_the_graph(name, root):
    assert resident_observations(named_data.get_named_ground_truth_data(name)) is None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_shapes3d_is_read_from_dlibs_npz_file_too(save, root, empty, monkeypatch):
    data_files.write_shapes3d(empty)
    from_h5 = named_data.get_named_ground_truth_data("shapes3d")
    data_files.write_shapes3d_npz(empty, save)
    (empty / shapes3d.FILE).unlink()
    from_npz = named_data.get_named_ground_truth_data("shapes3d")
    np.testing.assert_array_equal(from_npz.images.stored, from_h5.images.stored)
    observations, _ = resident_observations(from_npz)
    np.testing.assert_array_equal(observations, from_h5.images.stored)


def test_an_uncompressed_file_of_the_published_size_is_mapped_and_not_read(empty, monkeypatch):
    monkeypatch.setattr(mpi3d, "SIZES", (6, 6, 2, 3, 3, 40, 40))
    path = empty / mpi3d.file_of("mpi3d_real")
    data_files.write_sparse_mpi3d(path, mpi3d.SIZES)
    assert path.stat().st_size == 12_740_198_762
    before = resource_usage.getrusage(resource_usage.RUSAGE_SELF).ru_maxrss
    data = named_data.get_named_ground_truth_data("mpi3d_real")
    (last,) = data.sample_observations_from_factors(
        np.array([data.factors_num_values]) - 1, np.random.RandomState(0)
    )
    assert [last[data_files.bar(k)][0] * 255 for k in range(7)] == [240] * 7
    # In KiB; the images have 12 GiB.
    assert resource_usage.getrusage(resource_usage.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_mpi3d_files_have_the_factors_of_today_or_those_of_2019(empty):
    data_files.write_mpi3d(empty, "mpi3d_toy")
    data = named_data.get_named_ground_truth_data("mpi3d_toy")
    assert data.factors_num_values == list(mpi3d.SIZES)
    assert isinstance(data.images, np.memmap)
    data_files.write_mpi3d(empty, "mpi3d_realistic", data_files.MPI3D_2019, np.savez_compressed)
    data = named_data.get_named_ground_truth_data("mpi3d_realistic")
    assert data.factors_num_values == list(data_files.MPI3D_2019)


def test_images_are_copied_into_memory_where_they_fit_and_the_copy_is_used_again(
    root, monkeypatch, capsys
):
    data = named_data.get_named_ground_truth_data("mpi3d_toy")
    with monkeypatch.context() as patch:
        patch.setattr(resident, "_room", lambda: 1000)
        assert resident_observations(data) is None
    assert "of memory are available" in capsys.readouterr().err
    first, _ = resident_observations(data)
    monkeypatch.setattr(resident, "_room", lambda: 1000)
    again, _ = resident_observations(data)
    assert np.shares_memory(first, again)


def test_smallnorb_is_read_from_packed_files_too(root, empty):
    data_files.write_smallnorb(empty)
    expected = named_data.get_named_ground_truth_data("smallnorb").images.stored.copy()
    for path in (empty / "small_norb").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    found = named_data.get_named_ground_truth_data("smallnorb").images.stored
    np.testing.assert_array_equal(found, expected)


# Folder of the files, and the name by which the command that gets them knows the data set.
FILES = {
    "cars3d": ("cars", "cars3d"),
    "smallnorb": ("small_norb", "smallnorb"),
    "shapes3d": ("3dshapes", "shapes3d"),
    "scream_dsprites": ("scream", "scream"),
    "dsprites_full": ("dsprites", "dsprites"),
    "mpi3d_toy": ("mpi3d_toy", "mpi3d_toy"),
}


@pytest.mark.parametrize("name", FILES)
def test_missing_and_broken_files_are_reported_with_the_command_that_gets_them(name, root, empty):
    folder, command = FILES[name]
    if name == "scream_dsprites":
        shutil.copytree(root / "dsprites", empty / "dsprites")

    def check_message(*parts):
        with pytest.raises(InputError) as error:
            named_data.get_named_ground_truth_data(name)
        for part in (f"Run `vae_ortho_download_data {command}`", *parts):
            assert part in str(error.value)

    check_message(str(empty / folder), VARIABLE)
    shutil.copytree(root / folder, empty / folder)
    broken = min((empty / folder).iterdir())
    good = broken.read_bytes()
    for content in (b"", b"<html>Please log in</html>", good[: len(good) // 2]):
        broken.write_bytes(content)
        check_message(str(broken))


def test_results_say_that_the_data_are_not_the_published_ones(root, capsys):
    named_data.get_named_ground_truth_data("shapes3d")
    named_data.get_named_ground_truth_data("mpi3d_real")
    assert origin.origin("shapes3d") == "3dshapes.h5 is not the published file"
    assert origin.origin("mpi3d_real") == "mpi3d_real.npz is not the published file"
    assert origin.origin("dsprites_full") == dsprites.RENDERED
    assert origin.origin("cars3d") is None


def test_one_mpi3d_set_does_not_pass_for_another(root, monkeypatch):
    content = (root / mpi3d.file_of("mpi3d_toy")).read_bytes()
    size, sample = len(content), 16384
    middle = (size - sample) // 2
    parts = content[:sample] + content[middle : middle + sample] + content[-sample:]
    published = hashlib.md5(size.to_bytes(8, "big") + parts).hexdigest()
    monkeypatch.setitem(mpi3d.PUBLISHED, "mpi3d_realistic", ("", published, ()))
    with pytest.raises(
        InputError, match="expected the images of mpi3d_toy, found those of mpi3d_r"
    ):
        named_data.get_named_ground_truth_data("mpi3d_toy")


def test_object_types_are_numbered_by_the_files_names(root):
    paths = cars3d.find_files(root / "cars")
    assert [path.name for path in paths] == sorted(path.name for path in paths)


def test_a_path_that_the_user_set_in_dlibs_module_is_used(root, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere")
    monkeypatch.setattr(norb, "SMALLNORB_TEMPLATE", str(root / smallnorb.TEMPLATE))
    assert norb.SmallNORB().num_factors == 4


def test_edges_of_smallnorb_stay_within_0_and_255():
    photo = np.zeros((1, 96, 96), np.uint8)
    photo[:, :, 48:] = 255
    reduced = np.empty((1, 64, 64), np.uint8)
    smallnorb._reduce(photo, reduced)
    # The reduction rings by up to 10; below 0 it would become 246.
    assert (reduced[0, :, :31] <= 10).all() and (reduced[0, :, 33:] >= 245).all()

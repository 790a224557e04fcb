# SPDX-License-Identifier: Apache-2.0
"""Every data set that dlib names, from synthetic files in the published formats."""

import gzip
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import data_files
import h5py
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
from parameters_support import long_but

from vae_ortho_plugin.data import dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.files import download
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.data.files.read_files import origin
from vae_ortho_plugin.data.sampling import resident as resident_data
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.run.reproduce import dlib_script

named = named_data.get_named_ground_truth_data


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty data root."""
    use_root(monkeypatch, tmp_path)
    return tmp_path


def random_state():
    return np.random.RandomState(0)


@pytest.mark.parametrize("name", NAMES)
def test_observations_have_the_declared_shape_and_lie_in_0_to_1(name, root):
    data = named(name)
    factors, observations = data.sample(100, random_state())
    assert observations.shape == (100, *data.observation_shape)
    assert data.observation_shape == [64, 64, 1 if name.startswith(("dspr", "small")) else 3]
    assert observations.min() >= 0 and observations.max() <= 1 and observations.max() > 0.5
    assert factors.shape == (100, data.num_factors)
    assert (factors.max(axis=0) + 1).tolist() == data.factors_num_values


@pytest.mark.parametrize(
    "name, expected",
    [
        ("dsprites_noshape", "scale, orientation, position x, position y"),
        ("color_dsprites", "shape*, scale, orientation, position x, position y"),
        (
            "abstract_dsprites",
            "background color, object color*, shape*, scale, position x, position y",
        ),
        ("smallnorb", "category*, elevation, azimuth, lighting*"),
        ("cars3d", "elevation, azimuth, object type*"),
        ("shapes3d", "floor hue, wall hue, object hue, object size, object type*, azimuth"),
        (
            "mpi3d_toy",
            "object color*, object shape*, object size, camera height, background color*, first DOF, second DOF",
        ),
        ("dummy_data", ", ".join(f"factor {k}" for k in range(10))),
    ],
)
def test_factors_have_names_and_kinds(name, expected, root):
    """A star marks the categorical ones."""
    stars = {"categorical": "*", "continuous": ""}
    found = [f"{factor}{stars[kind]}" for factor, kind in named_kinds(named(name)).items()]
    assert ", ".join(found) == expected


def check_pixels(name, factors, observations):
    """Each factor of a data set sets its own pixels."""
    module, shown = PICTURES[name]
    for column, k in enumerate(shown):
        expected = data_files.brightness(factors[:, column], module.SIZES[k]) / 255
        row, column_of_pixel = data_files.bar(k)
        pixels = observations[:, row, column_of_pixel]
        np.testing.assert_allclose(pixels, np.tile(expected[:, None], pixels.shape[1]), atol=1e-6)
        assert len(np.unique(expected)) == module.SIZES[k]


@pytest.mark.parametrize("name", PICTURES)
def test_each_factor_changes_its_own_pixel(name, root):
    module, shown = PICTURES[name]
    factors = data_files.grid([module.SIZES[k] for k in shown])
    check_pixels(
        name, factors, named(name).sample_observations_from_factors(factors, random_state())
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["cars3d", "smallnorb"])
def test_files_of_the_published_size_have_every_factor_in_its_place(name, tmp_path, monkeypatch):
    # The format allows smaller images than the published ones.
    getattr(data_files, f"write_{name}")(tmp_path, side=64)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    check_pixels(name, *named(name).sample(2000, random_state()))


def test_the_sprite_on_the_scream_has_the_inverted_background(root):
    plain = named("dsprites_full")
    factors = plain.sample_factors(5, random_state())
    mask = plain.sample_observations_from_factors(factors, random_state())[..., 0] == 1
    pictures = named("scream_dsprites").sample_observations_from_factors(factors, random_state())
    for picture, inside in zip(pictures, mask, strict=True):
        np.testing.assert_allclose(picture[inside][0] + picture[~inside][0], 1, atol=0.02)


# The others train in dlib's study (tests/dlib/test_dlib_pipeline.py).
@pytest.mark.parametrize(
    "name",
    long_but(
        ["mpi3d_toy", "scream_dsprites"],
        ["dsprites_noshape", "mpi3d_real", "mpi3d_realistic", "mpi3d_toy", "scream_dsprites"],
    ),
)
def test_a_model_trains_on_it(name, root, train_briefly):
    model = train_briefly(
        f"dataset.name = '{name}'",
        "reconstruction_loss.loss_fn = @bernoulli_loss",
        "reconstruction_loss.activation = 'logits'",
    )
    results = json.loads(Path(model, "results/json/train_results.json").read_text())
    assert results["global_step"] == 3 and np.isfinite(results["loss"])


@pytest.mark.parametrize("name", ["dsprites_full", *PICTURES])
def test_images_are_read_once_as_bytes_and_sampled_in_the_graph(name, root):
    first, second = named(name), named(name)
    observations, scale = resident_observations(first)
    again, _ = resident_observations(second)
    assert observations.dtype == np.uint8 and np.shares_memory(observations, again)
    assert observations.ctypes.data % 64 == 0 and observations.flags.c_contiguous
    assert observations.shape[1:] == tuple(first.observation_shape)
    drawn = first.sample_observations(50, random_state()).astype(np.float32)
    rows = {row.tobytes() for row in observations}
    assert {np.rint(image / scale).astype(np.uint8).tobytes() for image in drawn} <= rows


@pytest.mark.parametrize(
    "name", ["color_dsprites", "dummy_data", "noisy_dsprites", "scream_dsprites"]
)
def test_data_that_are_made_anew_for_every_sample_are_not_sampled_in_the_graph(name, root):
    assert resident_observations(named(name)) is None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_shapes3d_is_read_from_dlibs_npz_file_too(save, root, empty):
    data_files.write_shapes3d(empty)
    from_h5 = named("shapes3d").images.stored
    data_files.write_shapes3d_npz(empty, save)
    (empty / shapes3d.FILE).unlink()
    from_npz = named("shapes3d")
    np.testing.assert_array_equal(from_npz.images.stored, from_h5)
    np.testing.assert_array_equal(resident_observations(from_npz)[0], from_h5)
    with h5py.File(empty / shapes3d.FILE, "w") as file:
        file.create_group("images")
    with pytest.raises(InputError, match="there is no array 'images'"):
        shapes3d.check_public(empty / shapes3d.FILE)


def test_mpi3d_files_have_the_factors_of_today_or_those_of_2019(empty):
    data_files.write_mpi3d(empty, "mpi3d_toy")
    data = named("mpi3d_toy")
    assert data.factors_num_values == list(mpi3d.SIZES)
    assert isinstance(data.images, np.memmap)
    data_files.write_mpi3d(empty, "mpi3d_realistic", data_files.MPI3D_2019, np.savez_compressed)
    assert named("mpi3d_realistic").factors_num_values == list(data_files.MPI3D_2019)


def test_images_are_copied_into_memory_where_they_fit_and_the_copy_is_used_again(
    root, monkeypatch, capsys
):
    data = named("mpi3d_toy")
    with monkeypatch.context() as patch:
        patch.setattr(resident_data, "_room", lambda: 1000)
        assert resident_observations(data) is None
    assert "of memory are available" in capsys.readouterr().err
    first, _ = resident_observations(data)
    monkeypatch.setattr(resident_data, "_room", lambda: 1000)
    assert np.shares_memory(first, resident_observations(data)[0])


def test_smallnorb_is_read_from_packed_files_too(root, empty):
    data_files.write_smallnorb(empty)
    expected = named("smallnorb").images.stored.copy()
    for path in (empty / "small_norb").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(named("smallnorb").images.stored, expected)


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
            named(name)
        for part in (f"Run `vae_ortho_download_data {command}`", *parts):
            assert part in str(error.value)

    check_message(str(empty / folder), VARIABLE)
    shutil.copytree(root / folder, empty / folder)
    broken = min((empty / folder).iterdir())
    good = broken.read_bytes()
    for content in (b"", b"<html>Please log in</html>", good[: len(good) // 2]):
        broken.write_bytes(content)
        check_message(str(broken))


def test_results_say_that_the_data_are_not_the_published_ones(root):
    named("shapes3d")
    named("mpi3d_real")
    assert origin("shapes3d") == "3dshapes.h5 is not the published file"
    assert origin("mpi3d_real") == "mpi3d_real.npz is not the published file"
    assert origin("dsprites_full") == dsprites.RENDERED
    assert origin("cars3d") is None


def test_one_mpi3d_set_does_not_pass_for_another(root, monkeypatch):
    content = (root / mpi3d.file_of("mpi3d_toy")).read_bytes()
    size, sample = len(content), 16384
    middle = (size - sample) // 2
    parts = content[:sample] + content[middle : middle + sample] + content[-sample:]
    published = hashlib.md5(size.to_bytes(8, "big") + parts).hexdigest()
    monkeypatch.setitem(mpi3d.PUBLISHED, "mpi3d_realistic", ("", published, ()))
    with pytest.raises(InputError, match="images of mpi3d_toy, found those of mpi3d_realistic"):
        named("mpi3d_toy")


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


def test_every_data_set_of_dlib_has_a_command():
    with pytest.raises(InputError) as error:
        named("none")
    known = set(str(error.value).partition("Known: ")[2].partition(".")[0].split(", "))
    assert {"mpi3d_real", "cars3d"} < known
    made = {"correlated", "dummy_data", "image_folder", "npz", "synth_linear", "synth_nonlinear"}
    for name in known - made:
        assert download.needed(name)
    assert download.needed("scream_dsprites") == ["dsprites", "scream"]
    assert download.needed("all") == list(download.DATA_SETS)


@pytest.mark.long
@pytest.mark.skipif(resident_data._room() < 9e9, reason="needs 9 GB of available memory")
def test_training_on_shapes3d_needs_little_more_memory_than_its_bytes(tmp_path):
    labels = data_files.shapes3d_labels()
    shape = (len(labels), 64, 64, 3)
    (tmp_path / "3dshapes").mkdir()
    with h5py.File(tmp_path / shapes3d.FILE, "w") as file:  # its chunks are not stored
        file.create_dataset("images", shape, "u1", compression="gzip", fillvalue=7)
        file.create_dataset("labels", data=labels)
    bindings = "dataset.name = 'shapes3d'", "model.training_steps = 50", "model.eval_steps = 2"
    bindings += "mlp_encoder.layers = [10]", "mlp_decoder.layers = [10]"
    command = [sys.executable, dlib_script("dlib_train"), "--gin_config=beta_vae.gin"]
    command += [f"--model_dir={tmp_path / 'model'}", *(f"--gin_bindings={b}" for b in bindings)]
    subprocess.run(command, check=True, env={**os.environ, VARIABLE: str(tmp_path)})
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < 1e9 + 1.3 * np.prod(shape)  # TensorFlow alone takes 0.6 GB

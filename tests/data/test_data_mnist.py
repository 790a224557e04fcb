# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST, and the IDX files that they are in."""

import contextlib
import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from data_files import idx_bytes
from disentanglement_lib.data.ground_truth import named_data

from vae_ortho_plugin.data import NAMED, mnist
from vae_ortho_plugin.data.files import mnist_files
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.data.files.mnist_files import read_idx
from vae_ortho_plugin.data.files.read_files import origin
from vae_ortho_plugin.data.sampling.split_data import SPLITS
from vae_ortho_plugin.errors import InputError

SMALL = {"train-images-idx3-ubyte": (60, 28, 28), "t10k-images-idx3-ubyte": (10, 28, 28)}
SMALL |= {"train-labels-idx1-ubyte": (60,), "t10k-labels-idx1-ubyte": (10,)}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A data root whose mnist/ holds 60 + 10 images; image i is the constant i, its label i mod 10."""
    monkeypatch.setattr(mnist_files, "SHAPES", SMALL)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "mnist").mkdir()
    for name, shape in SMALL.items():
        numbers = np.arange(shape[0], dtype=np.uint8) + (60 if name.startswith("t10k") else 0)
        values = numbers % 10 if len(shape) == 1 else numbers[:, np.newaxis, np.newaxis]
        array = np.broadcast_to(values, shape)
        content = idx_bytes(array)
        compressed = name.startswith("train")
        path = tmp_path / "mnist" / (name + ".gz" * compressed)
        path.write_bytes(gzip.compress(content) if compressed else content)
    return tmp_path


ARRAY = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
CONTENT = idx_bytes(ARRAY)
PACKED = gzip.compress(CONTENT, mtime=0)


@pytest.mark.parametrize("content, name", [(CONTENT, "images.gz"), (PACKED, "images")])
def test_the_content_decides_whether_a_file_is_gzip(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    array = read_idx(tmp_path / name, ARRAY.shape)
    np.testing.assert_array_equal(array, ARRAY)
    assert array.dtype == np.uint8


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not an IDX file.*empty"),
        (b"\x89PNG\r\n", "not an IDX file.*89 50 4e 47"),
        (b"\0\0\x0d\x01\0\0\0\0", "not an IDX file of unsigned bytes.*00 00 0d"),
        (CONTENT[:9], "truncated within its header of 16 bytes"),
        (CONTENT[:-1], r"truncated.*24 bytes of shape \(4, 3, 2\), found 23"),
        (CONTENT + b"\0", r"too long; its header states 24 bytes of shape \(4, 3, 2\), found more"),
        (PACKED[:-12], "damaged or truncated gzip"),
        (PACKED[:-8] + bytes(8), "damaged or truncated gzip"),
        (gzip.compress(CONTENT[:-1], mtime=0), "truncated.*found 23"),
        (b"\0\0\x08\1\0\0\0\1a", r"expected uint8 of shape \(4, 3, 2\), found uint8 of shape \(1,"),
    ],
)
def test_a_broken_file_is_named_with_what_was_found(tmp_path, content, message):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {message}"):
        read_idx(path, ARRAY.shape)


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_idx(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be read.*directory"):
        read_idx(tmp_path)


def test_splits_are_a_seeded_shuffle_of_both_files_together(small):
    data = mnist.MNIST()
    numbers = {name: np.rint(data.split(name)[0][:, 0, 0, 0] * 255) for name in SPLITS}
    assert [len(numbers[name]) for name in SPLITS] == [56, 7, 7]
    everything = np.concatenate(list(numbers.values()))
    np.testing.assert_array_equal(np.sort(everything), np.arange(70))
    assert numbers["train"].max() >= 60
    for name in SPLITS:
        np.testing.assert_array_equal(data.labels[name], numbers[name] % 10)
        np.testing.assert_array_equal(mnist.MNIST().split(name)[0], data.split(name)[0])
    assert not np.array_equal(mnist.MNIST(seed=1).split("train")[0], data.split("train")[0])


def test_images_are_floats_up_to_1_of_which_dlib_draws_training_ones_without_factors(small):
    data, random_state = mnist.MNIST(), np.random.RandomState(0)
    observations, factors = data.split("test")
    assert observations.dtype == np.float32 and observations.shape == (7, 28, 28, 1)
    assert factors.shape == (7, 0) and factors.dtype == np.float64
    assert data.observation_shape == [28, 28, 1] and data.num_factors == 0
    assert data.factor_names == data.factor_kinds == data.factors_num_values == []
    resident, scale = data.resident_observations()
    assert resident.dtype == np.uint8 and scale == 1 / 255
    np.testing.assert_allclose(resident * scale, data.split("train")[0], rtol=1e-6)
    train = set(data.split("train")[0][:, 0, 0, 0])
    factors = data.sample_factors(5, random_state)
    assert factors.shape == (5, 0)
    assert data.sample_observations_from_factors(factors, random_state).shape == (5, 28, 28, 1)
    factors, observations = data.sample(2000, random_state)
    assert factors.shape == (2000, 0) and observations.dtype == np.float32
    assert set(observations[:, 0, 0, 0]) == train


def test_files_are_read_once_per_process_and_again_when_changed(small):
    resident = mnist.MNIST().resident_observations()[0]
    assert np.shares_memory(mnist.MNIST().resident_observations()[0], resident)
    path = small / "mnist" / "t10k-images-idx3-ubyte"
    path.write_bytes(idx_bytes(np.full((10, 28, 28), 255, np.uint8)))
    os.utime(path, ns=(0, 0))
    changed = mnist.MNIST().resident_observations()[0]
    assert not np.shares_memory(changed, resident) and changed.max() == 255


def test_a_missing_or_wrong_file_is_reported_with_the_remedy(small):
    path = small / "mnist" / "t10k-images-idx3-ubyte"
    path.write_bytes(idx_bytes(np.zeros((9, 28, 28), np.uint8)))
    remedy = f"(?s:.*)vae_ortho_download_data mnist.*{VARIABLE} = '{small}'"
    with pytest.raises(InputError, match=rf"{path}: expected .*found .*\(9, 28, 28\){remedy}"):
        mnist.MNIST()
    path.rename(path.with_name(f"emnist-mnist-{path.name}"))
    neither = f"Neither {path}.gz nor {path} exists.* holds emnist-mnist-t10k-images"
    with pytest.raises(InputError, match=f"{neither}{remedy}"):
        mnist.MNIST()


def test_root_goes_before_the_variable_and_this_before_the_current_directory(small, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere")
    assert mnist.MNIST(root=str(small)).num_factors == 0
    monkeypatch.delenv(VARIABLE)
    monkeypatch.chdir(small)
    assert mnist.MNIST().num_factors == 0
    with pytest.raises(InputError, match=f"{VARIABLE} is not set, .*{small}"):
        mnist.FashionMNIST()


def test_the_other_data_set_in_this_ones_place_is_noticed(small, monkeypatch):
    facts = ((28 * 28 * sum(range(60)), ""),)
    monkeypatch.setitem(mnist_files.PUBLISHED, "fashion_mnist", facts)
    with pytest.raises(InputError, match="expected the images of mnist, found those of fashion"):
        mnist.MNIST()


@pytest.mark.parametrize("folder", ["MNIST/raw", "mnist/MNIST/raw", "mnist/raw"])
def test_files_are_found_where_torchvision_puts_them_and_with_a_dot(small, folder):
    expected = mnist.MNIST().split("train")[0]
    (small / "mnist").rename(small / "moved")
    (small / folder).parent.mkdir(parents=True)
    (small / "moved").rename(small / folder)
    np.testing.assert_array_equal(mnist.MNIST().split("train")[0], expected)
    for path in list((small / folder).iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    # The packed file goes before a plain one.
    (small / folder / "train-images.idx3-ubyte").write_text("damaged")
    np.testing.assert_array_equal(mnist.MNIST().split("train")[0], expected)


@contextlib.contextmanager
def as_another_user(path):
    """Within: a user who may not look into `path`."""
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())
        path.chmod(0o755)


@pytest.mark.parametrize(
    "name", ["mnist", "dsprites_full", "shapes3d", "smallnorb", "cars3d", "mpi3d_toy"]
)
def test_a_folder_that_this_user_may_not_read_is_named_as_that(small, name):
    with as_another_user(small), pytest.raises(InputError) as error:
        named_data.get_named_ground_truth_data(name)
    assert "cannot be read (Permission denied)" in str(error.value)


def test_balanced_classes_are_not_those_of_mnist(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "mnist").mkdir()
    for name, shape in mnist_files.SHAPES.items():
        labels = (np.arange(shape[0]) % 10).astype(np.uint8)
        values = labels if len(shape) == 1 else np.zeros(shape, np.uint8)
        (tmp_path / "mnist" / name).write_bytes(idx_bytes(values))
    with pytest.raises(InputError, match="expected the images of mnist, found those of KMNIST or"):
        mnist.MNIST()


def test_kmnist_is_known_by_its_file(small, monkeypatch):
    (small / "mnist").rename(small / "fashion_mnist")
    content = (small / "fashion_mnist" / "train-images-idx3-ubyte.gz").read_bytes()
    monkeypatch.setattr(mnist_files, "_KMNIST", hashlib.sha256(content).hexdigest())
    with pytest.raises(InputError, match="images of fashion_mnist, found those of KMNIST"):
        mnist.FashionMNIST()


def test_results_say_that_the_values_are_not_mnists(small, capsys):
    mnist.MNIST()
    assert origin("mnist") == f"other values than the published mnist in {small / 'mnist'}"
    assert "Results say so" in capsys.readouterr().err


@pytest.mark.parametrize("name, mean", [("mnist", 33.3184), ("fashion_mnist", 72.9404)])
def test_the_published_values_have_the_known_mean(name, mean):
    total, _ = mnist_files.PUBLISHED[name][0]
    assert total / (60_000 * 28 * 28) == pytest.approx(mean, abs=1e-4)


@pytest.mark.skipif(
    not Path(os.environ.get(VARIABLE, "/nowhere"), "mnist").is_dir(),
    reason=f"{VARIABLE} does not hold mnist/",
)
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_data_are_70000_images_of_the_published_values(name):
    assert sum(len(labels) for labels in NAMED[name]().labels.values()) == 70_000
    assert origin(name) is None

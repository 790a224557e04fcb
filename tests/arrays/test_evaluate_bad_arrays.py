# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_evaluate: one message for each kind of bad input, before TensorFlow computes anything."""

import os
import pickle

import numpy as np
import pytest
from array_support import files, grid  # noqa: F401

MIG = ("--metrics", "mig")


class Malicious:
    """What a pickle can do when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("made_by_a_pickle",)


@pytest.fixture
def good(files):
    files.save(z=grid().astype(float), w=grid())
    return files


Z, W, J = grid() * 1.0, grid(), np.random.default_rng(0).normal(size=(5, 4, 3))
NO_MEANS, NO_FACTORS = {"latents": None}, {"factors": None}


@pytest.mark.parametrize(
    ("words", "names", "expected"),
    [
        (MIG, {"latents": "zz"}, "Did you mean z.npy"),
        (("--metrics", "mig", "disentanglment_score"), {}, "Did you mean disentanglement_score?"),
        (("--metrics", "mig", "sup"), {}, "sap (sap_score)"),
        (("--metrics", "pca_alignment"), {}, "trained model's directory"),
        ((), NO_MEANS | NO_FACTORS, "Nothing to compute"),
        (("--metrics", "dto"), {}, "dto needs jacobians"),
        (MIG, NO_FACTORS, "mig needs factors"),
        (MIG, NO_MEANS, "mig needs means"),
        (("--sigma", "z.npy", *MIG), {}, "needs jacobians"),
        (("--seed", "-1", *MIG), {}, "seed = -1"),
        (
            ("--factor-kinds", "continuous", "--metrics", "unsupervised"),
            NO_FACTORS,
            "describe factors",
        ),
        ((*MIG, "--factor-kinds", "discrete"), {}, "'discrete'; known are continuous"),
        ((*MIG, "--factor-kinds", "continuous", "categorical"), {}, "2 entries"),
        ((*MIG, "--factor-names", "a", "b"), {}, "2 entries"),
        ((*MIG, "--factor-names", "a", "b", "a"), {}, "twice"),
        ((*MIG, "--gin-bindings", "mig.num_train = 1000"), {}, "1,000 points, and there are 480"),
        ((*MIG, "--gin-bindings", "mig.num_train = 0"), {}, "mig.num_train = 0"),
        ((*MIG, "--gin-bindings", "mig.num_train = 2.5"), {}, "whole number"),
        ((*MIG, "--gin-bindings", "mig.num_trian = 5"), {}, "Check the spelling of the parameter"),
        ((*MIG, "--gin-bindings", "mgi.num_train = 5"), {}, "Did you mean mig"),
        ((*MIG, "--gin-bindings", "mig.num_train"), {}, "A line is NAME.PARAMETER = VALUE"),
        (
            ("--metrics", "sap", "--gin-bindings", "sap_score.continuous_factors = True"),
            {},
            "factor_kinds has a categorical one",
        ),
        (("--means", ".", *MIG), NO_MEANS, "cannot be read"),
        (("--means", "two.npz", *MIG), NO_MEANS, "an array called 'means', or one array only; it has a, b"),
    ],
)  # fmt: skip
def test_what_is_asked_for_and_does_not_fit_is_named(good, monkeypatch, words, names, expected):
    monkeypatch.chdir(good.folder)
    np.savez("two.npz", a=[1], b=[2])
    assert expected in good.refusal(*words, **names)


def with_value(array, index, value):
    changed = array * 1.0
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("arrays", "words", "expected"),
    [
        ({"z": Z[:, 0]}, MIG, "z[:, None]"),
        ({"z": Z[:, None]}, MIG, "[points, latents]; got (480, 1, 3)"),
        ({"z": Z[:, :0]}, MIG, "(480, 0)"),
        ({"z": Z[:5]}, MIG, "at least 10 points"),
        ({"z": Z * 1j}, MIG, "complex128"),
        ({"z": Z.astype(str)}, MIG, "real numbers; got an array of the type <U"),
        ({"z": with_value(Z, (7, 2), np.nan)}, MIG, "means[7, 2] is nan"),
        ({"w": W[:-1]}, MIG, "here [480, any]; found (479, 3)"),
        ({"w": W.T}, MIG, "Is it transposed?"),
        ({"w": W[:, :, None]}, MIG, "[points, factors]"),
        ({"w": W * [1, 1, 0]}, MIG, "'factor 2' has the same value (0) at all points"),
        ({"w": W * 1j}, MIG, "complex128"),
        ({"w": with_value(W, (3, 1), np.inf)}, MIG, "factors[:, 1][3]"),
        (
            {"w": np.array(["one", "two"])[W[:, 2]]},
            (*MIG, "--factor-kinds", "continuous"),
            "A factor of names or dates is categorical",
        ),
        ({"z": Z[:, :1]}, MIG, "mig needs at least 2 latents; got 1"),
        ({"w": W[:, :1]}, ("--metrics", "dci"), "dci needs at least 2 factors; got 1"),
        ({"z": Z * [1, 0, 1]}, ("--metrics", "modularity"), "latent 1 has the same value"),
        ({"z": Z[:23], "w": W[:23]}, ("--metrics", "fairness"), "every combination of the factors' classes (4 x 3 x 2)"),
        ({"J": J[0]}, ("--jacobians", "J.npy"), "[points, outputs, latents]"),
        ({"J": J[:, :, :2]}, ("--jacobians", "J.npy"), "is of 2 latents, and means have 3"),
        ({"J": J, "s": J[:4, 0]}, ("--jacobians", "J.npy", "--sigma", "s.npy"), "must have the shape"),
        ({"J": J, "s": -J[:, 0] ** 2}, ("--jacobians", "J.npy", "--sigma", "s.npy"), "log variances"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named(good, monkeypatch, arrays, words, expected):
    monkeypatch.chdir(good.folder)
    good.save(**arrays)
    assert expected in good.refusal(*words)


def test_nothing_is_unpickled(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([Malicious()], dtype=object)
    np.save("objects.npy", objects, allow_pickle=True)
    np.savez("objects.npz", latents=objects)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Malicious()))
    for name, expected in (
        ("objects.npy", "a pickle can run any program"),
        ("objects.npz", "a pickle can run any program"),
        ("pickle.npy", "not a npy or npz file"),
    ):
        message = good.refusal("--means", name, *MIG, latents=None)
        assert expected in message
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_a_broken_file_is_named(good, tmp_path):
    numpy = b"\x93NUMPY\x01\x00"
    for content in (numpy, numpy + b"\x02\x00{(", b"PK\x03\x04zip", b""):
        (tmp_path / "z.npy").write_bytes(content)
        message = good.refusal(*MIG)
        assert "z.npy" in message and "Save" in message
    whole = tmp_path / "w.npy"
    whole.write_bytes(whole.read_bytes()[:-100])
    good.save(z=grid() * 1.0)
    assert "w.npy is damaged or truncated" in good.refusal(*MIG)


def test_a_header_that_states_more_than_the_npy_file_holds_takes_no_memory(good, tmp_path):
    shape = (2**40, 2**20)  # more than any machine's address space
    with open(tmp_path / "z.npy", "wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(b"12345678")
    assert "z.npy is damaged or truncated" in good.refusal(*MIG)


def test_a_jacobian_that_is_not_finite_is_named_by_its_number(good, monkeypatch):
    monkeypatch.setattr("vae_ortho_plugin.arrays.given_arrays._BLOCK_BYTES", 1)
    jacobians = np.random.default_rng(0).normal(size=(9, 4, 3))
    jacobians[7, 0, 0] = np.inf
    good.save(J=jacobians)
    assert "point 7 is not finite" in good.refusal("--jacobians", good.path("J"))


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_computed(good, tmp_path):
    assert "is a directory" in good.refusal(*MIG, "--output", str(tmp_path))
    inside_a_file = str(tmp_path / "z.npy" / "result.json")
    assert "z.npy is a file" in good.refusal(*MIG, "--output", inside_a_file)

# SPDX-License-Identifier: Apache-2.0
"""vae_ortho_evaluate: one message for each kind of bad input, before TensorFlow computes anything."""

import io
import os
import pickle
import zipfile

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


def test_a_missing_file_is_answered_with_the_one_meant(good):
    message = good.refusal(*MIG, latents="zz")
    assert "zz.npy: there is no such file" in message and "Did you mean" in message


def test_an_unknown_metric_is_answered_with_the_one_meant(good):
    message = good.refusal("--metrics", "mig", "disentanglment_score")
    assert "Did you mean disentanglement_score" in message and "sap (sap_score)" in message


def test_a_metric_that_needs_the_model_says_so(good):
    assert "trained model's directory" in good.refusal("--metrics", "pca_alignment")


@pytest.mark.parametrize(
    ("words", "names", "expected"),
    [
        ((), {"latents": None, "factors": None}, "Nothing to compute"),
        (("--metrics", "dto"), {}, "dto needs jacobians"),
        (MIG, {"factors": None}, "mig needs factors"),
        (MIG, {"latents": None}, "mig needs means"),
        (("--seed", "-1", *MIG), {}, "seed = -1"),
        (
            ("--factor-kinds", "continuous", "--metrics", "unsupervised"),
            {"factors": None},
            "describe factors",
        ),
    ],
)
def test_arrays_that_are_not_given_are_named(good, words, names, expected):
    assert expected in good.refusal(*words, **names)
    assert "needs jacobians" in good.refusal("--sigma", good.path("w"), *MIG)


@pytest.mark.parametrize(
    ("latents", "factors", "expected"),
    [
        (np.zeros(480), grid(), "z[:, None]"),
        (np.zeros((480, 2, 2)), grid(), "[points, latents]; got (480, 2, 2)"),
        (np.zeros((480, 0)), grid(), "(480, 0)"),
        (np.zeros((5, 3)), grid(), "at least 10 points"),
        (np.zeros((480, 3), complex), grid(), "complex128"),
        (np.zeros((480, 3)).astype(str), grid(), "real numbers; got an array of the type <U"),
        (grid() * 1.0, grid()[:-1], "here [480, any]; found (479, 3)"),
        (grid() * 1.0, grid().T, "Is it transposed?"),
        (grid() * 1.0, grid().reshape(480, 3, 1), "[points, factors]"),
        (grid() * 1.0, grid() * [1, 1, 0], "'factor 2' has the same value"),
        (grid() * 1.0, grid() * 1j, "complex128"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_what_was_expected(files, latents, factors, expected):
    files.save(z=latents, w=factors)
    assert expected in files.refusal(*MIG)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_place(files, bad):
    latents, factors = grid() * 1.0, grid() * 1.0
    latents[7, 2] = bad
    files.save(z=latents, w=factors, good=grid() * 1.0)
    assert "means[7, 2]" in files.refusal(*MIG)
    factors[3, 1] = bad
    files.save(w=factors)
    message = files.refusal(*MIG, latents="good")
    assert "factors[:, 1][3]" in message


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--factor-kinds", "discrete"], "'discrete'; known are continuous"),
        (["--factor-kinds", "continuous", "categorical"], "2 entries"),
        (["--factor-names", "a", "b"], "2 entries"),
        (["--factor-names", "a", "b", "a"], "twice"),
    ],
)
def test_kinds_and_names_that_do_not_fit_are_refused(good, words, expected):
    assert expected in good.refusal(*MIG, *words)


def test_words_are_no_continuous_factor(files):
    files.save(z=grid() * 1.0, w=np.array(["one", "two"])[grid()[:, 2]])
    assert "A factor of names or dates is categorical" in files.refusal(
        *MIG, "--factor-kinds", "continuous"
    )


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
    message = good.refusal("--factors", "objects.npy", *MIG, factors=None)
    assert "a pickle can run any program" in message
    assert not (tmp_path / "made_by_a_pickle").exists()


def test_a_broken_file_is_named(good, tmp_path):
    for name, content in (("z", b"\x93NUMPY\x01\x00"), ("z", b"PK\x03\x04zip"), ("z", b"")):
        (tmp_path / f"{name}.npy").write_bytes(content)
        message = good.refusal(*MIG)
        assert "z.npy" in message and "Save" in message
    whole = tmp_path / "w.npy"
    whole.write_bytes(whole.read_bytes()[:-100])
    good.save(z=grid() * 1.0)
    assert "w.npy is damaged or truncated" in good.refusal(*MIG)


@pytest.mark.parametrize("flag", ["means", "factors"])
def test_a_header_that_states_more_than_the_file_holds_takes_no_memory(good, tmp_path, flag):
    header = io.BytesIO()
    shape = (2**40, 2**20)  # more than any machine's address space
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    (tmp_path / "huge.npy").write_bytes(header.getvalue() + b"12345678")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr(f"{flag}.npy", header.getvalue() + b"12345678")
    for name in ("huge.npy", "huge.npz"):
        given = {"means": {"latents": None}, "factors": {"factors": None}}[flag]
        message = good.refusal(f"--{flag}", str(tmp_path / name), *MIG, **given)
        assert f"{name} is damaged or truncated" in message


def test_a_directory_is_no_array(good, tmp_path):
    assert "cannot be read" in good.refusal("--means", str(tmp_path), *MIG, latents=None)


def test_a_npz_file_without_the_array_says_what_it_has(good, tmp_path):
    np.savez(tmp_path / "two.npz", a=[1], b=[2])
    message = good.refusal("--means", str(tmp_path / "two.npz"), *MIG, latents=None)
    assert "an array called 'means'" in message and "it has a, b" in message


@pytest.mark.parametrize(
    ("metric", "latents", "factors", "expected"),
    [
        ("mig", 1, 3, "needs at least 2 latents; got 1"),
        ("sap", 1, 3, "needs at least 2 latents"),
        ("disentanglement_score", 1, 3, "needs at least 2 latents"),
        ("unsupervised", 1, 3, "needs at least 2 latents"),
        ("dci", 3, 1, "needs at least 2 factors; got 1"),
        ("modularity", 3, 1, "needs at least 2 factors"),
        ("fairness", 3, 1, "needs at least 2 factors"),
    ],
)
def test_too_few_latents_or_factors_are_named(files, metric, latents, factors, expected):
    files.save(z=grid()[:, :latents] * 1.0, w=grid()[:, :factors])
    assert expected in files.refusal("--metrics", metric)


@pytest.mark.parametrize("metric", ["fairness", "strong_downstream_task"])
def test_metrics_that_set_a_factor_need_all_combinations(files, metric):
    files.save(z=grid(1)[:-1] * 1.0, w=grid(1)[:-1])
    message = files.refusal("--metrics", metric)
    assert "every combination" in message and "4 x 3 x 2" in message


def test_a_constant_latent_is_named_where_a_metric_divides_by_its_deviation(files):
    files.save(z=grid() * [1.0, 0, 1], w=grid())
    assert "latent 1 has the same value" in files.refusal("--metrics", "modularity")


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("mig.num_train = 1000", "1,000 points, and there are 480"),
        ("mig.num_train = 0", "mig.num_train = 0"),
        ("mig.num_train = 2.5", "whole number"),
        ("mig.num_trian = 5", "Check the spelling of the parameter"),
        ("mgi.num_train = 5", "Did you mean mig"),
        ("mig.num_train", "gin"),
    ],
)
def test_settings_that_do_not_fit_are_refused(good, binding, expected):
    assert expected in good.refusal(*MIG, "--gin-bindings", binding)


def test_correlation_with_names_is_refused(good):
    binding = "sap_score.continuous_factors = True"
    assert "categorical" in good.refusal("--metrics", "sap", "--gin-bindings", binding)


@pytest.mark.parametrize(
    ("jacobians", "expected"),
    [
        (np.zeros((5, 4)), "[points, outputs, latents]"),
        (np.zeros((5, 4, 2)), "is of 2 latents, and means have 3"),
        (np.full((5, 4, 3), np.nan), "point 0 is not finite"),
    ],
)
def test_jacobians_that_do_not_fit_are_refused(good, jacobians, expected):
    good.save(J=jacobians)
    assert expected in good.refusal("--jacobians", good.path("J"))


def test_a_jacobian_that_is_not_finite_is_named_by_its_number(good, monkeypatch):
    monkeypatch.setattr("vae_ortho_plugin.arrays.jacobian_measures._BLOCK_BYTES", 1)
    jacobians = np.random.default_rng(0).normal(size=(9, 4, 3))
    jacobians[7, 0, 0] = np.inf
    good.save(J=jacobians)
    assert "point 7 is not finite" in good.refusal("--jacobians", good.path("J"))


@pytest.mark.parametrize(
    ("sigma", "expected"),
    [(np.ones((4, 3)), "must have the shape"), (-np.ones((5, 3)), "log variances")],
)
def test_a_sigma_that_does_not_fit_is_refused(good, sigma, expected):
    good.save(J=np.random.default_rng(0).normal(size=(5, 4, 3)), s=sigma)
    words = ["--jacobians", good.path("J"), "--sigma", good.path("s")]
    assert expected in good.refusal(*words)


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_computed(good, tmp_path):
    assert "is a directory" in good.refusal(*MIG, "--output", str(tmp_path))
    inside_a_file = str(tmp_path / "z.npy" / "result.json")
    assert "z.npy is a file" in good.refusal(*MIG, "--output", inside_a_file)

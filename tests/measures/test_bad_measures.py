# SPDX-License-Identifier: Apache-2.0
"""Bad input of the measures: each gets one error that names the argument."""

import dataclasses
import inspect
import tracemalloc

import numpy as np
import pytest

from vae_ortho_plugin import InputError, measures
from vae_ortho_plugin.measures import optimum

IDENTITY = np.eye(2)[np.newaxis]  # one point, two outputs, two latents
ONES = np.ones((1, 2))
NORMAL = np.random.default_rng(0).normal(size=(30, 2))
JACOBIANS = np.random.default_rng(1).normal(size=(30, 3, 2))
# An argument of each name that every function takes.
GOOD = {
    "active": [0, 1],
    "at_most": 2,
    "batches": [NORMAL],
    "beta": 1.0,
    "candidates": np.eye(2),
    "decoded_means": NORMAL[:, [0, 1, 1]],
    "decoded_samples": [NORMAL[:, [0, 1, 1]]],
    "delta_kl": [0.1, 0.01],
    "factors": NORMAL,
    "jacobians": JACOBIANS,
    "kl": np.ones(30),
    "last_step": 3,
    "local_neighbors": 10,
    "local_points": 5,
    "matrix": np.eye(2),
    "means": NORMAL,
    "noise_jacobians": JACOBIANS,
    "num_neighbors": 5,
    "observations": NORMAL[:, [0, 1, 1]],
    "precision": np.zeros(30),
    "principal": np.eye(2),
    "scores": NORMAL,
    "seed": 0,
    "sigma": np.exp(NORMAL),
    "steps": [1, 2],
    "threshold": 0.03,
}
FUNCTIONS = {
    *(value for name in measures.__all__ if inspect.isfunction(value := getattr(measures, name))),
    *(
        value
        for name, value in vars(optimum).items()
        if getattr(value, "__module__", "") == optimum.__name__ and not name.startswith("_")
    ),
}


def arguments(function):
    known = {"factor_kinds": ["continuous"] * 2, **GOOD}
    return {name: known[name] for name in inspect.signature(function).parameters if name in known}


def with_first(value):
    def spoil(good):
        array = np.array(good, np.float64)
        array.flat[0] = value
        return array

    return spoil


def masked(good):
    array = np.ma.masked_array(np.array(good, np.float64))
    array[(0,) * array.ndim] = np.ma.masked
    return array


SPOILT = {
    "NaN": with_first(np.nan),
    "infinite": with_first(np.inf),
    "complex": lambda good: np.array(good) * 1j,
    "text": lambda good: np.array(good).astype(str).tolist(),
    "booleans": lambda good: np.array(good) == 1,
    "objects": lambda good: np.full(np.shape(good), None),
    "dates": lambda good: np.zeros(np.shape(good), "M8[s]"),
    "records": lambda good: np.zeros(np.shape(good), [("a", float)]),
    "ragged": lambda good: [[1, 2], [3]],
    "None": lambda good: None,
    "masked": masked,
    "empty": lambda good: np.zeros(0),
    "of one more dimension": lambda good: np.array(good)[np.newaxis],
}
# Without it, `active` is all; NaN of Δ_KL counts as not below the threshold; images and classes may be boolean, and
# the observations have any shape.
ACCEPTED = {
    *(("active", "None"), ("delta_kl", "NaN"), ("delta_kl", "infinite")),
    *((name, "booleans") for name in ("factors", "observations", "decoded_means")),
    *((name, "booleans") for name in ("decoded_samples", "batches")),
    *((name, "of one more dimension") for name in ("observations", "batches")),
}


@pytest.mark.parametrize("function", sorted(FUNCTIONS, key=lambda f: f.__name__))
def test_what_is_no_real_numbers_or_of_a_wrong_shape_is_refused_by_its_name(function):
    given = arguments(function)
    function(**given)
    for name in given.keys() - {"factor_kinds"}:
        for kind, spoil in SPOILT.items():
            if (name, kind) in ACCEPTED:
                continue
            in_a_list = name in ("decoded_samples", "batches")
            bad = [spoil(given[name][0])] if in_a_list else spoil(given[name])
            word = {"decoded_means": "decoded_means|observations"}.get(name, name.rstrip("s"))
            with pytest.raises(InputError, match=f"(?i){word}"):
                pytest.fail(f"{name}, {kind}: {function(**{**given, name: bad})}")


def test_every_argument_is_spoilt():
    names = {name for function in FUNCTIONS for name in inspect.signature(function).parameters}
    assert names - GOOD.keys() == {"correlation", "factor_kinds", "factor_names", "solver"}


OF_SIGMA = [
    lambda sigma: measures.precision_gap(IDENTITY, sigma),
    lambda sigma: measures.self_consistency(IDENTITY, sigma, 1.0),
    lambda sigma: measures.polarized_regime(ONES, sigma),
    lambda sigma: optimum.log_linearized_loss(IDENTITY, sigma),
]


def test_what_would_be_broadcast_is_refused():
    for sigma in ([[1.0]], [1.0, 1.0], [[1.0, 1.0], [1.0, 1.0]], 1.0, [[]]):
        for call in OF_SIGMA:
            with pytest.raises(InputError, match=r"sigma must have the shape \[points, latents\]"):
                call(sigma)
    for precision in ([[1.0]], [1.0, 1.0], []):
        for call in (optimum.optimal_sigma, optimum.log_least_loss, optimum.log_lower_bound):
            with pytest.raises(InputError, match="precision must be a number or have the shape"):
                call(IDENTITY, precision)


def test_standard_deviations_must_be_positive_and_finite():
    for call in (*OF_SIGMA, optimum.precision):
        for value in (-1.0, 0.0, np.inf):
            with pytest.raises(InputError, match=r"sigma\[0, 1\]"):
                call([[1.0, value]])


NAMED = np.array([["a"], ["b"]] * 15)
MIXED = [["cat"]] * 29 + [[1.5]]
IMAGES = np.zeros((2, 3, 4, 1))
ONE_LATENT = IDENTITY[:, :, :1]
ONE, REAL = NORMAL[:, :1], "continuous"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("disentanglement_score", (NORMAL, NAMED, REAL), r"factors\[0, 0\] is 'a'; .* must be numbers"),
        ("disentanglement_score", (NORMAL, MIXED, "categorical"), r"factors\[29, 0\] is 1.5; .* all be strings"),
        ("disentanglement_score", (NORMAL, NORMAL[:9], REAL), r"factors must have .*here \[30, any\]"),
        ("disentanglement_score", (NORMAL, NORMAL[:, :0], REAL), r"factors must have .* got \(30, 0\)"),
        ("disentanglement_score", (NORMAL[:, :1], NORMAL, REAL), "best latent with the second best; got 1 latents"),
        ("disentanglement_score", (NORMAL, 0 * ONE + 0.1, REAL), r"continuous factor 'factor 0' has the same value \(0.1\)"),
        ("disentanglement_score", (NORMAL, 0 * ONE + 3, "categorical", 0, 5, ["shape"]), r"'shape' has the same value \(3.0\) at all"),
        ("disentanglement_score", (NORMAL, NORMAL, [REAL]), "factor_kinds has 1 entries for 2 factors"),
        ("disentanglement_score", (NORMAL, NORMAL, [REAL, "ordinal"]), r"factor_kinds\[1\] = 'ordinal'"),
        ("disentanglement_score", (NORMAL, NORMAL, REAL, 0, 5, ["x"]), "factor_names has 1 entries for 2 factors"),
        ("disentanglement_score", (NORMAL, NORMAL, REAL, 0, 0), "num_neighbors = 0; it must be a whole number from 1"),
        ("disentanglement_score", (NORMAL, NORMAL, REAL, 0, 25), "30 points are too few: 25 neighbours"),
        ("disentanglement_score", (NORMAL[:2], NORMAL[:2], REAL, 0, 1), "2 points are too few"),
        ("mcc", (NORMAL, NORMAL * [1, 0]), "'factor 1' has the same value"),
        ("mcc", (NORMAL, NORMAL, "kendall"), "correlation = 'kendall' is unknown"),
        ("infomec", (NORMAL, ONE, "categorical"), "Every class of factor 0 has one point only"),
        ("pca_score", (NORMAL, ONE, REAL), "at least 2 factors; got 1"),
        ("pca_score", (ONE @ [[1.0, 2.0]], NORMAL, REAL), "along one direction only"),
        ("pca_score", (NORMAL[:20], NORMAL[:20], REAL), "local_neighbors = 50, but there are 20 points"),
        ("pca_score", (NORMAL, NORMAL, REAL, 0, 5, None, 9, 2), "local_neighbors = 2; it must be a whole number from 3"),
        ("pca_score", (NORMAL, NORMAL, REAL, 0, 5, None, 0), "local_points = 0; it must be a whole number from 1"),
        ("share_below", ([], [], 10), "steps must have the shape"),
        ("share_below", ([1, 2], [0.1], 10), "delta_kl must have the shape"),
        ("share_below", ([2, 1], [0.1, 0.1], 10), "must increase"),
        ("share_below", ([5, 20], [0.1, 0.1], 10), "last_step = 10"),
        ("share_below", ([0], [0.1], 0), "at least 1"),
        ("latent_types", ([[-2.0]],), "sigma must be at least 0.*log variances"),
        ("loss_decomposition", (IMAGES, IMAGES, [], np.ones((2, 12, 1))), "at least one sample"),
        ("loss_decomposition", (IMAGES, IMAGES, [], np.ones((2, 1, 12))), r"noise_jacobians must have .*here \[2, 12, any\]; got \(2, 1, 12\)"),
        ("principal_components", ([np.ones((5, 3))], 2), "All observations are the same"),
        ("principal_components", ([], 2), "got none"),
        ("encoder_directions", (np.eye(2), np.eye(2)), "2 points do not determine the encoder along 2"),
        ("distance_to_orthogonality", (JACOBIANS[:, :1],), "at least as many outputs"),
        ("regularized_ima_contrast", (IDENTITY, 0.0), "beta must be positive"),
        ("self_consistency", (IDENTITY, ONES, -1.0), "beta must be positive"),
        ("mean_abs_cosine", (ONE_LATENT,), "at least 2 latents; got 1"),
        ("singular_value_ratios", (ONE_LATENT,), "at least 2 latents; got 1"),
        ("polarized_regime", ([[0.0, 1e200]], ONES), r"means\[0, 1\] is 1e\+200, which is too large"),
        ("principal_components", (NORMAL, 1), r"PCA of one array takes it as \[array\]"),
        ("loss_decomposition", (IMAGES, IMAGES[:, :2], [], np.ones((2, 12, 1))), "decoded_means and observations differ"),
        ("matched_angles", (np.eye(3), np.eye(3)[:2]), "at least as many latents as directions"),
        ("nearest_signed_permutation", (2 * np.eye(2),), r"entries in \[-1, 1\]"),
        ("nearest_signed_permutation", (np.eye(2), "simplex"), "solver = 'simplex' is unknown"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused(name, given, message):
    with pytest.raises(InputError, match=message):
        getattr(measures, name)(*given)


def test_optimal_columns_take_no_memory_for_a_square_of_the_outputs():
    jacobians = np.random.default_rng(0).normal(size=(1, 4000, 2))
    tracemalloc.start()
    columns = optimum.optimal_columns(jacobians)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert columns.shape == jacobians.shape
    assert peak < 4000 * 4000


def test_text_as_classes_is_as_good_as_numbers_also_beside_another_factor():
    factor = np.linspace(0, 1, 50)
    mixed = [[value, "cat" if n % 2 else "dog"] for n, value in enumerate(factor)]
    coded = [[value, float(n % 2 == 0)] for n, value in enumerate(factor)]
    means = np.column_stack([factor, np.arange(50) % 2])
    kinds = ["continuous", "categorical"]
    found = measures.disentanglement_score(means, mixed, kinds)
    expected = measures.disentanglement_score(means, coded, kinds)
    np.testing.assert_array_equal(found.score_matrix, expected.score_matrix)
    assert found.score_matrix[1, 1] == 1


def test_integers_do_not_overflow():
    pixels = np.array([[200, 100]], np.uint8)
    terms = measures.loss_decomposition(
        pixels, pixels * 0, [pixels], np.array([[[200], [0]]], "u1")
    )
    assert terms.deterministic.mean == terms.total.mean + 200**2 + 100**2
    assert terms.linearized.mean == 200**2
    large = np.array([[[2**40, 0], [0, 2**40]]])
    assert optimum.log_volume(large) == pytest.approx(80 * np.log(2))


def test_results_are_equal_where_all_of_their_fields_are():
    tried = set()
    for function in FUNCTIONS:
        result, same = (function(**arguments(function)) for _ in range(2))
        if not dataclasses.is_dataclass(result):
            continue
        tried.add(type(result))
        assert result == same and hash(result) == hash(same) and len({result, same}) == 1
        assert result != "a result" and result is not same
        for field in dataclasses.fields(result):
            value = getattr(result, field.name)
            if field.init:
                other = [*value, "more"] if isinstance(value, list) else changed(value)
                assert dataclasses.replace(result, **{field.name: other}) != result
    public = [getattr(measures, name) for name in measures.__all__]
    assert tried == {v for v in public if inspect.isclass(v) and dataclasses.is_dataclass(v)}


def changed(value):
    if isinstance(value, measures.OverPoints):
        return measures.OverPoints(value.per_point + 1)
    return value + 1


def test_results_with_nan_or_a_negative_zero_are_equal():
    first, second = (
        measures.PrincipalComponents(np.array([zero]), np.eye(1), np.array([np.nan]), float("nan"))
        for zero in (0.0, -0.0)
    )
    assert first == second and hash(first) == hash(second)

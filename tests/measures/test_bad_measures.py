# SPDX-License-Identifier: Apache-2.0
"""Bad input of the measures: each with its smallest example, and its error."""

import dataclasses
import importlib
import inspect
import pkgutil
import tracemalloc

import numpy as np
import pytest

from vae_ortho_plugin import InputError, measures
from vae_ortho_plugin.measures import optimum

IDENTITY = np.eye(2)[np.newaxis]  # one point, two outputs, two latents
ONES = np.ones((1, 2))

# Every public function of Jacobians alone.
OF_JACOBIANS = [
    measures.distance_to_orthogonality,
    measures.point_distances,
    measures.right_singular_vectors,
    measures.triangular_factors,
    measures.ima_contrast,
    lambda jacobians: measures.regularized_ima_contrast(jacobians, 1.0),
    measures.mean_abs_cosine,
    measures.singular_value_ratios,
    lambda jacobians: measures.precision_gap(jacobians, ONES),
    lambda jacobians: measures.self_consistency(jacobians, ONES, 1.0),
    lambda jacobians: measures.loss_decomposition(ONES, ONES, [ONES], jacobians),
    optimum.log_column_product,
    optimum.log_volume,
    optimum.optimal_columns,
    lambda jacobians: optimum.optimal_sigma(jacobians, 0.0),
    lambda jacobians: optimum.log_linearized_loss(jacobians, ONES),
    lambda jacobians: optimum.log_least_loss(jacobians, 0.0),
    lambda jacobians: optimum.log_lower_bound(jacobians, 0.0),
]
BAD_JACOBIANS = {
    "complex": IDENTITY * 1j,
    "NaN": IDENTITY * np.nan,
    "infinite": np.where(IDENTITY == 1, np.inf, 0),
    "no points": np.empty((0, 2, 2)),
    "no outputs": np.empty((1, 0, 2)),
    "no latents": np.empty((1, 2, 0)),
    "a matrix": np.eye(2),
    "a number": 1.0,
    "four dimensions": IDENTITY[np.newaxis],
    "text": [[["1", "0"], ["0", "1"]]],
    "booleans": IDENTITY == 1,
    "ragged": [[[1.0, 0.0], [1.0]]],
    "None": None,
    "masked": np.ma.masked_array(IDENTITY, IDENTITY == 0),
}


@pytest.mark.parametrize("function", OF_JACOBIANS)
@pytest.mark.parametrize("jacobians", BAD_JACOBIANS.values(), ids=BAD_JACOBIANS)
def test_jacobians_that_are_no_real_numbers_or_of_a_wrong_shape_are_refused(function, jacobians):
    with pytest.raises(InputError, match="(?i)jacobian"):
        function(jacobians)


def test_the_precision_gap_of_a_zero_jacobian_is_infinite():
    gap = measures.precision_gap(np.zeros((1, 2, 2)), ONES)
    assert gap.total == gap.sigma == gap.columns == np.inf


def test_the_precision_gap_of_a_zero_column_is_infinite():
    gap = measures.precision_gap([[[1.0, 0.0], [0.0, 0.0]]], ONES)
    assert gap.total == gap.sigma == gap.columns == np.inf


@pytest.mark.parametrize("sigma", [[[1.0]], [1.0, 1.0], [[1.0, 1.0], [1.0, 1.0]], 1.0, [[]]])
def test_standard_deviations_that_would_be_broadcast_are_refused(sigma):
    with pytest.raises(InputError, match=r"sigma must have the shape \[points, latents\]"):
        measures.precision_gap(IDENTITY, sigma)
    with pytest.raises(InputError, match=r"sigma must have the shape \[points, latents\]"):
        measures.self_consistency(IDENTITY, sigma, 1.0)
    with pytest.raises(InputError, match=r"sigma must have the shape \[points, latents\]"):
        optimum.log_linearized_loss(IDENTITY, sigma)


@pytest.mark.parametrize("precision", [[[1.0]], [1.0, 1.0], [], [[1.0, 1.0]]])
@pytest.mark.parametrize(
    "function", [optimum.optimal_sigma, optimum.log_least_loss, optimum.log_lower_bound]
)
def test_precisions_that_would_be_broadcast_are_refused(function, precision):
    with pytest.raises(InputError, match="precision must be a number or have the shape"):
        function(IDENTITY, precision)


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf])
def test_standard_deviations_must_be_positive_and_finite(value):
    sigma = [[1.0, value]]
    for call in (
        lambda: measures.precision_gap(IDENTITY, sigma),
        lambda: measures.self_consistency(IDENTITY, sigma, 1.0),
        lambda: optimum.log_linearized_loss(IDENTITY, sigma),
        lambda: optimum.precision(sigma),
    ):
        with pytest.raises(InputError, match=r"sigma\[0, 1\]"):
            call()


def test_optimal_columns_take_no_memory_for_a_square_of_the_outputs():
    jacobians = np.random.default_rng(0).normal(size=(1, 4000, 2))
    tracemalloc.start()
    columns = optimum.optimal_columns(jacobians)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert columns.shape == jacobians.shape
    assert peak < 4000 * 4000


def test_the_loss_decomposition_takes_lists():
    terms = measures.loss_decomposition([[0.0]], [[1.0]], [[[3.0]]], [[[2.0]]])
    assert (terms.total, terms.stochastic, terms.linearized) == (9.0, 4.0, 4.0)


def of_classes(classes, latents=None):
    points = len(classes)
    latents = np.column_stack([np.arange(points), np.zeros(points)]) if latents is None else latents
    return measures.disentanglement_score(latents, np.array(classes)[:, None], ["categorical"])


def test_the_classes_of_a_categorical_factor_may_be_text():
    named = of_classes(["cat"] * 50 + ["dog"] * 50)
    numbered = of_classes([0.0] * 50 + [1.0] * 50)
    assert named.disentanglement_score == numbered.disentanglement_score > 0.5


def test_text_in_a_continuous_factor_is_refused():
    latents = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(InputError, match="factor 0"):
        measures.disentanglement_score(latents, np.array([["a"], ["b"]] * 10), ["continuous"])


BAD_MEANS = {
    "complex": ONES * 1j,
    "NaN": ONES * np.nan,
    "empty": np.empty((0, 2)),
    "a vector": ONES[0],
    "text": [["1", "2"]],
}


@pytest.mark.parametrize("means", BAD_MEANS.values(), ids=BAD_MEANS)
def test_means_that_are_no_real_numbers_or_of_a_wrong_shape_are_refused(means):
    calls = [
        lambda: measures.active_latents(means),
        lambda: measures.polarized_regime(means, ONES),
        lambda: measures.polarized_regime(ONES, means),
        lambda: measures.delta_kl(means, ONES),
        lambda: measures.disentanglement_score(means, ONES, ["continuous"] * 2),
        lambda: measures.encoder_directions(means, ONES),
    ]
    for call in calls:
        with pytest.raises(InputError):
            call()


def test_numbers_of_points_that_differ_are_refused():
    with pytest.raises(InputError, match="points"):
        measures.precision_gap(IDENTITY, np.ones((2, 2)))
    with pytest.raises(InputError, match="differ in shape"):
        measures.loss_decomposition(ONES, np.ones((2, 2)), [ONES], IDENTITY)
    with pytest.raises(InputError, match="same points"):
        measures.disentanglement_score(np.ones((9, 2)), np.ones((8, 1)), ["continuous"])


def test_more_latents_than_outputs_have_no_dto():
    with pytest.raises(InputError, match="at least as many outputs as latents"):
        measures.distance_to_orthogonality(np.ones((1, 2, 3)))


NORMAL = np.random.default_rng(0).normal(size=(30, 2))
# Arguments that each public function accepts.
GOOD = {
    measures.active_latents: {"means": NORMAL},
    measures.delta_kl: {"means": NORMAL, "variances": np.exp(NORMAL)},
    measures.disentanglement_score: {
        "latents": NORMAL,
        "factors": NORMAL[:, :1],
        "factor_kinds": ["continuous"],
        "seed": 0,
        "num_neighbors": 5,
    },
    measures.distance_to_orthogonality: {"jacobians": IDENTITY},
    measures.encoder_directions: {"scores": NORMAL, "means": NORMAL},
    measures.ima_contrast: {"jacobians": IDENTITY},
    measures.infomec: {
        "means": NORMAL,
        "factors": NORMAL,
        "factor_kinds": ["continuous"] * 2,
        "seed": 0,
    },
    measures.latent_types: {"sigma": ONES},
    measures.loss_decomposition: {
        "observations": ONES,
        "decoded_means": ONES,
        "decoded_samples": [ONES],
        "noise_jacobians": IDENTITY,
    },
    measures.matched_angles: {"principal": np.eye(2), "candidates": np.eye(2)},
    measures.mcc: {"means": NORMAL, "factors": NORMAL[:, :1]},
    measures.mean_abs_cosine: {"jacobians": IDENTITY},
    measures.nearest_signed_permutation: {"matrix": np.eye(2)},
    measures.pca_score: {
        "observations": NORMAL,
        "factors": NORMAL[::-1],
        "factor_kinds": ["continuous"] * 2,
        "seed": 0,
        "num_neighbors": 5,
        "local_points": 5,
        "local_neighbors": 10,
    },
    measures.point_distances: {"jacobians": IDENTITY},
    measures.polarized_regime: {"means": NORMAL, "variances": np.exp(NORMAL)},
    measures.precision_gap: {"jacobians": IDENTITY, "sigma": ONES},
    measures.principal_components: {"batches": [NORMAL], "at_most": 2},
    measures.regularized_ima_contrast: {"jacobians": IDENTITY, "beta": 1.0},
    measures.right_singular_vectors: {"jacobians": IDENTITY},
    measures.self_consistency: {"jacobians": IDENTITY, "sigma": ONES, "beta": 1.0},
    measures.share_below: {"steps": [1, 2], "delta_kl": [0.1, 0.01], "last_step": 3},
    measures.singular_value_ratios: {"jacobians": IDENTITY},
    measures.summarize: {"distances": [0.0, 1.0]},
    measures.triangular_factors: {"jacobians": IDENTITY},
    optimum.log_column_product: {"jacobians": IDENTITY},
    optimum.log_least_loss: {"jacobians": IDENTITY, "precision": [0.0]},
    optimum.log_linearized_loss: {"jacobians": IDENTITY, "sigma": ONES},
    optimum.log_lower_bound: {"jacobians": IDENTITY, "precision": [0.0]},
    optimum.log_volume: {"jacobians": IDENTITY},
    optimum.optimal_columns: {"jacobians": IDENTITY},
    optimum.optimal_sigma: {"jacobians": IDENTITY, "precision": [0.0]},
    optimum.precision: {"sigma": ONES},
    optimum.precision_of_kl: {"kl": [1.0], "means": ONES},
}
ARGUMENTS = [(f, name) for f, given in GOOD.items() for name in given if name != "factor_kinds"]
# NaN of Δ_KL counts as not below the threshold.
FINITE = [(f, name) for f, name in ARGUMENTS if name != "delta_kl"]


def with_bad(function, name, spoil):
    """Calls the function with one of its arguments spoilt."""
    good = GOOD[function][name]
    bad = [spoil(good[0])] if name in ("decoded_samples", "batches") else spoil(good)
    return function(**{**GOOD[function], name: bad})


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


def test_every_public_function_is_among_those_that_are_tried():
    public = {getattr(measures, name) for name in measures.__all__}
    public |= {
        f for f in vars(optimum).values() if getattr(f, "__module__", "") == optimum.__name__
    }
    functions = {f for f in public if inspect.isfunction(f) and not f.__name__.startswith("_")}
    assert functions == set(GOOD)
    for function, arguments in GOOD.items():
        function(**arguments)


@pytest.mark.parametrize("function, name", FINITE)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_in_every_argument(function, name, value):
    with pytest.raises(InputError):
        with_bad(function, name, with_first(value))


@pytest.mark.parametrize("function, name", ARGUMENTS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: np.array(good) * 1j,
        lambda good: np.array(good).astype(str).tolist(),
        lambda good: np.full(np.shape(good), None),
        lambda good: np.zeros(np.shape(good), "M8[s]"),
        lambda good: np.zeros(np.shape(good), [("a", float)]),
        lambda good: [[1, 2], [3]],
        lambda good: None,
        masked,
    ],
    ids=["complex", "text", "objects", "dates", "records", "ragged", "None", "masked"],
)
def test_values_that_are_no_real_numbers_are_refused_in_every_argument(function, name, spoil):
    with pytest.raises(InputError):
        with_bad(function, name, spoil)


@pytest.mark.parametrize("function, name", ARGUMENTS)
def test_an_empty_array_is_refused_in_every_argument(function, name):
    with pytest.raises(InputError):
        with_bad(function, name, lambda good: np.zeros(0))


def test_integers_do_not_overflow():
    pixels = np.array([[200, 100]], np.uint8)
    terms = measures.loss_decomposition(
        pixels, pixels * 0, [pixels], np.array([[[200], [0]]], "u1")
    )
    assert terms.deterministic == terms.total + 200**2 + 100**2
    assert terms.linearized == 200**2
    large = np.array([[[2**40, 0], [0, 2**40]]])
    assert optimum.log_volume(large) == pytest.approx(80 * np.log(2))


def test_values_whose_squares_leave_the_range_of_float64_are_refused():
    with pytest.raises(InputError, match=r"means\[0, 1\] is 1e\+200, which is too large"):
        measures.polarized_regime([[0.0, 1e200]], [[1.0, 1.0]])


@pytest.mark.parametrize("columns", [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 3.0], [0.1, 0.3]]])
def test_the_columns_part_of_dependent_columns_is_infinite_in_spite_of_rounding(columns):
    gap = measures.precision_gap([columns], ONES)
    assert gap.columns == gap.total == np.inf
    assert np.isfinite(gap.sigma)


def test_classes_of_mixed_types_are_refused_and_named():
    latents = np.random.default_rng(0).normal(size=(20, 2))
    classes = [["cat"]] * 19 + [[1.5]]
    with pytest.raises(InputError, match=r"factors\[19, 0\] is 1.5; .* all be strings"):
        measures.disentanglement_score(latents, classes, ["categorical"])


def test_numbers_beside_the_text_of_another_factor_keep_their_values():
    factor = np.linspace(0, 1, 50)
    mixed = [[value, "cat" if n % 2 else "dog"] for n, value in enumerate(factor)]
    coded = [[value, float(n % 2 == 0)] for n, value in enumerate(factor)]
    latents = np.column_stack([factor, np.arange(50) % 2])
    kinds = ["continuous", "categorical"]
    found = measures.disentanglement_score(latents, mixed, kinds)
    expected = measures.disentanglement_score(latents, coded, kinds)
    np.testing.assert_array_equal(found.score_matrix, expected.score_matrix)


def test_a_single_array_of_observations_is_not_taken_for_batches():
    with pytest.raises(InputError, match=r"PCA of one array takes it as \[array\]"):
        measures.principal_components(NORMAL, at_most=1)


def test_observations_of_another_layout_are_refused():
    images = np.zeros((2, 3, 4, 1))
    with pytest.raises(InputError, match="decoded_means and observations differ in shape"):
        measures.loss_decomposition(images, images.swapaxes(1, 2), [images], np.ones((2, 12, 1)))


def test_more_principal_directions_than_latents_are_refused():
    with pytest.raises(InputError, match="at least as many latents as directions"):
        measures.matched_angles(np.eye(3), np.eye(3)[:2])


def test_a_matrix_with_entries_beyond_one_has_no_nearest_signed_permutation():
    with pytest.raises(InputError, match=r"entries in \[-1, 1\]"):
        measures.nearest_signed_permutation([[2.0, 0.0], [0.0, 1.0]])
    with pytest.raises(InputError, match="Unknown DtO solver 'simplex'"):
        measures.nearest_signed_permutation(np.eye(2), "simplex")


RESULTS = [f for f in GOOD if dataclasses.is_dataclass(f(**GOOD[f]))]


def test_results_of_every_class_are_compared():
    names = [
        f"{measures.__name__}.{found.name}" for found in pkgutil.iter_modules(measures.__path__)
    ]
    classes = {
        value
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and dataclasses.is_dataclass(value)
    }
    assert {type(function(**GOOD[function])) for function in RESULTS} == classes


@pytest.mark.parametrize("function", RESULTS)
def test_results_are_equal_where_all_of_their_fields_are(function):
    result, same = (function(**GOOD[function]) for _ in range(2))
    assert result == same and hash(result) == hash(same) and len({result, same}) == 1
    assert result != "a result" and result is not same
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        other = [*value, "more"] if isinstance(value, list) else value + 1
        assert dataclasses.replace(result, **{field.name: other}) != result


def test_results_with_nan_or_a_negative_zero_are_equal():
    first, second = (
        measures.PrincipalComponents(np.array([zero]), np.eye(1), np.array([np.nan]), float("nan"))
        for zero in (0.0, -0.0)
    )
    assert first == second and hash(first) == hash(second)

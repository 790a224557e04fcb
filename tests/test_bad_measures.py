# SPDX-License-Identifier: Apache-2.0
"""Bad input of the measures: each with its smallest example, and its error."""

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
    lambda jacobians: measures.precision_gap(jacobians, ONES),
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

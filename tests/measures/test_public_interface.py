# SPDX-License-Identifier: Apache-2.0
import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import vae_ortho_plugin
from vae_ortho_plugin import InputError, errors, measures

MODULES = [
    found.name for found in pkgutil.walk_packages(measures.__path__, "vae_ortho_plugin.measures.")
]
M1 = [[4.0, 1.0], [-3.0, 1.0], [5.0, -1.0]]  # Eq. 24
FUNCTIONS = [name for name in measures.__all__ if inspect.isfunction(getattr(measures, name))]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_docstrings_hold(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example_and_says_what_it_takes_and_raises(name):
    text = inspect.getdoc(getattr(measures, name))
    assert ">>>" in text and "Args:" in text and "Raises:" in text


def test_the_package_gives_the_names_of_the_measures_and_the_error():
    others = {"InputError", "evaluate", "decoder_measures", "decoder_jacobians", "DecoderMeasures"}
    assert set(vae_ortho_plugin.__all__) == {*measures.__all__, *others}
    assert set(vae_ortho_plugin.__all__) <= set(dir(vae_ortho_plugin))
    for name in vae_ortho_plugin.__all__:
        own = getattr(vae_ortho_plugin, name)
        assert name not in measures.__all__ or own is getattr(measures, name)
    assert vae_ortho_plugin.InputError is errors.InputError
    assert vae_ortho_plugin.evaluate.__module__ == "vae_ortho_plugin.arrays.evaluation"
    with pytest.raises(AttributeError, match="no attribute 'dot'"):
        _ = vae_ortho_plugin.dot


def test_the_import_needs_no_numpy_and_a_name_that_module_and_function_share_is_the_function():
    code = (
        "import sys, vae_ortho_plugin\n"
        "print({'numpy', 'tensorflow', 'gin'} & set(sys.modules))\n"
        "from vae_ortho_plugin.measures import disentanglement_score, precision_gap\n"
        "import vae_ortho_plugin.measures.loss_decomposition\n"
        "from vae_ortho_plugin import loss_decomposition\n"
        "print(all(map(callable, (disentanglement_score, precision_gap, loss_decomposition))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\nTrue\n"


def a_tuple(array):
    return tuple(array.tolist())


def a_tensor(array):
    return pytest.importorskip("torch").tensor(array, requires_grad=True)


def bfloat16(array):
    return jnp.asarray(array, jnp.bfloat16)


@pytest.mark.parametrize(
    "convert", [np.ndarray.tolist, a_tuple, jnp.asarray, bfloat16, a_tensor, np.float32, np.float16]
)
def test_measures_take_lists_and_arrays_of_other_frameworks(convert):
    jacobians = np.array([M1])
    sigma = np.array([[0.5, 0.25]])
    dto = vae_ortho_plugin.distance_to_orthogonality(convert(jacobians))
    assert dto.mean == pytest.approx(measures.distance_to_orthogonality(jacobians).mean, abs=1e-6)
    gap = vae_ortho_plugin.precision_gap(convert(jacobians), convert(sigma))
    assert gap.mean == pytest.approx(measures.precision_gap(jacobians, sigma).mean, abs=1e-5)


def test_measures_take_half_precision_and_compute_in_double():
    large = np.array([[[300.0, 0], [0, 200.0]]], np.float16)  # 300^2 is not a float16 number
    assert measures.optimum.log_volume(large) == pytest.approx(np.log(60_000))


RANDOM = np.random.default_rng(0).normal(size=(40, 6, 4))
SIGMA = np.exp(RANDOM[:, 0])
FACTORS = RANDOM[:, 1, :2]
ACTIVE = [3, 1]


def numbers(result):
    """All numbers of a result, of its arrays and of the results in it."""
    if dataclasses.is_dataclass(result):
        return np.concatenate([numbers(value) for value in vars(result).values()])
    array = np.ravel(result)
    return array if array.dtype.kind == "f" else array[:0].astype(float)


@pytest.mark.parametrize(
    "measure, arrays",
    [
        (measures.distance_to_orthogonality, [RANDOM]),
        (measures.singular_value_ratios, [RANDOM]),
        (measures.ima_contrast, [RANDOM]),
        (lambda j, **active: measures.regularized_ima_contrast(j, 0.5, **active), [RANDOM]),
        (measures.mean_abs_cosine, [RANDOM]),
        (measures.precision_gap, [RANDOM, SIGMA]),
        (lambda *of, **active: measures.self_consistency(*of, 0.5, **active), [RANDOM, SIGMA]),
        (lambda z, **active: measures.disentanglement_score(z, FACTORS, "continuous", **active), [SIGMA]),
        (lambda z, **active: measures.mcc(z, FACTORS, **active).correlations, [SIGMA]),
        (lambda z, **active: measures.infomec(z, FACTORS, "continuous", **active).nmi, [SIGMA]),
    ],
)  # fmt: skip
def test_a_measure_among_active_latents_is_that_of_their_columns(measure, arrays):
    found = measure(*arrays, active=ACTIVE)
    expected = measure(*(array[..., ACTIVE] for array in arrays))
    np.testing.assert_allclose(numbers(found), numbers(expected), rtol=1e-9)
    for bad in ([], [0, 0], [4], [-1], [True, False, True, True], [0.5], 1, [[0, 1]]):
        with pytest.raises(InputError, match="active must have the indices"):
            measure(*arrays, active=bad)


def test_latents_of_measures_of_factors_keep_their_numbers():
    factors = SIGMA[:, [3]] > np.median(SIGMA[:, 3])
    assert measures.mcc(SIGMA, factors, active=[1, 3]).matched.tolist() == [3]
    assert measures.infomec(SIGMA, factors, "categorical", active=[1, 3]).kept == [1, 3]


def test_a_result_prints_its_numbers_and_the_shapes_of_large_arrays():
    few, many = measures.OverPoints(np.array([1.0, 3.0])), measures.OverPoints(np.zeros(11))
    numbers = "per_point=[1., 3.], mean=2.0, std=1.0, stderr=0.7071067811865475"
    assert repr(few) == f"OverPoints({numbers})"
    assert repr(many).startswith("OverPoints(per_point=<array of the shape (11,)>, mean=0.0, ")

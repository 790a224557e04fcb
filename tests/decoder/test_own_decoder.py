# SPDX-License-Identifier: Apache-2.0
"""Jacobians and measures of a user's decoder: PyTorch, JAX, Keras, a trained model's directory.

The decoder tanh(z W + b) has the Jacobian diag(1 − tanh²) Wᵀ.
"""

import functools
from unittest import mock

import numpy as np
import pytest

from vae_ortho_plugin import decoder_jacobians, decoder_measures, measures
from vae_ortho_plugin.decoder import frameworks
from vae_ortho_plugin.decoder.frameworks import jax_arrays
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.jacobians import factors_of_gram

LATENTS, OUTPUTS, POINTS = 3, 12, 300
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(LATENTS, OUTPUTS)).astype(np.float32)
BIAS = random.normal(size=OUTPUTS).astype(np.float32)
MEANS = random.normal(size=(POINTS, LATENTS)).astype(np.float32)
SIGMA = random.uniform(0.1, 0.2, size=(POINTS, LATENTS))
SLOPE = 1 - np.tanh(MEANS @ WEIGHTS + BIAS) ** 2
JACOBIANS = SLOPE[:, :, None] * WEIGHTS.T


def of_pytorch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    linear = torch.nn.Linear(LATENTS, OUTPUTS)
    linear.load_state_dict({"weight": torch.tensor(WEIGHTS.T), "bias": torch.tensor(BIAS)})
    image = torch.nn.Unflatten(1, (3, 2, 2))
    return torch.nn.Sequential(linear, torch.nn.Tanh(), torch.nn.Dropout(0.5), image)


def of_jax():
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    return lambda latents: jnp.tanh(latents @ WEIGHTS + BIAS).reshape(-1, 3, 2, 2)


def of_keras():
    keras = pytest.importorskip("keras", reason="keras is not installed")
    dense = keras.layers.Dense(OUTPUTS, activation="tanh")
    layers = [keras.Input((LATENTS,)), dense, keras.layers.Dropout(0.5)]
    model = keras.Sequential([*layers, keras.layers.Reshape((3, 2, 2))])
    dense.set_weights([WEIGHTS, BIAS])
    return model


@pytest.fixture(
    params=[of_pytorch, of_jax, of_keras], ids=["pytorch", "jax", "keras"], scope="module"
)
def decoder(request):
    return request.param()


def test_jacobians_are_those_of_the_closed_form(decoder):
    found = decoder_jacobians(decoder, MEANS)
    np.testing.assert_allclose(found, JACOBIANS, rtol=1e-4, atol=1e-5)


def test_measures_are_those_of_the_jacobians(decoder):
    found = decoder_measures(decoder, MEANS, sigma=SIGMA, beta=4.0, active=[0, 2])
    among = JACOBIANS[:, :, [0, 2]]
    assert found.active == [0, 2]
    for value, expected in (
        (found.dto, measures.distance_to_orthogonality(JACOBIANS)),
        (found.dto_active, measures.distance_to_orthogonality(among)),
        (found.self_consistency, measures.self_consistency(JACOBIANS, SIGMA, 4.0)),
        (found.precision_gap_active, measures.precision_gap(among, SIGMA[:, [0, 2]])),
    ):
        assert value.mean == pytest.approx(expected.mean, rel=1e-3)


def test_without_active_latents_there_is_no_measure_among_them(decoder):
    found = decoder_measures(decoder, MEANS / 10, sigma=SIGMA)
    assert found.active == [] and found.dto_active is None and found.precision_gap_active is None
    assert found.dto.mean > 0 and found.self_consistency is None


def test_memory_is_that_of_a_batch_of_points_and_errors_count_all_points(monkeypatch):
    whole, sizes = decoder_measures(of_jax(), MEANS), []
    factors = jax_arrays.JaxDecoder.factors
    monkeypatch.setattr(frameworks, "_BATCH_BYTES", 7 * 4 * LATENTS * OUTPUTS)
    monkeypatch.setattr(
        jax_arrays.JaxDecoder,
        "factors",
        lambda own, batch, first: sizes.append(len(batch)) or factors(own, batch, first),
    )
    assert decoder_measures(of_jax(), MEANS).dto.mean == pytest.approx(whole.dto.mean, rel=1e-5)
    assert set(sizes) == {7}
    means = np.arange(2.0, 302)[:, None] * [1, -1]
    with pytest.raises(InputError, match="Jacobian at point 261 is not finite"):
        decoder_measures(lambda latents: latents / (latents - 263), means)


def test_what_a_gpu_reduces_itself_is_what_numpy_does():
    import jax.numpy as jnp

    columns = jnp.asarray(JACOBIANS.transpose(2, 0, 1)).at[1, 7].set(JACOBIANS[7, :, 0])
    jacobians = np.asarray(columns, np.float64).transpose(1, 2, 0)
    found = jax_arrays.JaxDecoder._factors_there(columns, 0)
    gram = found.swapaxes(1, 2) @ found
    np.testing.assert_allclose(gram, jacobians.swapaxes(1, 2) @ jacobians, atol=1e-6)
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vae_ortho_plugin.decoder.frameworks.pytorch import PytorchDecoder

    there = PytorchDecoder._factors_there(torch.tensor(np.array(columns)), 0)
    np.testing.assert_allclose(np.abs(there), np.abs(found), atol=1e-6)


def test_a_trained_model_is_named_by_its_directory(linear_vae):
    means = np.random.default_rng(3).normal(size=(50, 2))
    found = decoder_measures(str(linear_vae.directory), means)
    jacobians = decoder_jacobians(linear_vae.directory, means)
    assert jacobians.shape[::2] == (50, 2)
    assert found.dto.mean == pytest.approx(measures.distance_to_orthogonality(jacobians).mean)
    with pytest.raises(InputError, match="means have 3 latents, and the model in .* has 2"):
        decoder_measures(linear_vae.directory, MEANS)
    with pytest.raises(InputError, match="no TF-Hub module"):
        decoder_measures("nowhere", means)


def test_a_pytorch_module_works_in_evaluation_mode_and_has_each_mode_again():
    decoder = of_pytorch()
    decoder.train()
    decoder[1].eval()
    decoder_measures(decoder, MEANS[:4])
    assert [part.training for part in decoder] == [True, False, True, True]


def test_a_pytorch_image_decoder_agrees_with_finite_differences():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(
        torch.nn.Linear(2, 16), torch.nn.BatchNorm1d(16), torch.nn.ELU(inplace=True),
        torch.nn.Unflatten(1, (4, 2, 2)), torch.nn.ConvTranspose2d(4, 3, 4, 2, 1), torch.nn.Sigmoid(),
    ).double()  # fmt: skip
    latents = torch.randn(5, 2, dtype=torch.float64)
    step = 1e-5 * torch.eye(2, dtype=torch.float64)
    decoder.eval()
    with torch.no_grad():
        columns = [(decoder(latents + s) - decoder(latents - s)).flatten(1) / 2e-5 for s in step]
    expected = torch.stack(columns, 2).numpy()
    np.testing.assert_allclose(decoder_jacobians(decoder, latents), expected, atol=1e-8)


def test_the_triangular_factors_taken_on_a_device_are_those_of_the_jacobians():
    """As on a GPU: the Gram matrices are taken there, and only Jacobians that need QR come over."""
    jacobians = JACOBIANS.astype(np.float64)
    jacobians[7, :, 1] = jacobians[7, :, 0] + 1e-4 * jacobians[7, :, 1]  # nearly dependent
    jacobians_at = mock.Mock(side_effect=jacobians.__getitem__)
    found = factors_of_gram(jacobians.swapaxes(1, 2) @ jacobians, jacobians_at)
    ((points,), _) = jacobians_at.call_args
    assert np.flatnonzero(points).tolist() == [7]
    np.testing.assert_allclose(np.abs(found), np.abs(measures.triangular_factors(jacobians)))


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ("means", {"means": MEANS[:, 0]}),
        ("means", {"means": np.where(MEANS > 2, np.nan, MEANS)}),
        ("sigma", {"sigma": SIGMA[:5]}),
        ("beta", {"sigma": SIGMA, "beta": 0}),
        ("active", {"active": [3]}),
        ("active", {"active": [0.5]}),
        ("decoder", {"decoder": WEIGHTS}),
        ("decoder", {"decoder": lambda latents: latents.sum()}),
        ("decoder", {"decoder": lambda latents: latents - latents.mean(axis=0)}),
        ("outputs", {"decoder": lambda latents: latents[:, :1]}),
        ("decoder's framework", {"decoder": lambda latents: latents.cpu()}),
        ("decoder fails", {"decoder": lambda latents: latents[:, 0, 0, None]}),
    ],
)
def test_bad_input_gets_one_error_that_names_the_argument(argument, change):
    arguments = {"decoder": of_jax(), "means": MEANS, **change}
    with pytest.raises(InputError, match=argument):
        decoder_measures(**arguments)


def test_a_pytorch_tensor_of_another_type_is_refused_and_other_arrays_are_converted():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    decoder = of_pytorch().double()
    with pytest.raises(InputError, match=r"means has the dtype torch.float32.*float64"):
        decoder_measures(decoder, torch.tensor(MEANS))
    np.testing.assert_allclose(decoder_jacobians(decoder, MEANS), JACOBIANS, atol=1e-5)


@pytest.mark.parametrize("words", ["CUDA out of memory", "CPU: can't allocate memory"])
def test_memory_that_runs_out_is_no_fault_of_the_decoder(words):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    decoder = mock.Mock(side_effect=RuntimeError(words))
    with pytest.raises(RuntimeError, match=words):
        decoder_measures(decoder, torch.tensor(MEANS))


def test_whole_numbers_are_means_too():
    import jax.numpy as jnp
    import tensorflow as tf

    whole = np.arange(-6, 6).reshape(4, 3)
    expected = decoder_jacobians(of_jax(), whole)
    same = functools.partial(np.testing.assert_allclose, desired=expected, rtol=1e-4, atol=1e-5)
    same(decoder_jacobians(of_jax(), jnp.asarray(whole)))
    same(decoder_jacobians(lambda z: tf.tanh(z @ WEIGHTS + BIAS), tf.constant(whole)))
    torch = pytest.importorskip("torch", reason="torch is not installed")
    weights, bias = torch.tensor(WEIGHTS), torch.tensor(BIAS)
    same(decoder_jacobians(lambda z: torch.tanh(z @ weights + bias), torch.tensor(whole)))


def test_a_function_that_tensorflow_cannot_differentiate_twice_is_refused():
    import tensorflow as tf

    for function in (tf.round, tf.nn.softsign):
        with pytest.raises(InputError, match="has no derivative"):
            decoder_jacobians(function, tf.constant(MEANS))


def test_a_framework_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jax", None)
    for name in ("jax.numpy", "vae_ortho_plugin.decoder.frameworks.jax_arrays"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)
    with pytest.raises(InputError, match="jax is not installed"):
        decoder_measures(lambda latents: latents, MEANS)

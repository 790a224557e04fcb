# SPDX-License-Identifier: Apache-2.0
"""A trained model's means and Jacobians, and a model that stays open between two uses."""

import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.methods.shared import architectures

# isort: split
import tensorflow.compat.v1 as tf
from metrics_support import (  # noqa: F401
    IMAGE_OF_RAW,
    export_linear_model,
    finite_differences,
    model_dir,
    numpy_decoder,
    random_weights,
    run,
)

from vae_ortho_plugin.decoder.forward_mode import forward_jacobian
from vae_ortho_plugin.decoder.metrics.of_jacobians import dto, ima_contrast, precision_gap
from vae_ortho_plugin.decoder.metrics.pca_alignment import pca_alignment
from vae_ortho_plugin.decoder.model_cache import CACHE, has_a_state
from vae_ortho_plugin.decoder.trained_model import TrainedModel, open_model
from vae_ortho_plugin.engine import graphs, memory
from vae_ortho_plugin.measures.dto import distance_to_orthogonality

TF114 = Path(__file__).parents[1] / "fixtures" / "tf114_model"
POINTS = np.random.default_rng(1).normal(size=(10, 3))


@pytest.mark.parametrize("to_train", [False, True])
@pytest.mark.parametrize("decoder", ["fc_decoder", "deconv_decoder"])
def test_forward_jacobian_of_dlib_networks_agrees_with_finite_differences(decoder, to_train):
    points = np.random.default_rng(0).normal(size=(2, 3))
    with graphs.building(), tf.Session() as session:
        tf.set_random_seed(0)
        latents = tf.placeholder(tf.float64, [None, 3])
        outputs = getattr(architectures, decoder)(latents, [64, 64, 1])
        jacobian = forward_jacobian(outputs, latents, to_train)
        session.run(tf.global_variables_initializer())
        found = session.run(jacobian, {latents: points}).swapaxes(1, 2)
        expected = finite_differences(lambda z: session.run(outputs, {latents: z}), points)
    assert found.shape == (2, 64 * 64, 3)
    close = np.isclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert close.mean() > 0.99  # the rest: where a ReLU's kink lies within the step


@pytest.mark.parametrize("product_is_first", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_forward_jacobian_of_a_wide_product_is_right_in_each_of_its_forms(
    transposed, product_is_first
):
    random, width = np.random.default_rng(0), 1700  # three blocks and a rest
    inner, weights = random.normal(size=(3, 5)), random.normal(size=(5, width))
    points = random.normal(size=(4, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        latents = tf.placeholder(tf.float64, [None, 3])
        hidden = tf.tanh(latents @ tf.constant(inner))
        kernel = tf.constant(weights.T if transposed else weights)
        raw = tf.matmul(hidden, kernel, transpose_b=transposed)
        if not product_is_first:
            flipped = tf.matmul(kernel, hidden, transpose_a=not transposed, transpose_b=True)
            raw = tf.transpose(flipped)
        found = session.run(forward_jacobian(tf.sin(raw), latents), {latents: points})
    hidden = np.tanh(points @ inner)
    slopes = (1 - hidden[:, np.newaxis] ** 2) * inner  # [points, latents, hidden]
    expected = (slopes @ weights) * np.cos(hidden @ weights)[:, np.newaxis]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_forward_jacobian_costs_a_pass_forward_for_the_output_and_for_each_latent():
    trace, latents, layers = tf.RunMetadata(), 3, 4
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = tf.placeholder(tf.float32, [None, latents])
        outputs = tf.sigmoid(architectures.fc_decoder(inputs, [8, 8, 1]))
        jacobian = forward_jacobian(outputs, inputs)
        session.run(tf.global_variables_initializer())
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        session.run(jacobian, {inputs: np.zeros((2, latents))}, options, trace)
    devices = trace.step_stats.dev_stats
    labels = [node.timeline_label for device in devices for node in device.node_stats]
    operations = [label.partition(" = ")[2].partition("(")[0] for label in labels]
    assert sum("MatMul" in operation for operation in operations) == (1 + latents) * layers


@pytest.mark.parametrize("activation", IMAGE_OF_RAW)
def test_model_jacobians_agree_with_finite_differences(model_dir, activation):
    weights = random_weights()

    def image(latents):
        return IMAGE_OF_RAW[activation](numpy_decoder(latents, weights))

    with TrainedModel(str(model_dir / "tfhub"), activation) as model:
        batches = list(model.jacobians(POINTS, batch_size=4))
        decoded = model.decode(POINTS)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    expected = finite_differences(image, POINTS)
    np.testing.assert_allclose(np.concatenate(batches), expected, atol=1e-5)
    np.testing.assert_allclose(decoded.reshape(10, -1), image(POINTS), atol=1e-5)


def test_jacobian_factors_have_the_dto_of_the_jacobians(model_dir):
    with open_model(str(model_dir)) as model:
        factors = model.jacobian_factors(POINTS, batch_size=3)
        jacobians = np.concatenate(list(model.jacobians(POINTS, batch_size=3)))
        in_one_batch = model.jacobian_factors(POINTS)
    # In batches of another size, the float32 Jacobians may differ in their last bits (4e-7 in DtO).
    for same, atol in ((jacobians, 1e-9), (in_one_batch, 1e-5)):
        found, expected = (
            distance_to_orthogonality(array, active=[0, 2]).per_point for array in (factors, same)
        )
        np.testing.assert_allclose(found, expected, atol=atol)


def test_the_memory_of_large_batches_of_jacobians_is_reused_for_the_next_one(monkeypatch):
    reused = mock.Mock(side_effect=memory.reused)
    monkeypatch.setattr(memory, "reused", reused)
    with open_model(str(TF114 / "model")) as model:
        model.jacobian_factors(np.zeros((7, 3)), batch_size=5)
        (batch,) = model.jacobians(np.zeros((5, 3)))
    reused.assert_called_once_with(batch.nbytes, at_least=4 * 2**20)


def test_a_model_that_is_opened_again_is_the_same_one_and_gives_the_same(model_dir):
    with open_model(str(model_dir)) as alone:
        expected = alone.jacobian_factors(POINTS)
    with CACHE.switched_on():
        with open_model(str(model_dir)) as first:
            first.decode(POINTS)
        with open_model(str(model_dir)) as second:
            np.testing.assert_array_equal(second.jacobian_factors(POINTS), expected)
        with open_model(str(model_dir), "raw") as raw:
            pass
    assert second is first
    assert raw is not first


def test_metrics_of_one_model_encode_a_split_and_take_its_jacobians_once_with_the_same_results(
    tmp_path,
):
    model = export_linear_model(tmp_path / "model", np.eye(2, 3), np.ones((3, 2)), np.eye(2) / 2)
    metrics = dto, ima_contrast, precision_gap, pca_alignment
    settings = ({}, {"split": "train"}, {"num_points": 9})
    alone = [run(metric, model, **one) for one in settings for metric in metrics]
    session_calls = mock.Mock(side_effect=TrainedModel._batches)
    with (
        CACHE.switched_on(),
        mock.patch.object(TrainedModel, "_batches", lambda *arguments: session_calls(*arguments)),
    ):
        together = [run(metrics[0], model)]
        session_calls.reset_mock()
        together += [run(metric, model) for metric in metrics[1:3]]
        assert not session_calls.called
        together += [run(metric, model) for metric in metrics[3:]]
        together += [run(metric, model, **one) for one in settings[1:] for metric in metrics]
    assert together == alone


def test_a_model_is_closed_without_the_cache_after_an_error_and_at_the_end(model_dir):
    with open_model(str(model_dir)) as model:
        pass
    with CACHE.switched_on():
        with pytest.raises(KeyError), open_model(str(model_dir)) as failed:
            raise KeyError
        with open_model(str(model_dir)) as held:
            held.decode(POINTS)
    for closed in (model, failed, held):
        with pytest.raises(RuntimeError, match="closed"):
            closed.decode(POINTS)


def test_a_model_whose_files_changed_is_read_again(model_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(model_dir, copy)
    with CACHE.switched_on():
        with open_model(str(copy)) as first:
            pass
        shutil.rmtree(copy)
        shutil.copytree(model_dir, copy)
        with open_model(str(copy)) as second:
            pass
    assert second is not first


def test_random_numbers_are_a_state_unless_they_are_fed():
    with tf.Graph().as_default():
        variable = tf.get_variable("w", [3], use_resource=True)
        noise = tf.random.normal([3])
        outputs = variable.read_value() + tf.nn.relu(noise)
        assert has_a_state([outputs], [])
        assert not has_a_state([outputs], [noise])

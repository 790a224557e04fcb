# SPDX-License-Identifier: Apache-2.0
"""A model that stays open between two uses."""

import shutil
from unittest import mock

import numpy as np

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
import disentanglement_lib  # noqa: F401
import pytest
import tensorflow.compat.v1 as tf
from metrics_support import export_linear_model, model_dir, run  # noqa: F401

from vae_ortho_plugin.decoder.metrics.of_jacobians import dto, ima_contrast, precision_gap
from vae_ortho_plugin.decoder.metrics.pca_alignment import pca_alignment
from vae_ortho_plugin.decoder.model_cache import CACHE, has_a_state
from vae_ortho_plugin.decoder.trained_model import TrainedModel, open_model

POINTS = np.random.default_rng(0).normal(size=(5, 3))


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

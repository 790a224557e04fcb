# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and the others after dlib.
# isort: split
from disentanglement_lib.methods.unsupervised import train  # noqa: F401

# isort: split
import tensorflow.compat.v1 as tf
from models_support import VARIANCE, VECTORS, fresh_gin, trained  # noqa: F401

from vae_ortho_plugin import models

RNG = np.random.default_rng(0)
START, TARGET = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
TURN, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
PER_TENSOR = {
    "adam": lambda: models.PerTensorAdam(0.05),
    "adagrad": lambda: models.PerTensorAdagrad(0.5),
}

ELEMENTWISE = {
    "adam": lambda: tf.train.AdamOptimizer(0.05),
    "adagrad": lambda: tf.train.AdagradOptimizer(0.5),
}


def after_steps(optimizer, start, target, steps=20):
    """The weights after so many steps on ½‖w − target‖² + Σ over rows of ‖w_row − target_row‖⁴."""
    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.get_variable("w", initializer=start)
        error = tf.reduce_sum(tf.square(weights - target), 1)
        step = optimizer().minimize(tf.reduce_sum(error / 2 + tf.square(error)))
        session.run(tf.global_variables_initializer())
        for _ in range(steps):
            session.run(step)
        return session.run(weights)


@pytest.mark.parametrize("name", PER_TENSOR)
def test_per_tensor_optimizers_commute_with_rotations(name):
    turned = after_steps(PER_TENSOR[name], START @ TURN, TARGET @ TURN)
    plain = after_steps(PER_TENSOR[name], START, TARGET)
    np.testing.assert_allclose(turned, plain @ TURN, atol=1e-10)
    assert np.abs(plain - START).max() > 0.1


@pytest.mark.parametrize("elementwise", ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_elementwise_optimizers_do_not(elementwise):
    turned = after_steps(elementwise, START @ TURN, TARGET @ TURN)
    assert np.abs(turned - after_steps(elementwise, START, TARGET) @ TURN).max() > 0.01


@pytest.mark.parametrize("name", PER_TENSOR)
def test_per_tensor_optimizers_of_one_number_are_the_elementwise_ones(name):
    start, target = START[:1, :1], TARGET[:1, :1]
    ours = after_steps(PER_TENSOR[name], start, target)
    theirs = after_steps(ELEMENTWISE[name], start, target)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_l2_adam_minimizes_the_penalized_loss():
    def optimizer():
        return models.L2Adam(0.1, l2=1.0)

    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.get_variable("w", initializer=START)
        step = optimizer().minimize(tf.reduce_sum(tf.square(weights - TARGET)) / 2)
        session.run(tf.global_variables_initializer())
        for _ in range(500):
            session.run(step)
        np.testing.assert_allclose(session.run(weights), TARGET / 2, atol=1e-3)


@pytest.mark.parametrize(
    "bindings",
    [
        ["@PerTensorAdam", "PerTensorAdam.learning_rate = 0.01"],
        pytest.param(
            ["@PerTensorAdagrad", "PerTensorAdagrad.learning_rate = 0.1"], marks=pytest.mark.long
        ),
        pytest.param(
            ["@L2Adam", "L2Adam.learning_rate = 0.01", "L2Adam.l2 = 1e-3"], marks=pytest.mark.long
        ),
    ],
)
def test_the_optimizers_train_in_dlib(tmp_path, bindings):
    optimizer, *settings = bindings
    model = ["model.model = @full_covariance_vae()", "full_covariance_vae.beta = 1e-3"]
    more = [f"vae_optimizer.optimizer_fn = {optimizer}", "training_loop.xla = 'on'", *settings]
    outcome = trained(tmp_path / "m", VECTORS, *model, *more, "model.training_steps = 400")
    assert outcome["loss"] < VARIANCE / 2

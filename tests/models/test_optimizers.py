# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from models_support import VARIANCE, VECTORS, tf, trained

from vae_ortho_plugin import models

RNG = np.random.default_rng(0)
START, TARGET = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
TURN, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
# The optimizer with one history for a tensor, and TensorFlow's with one for each weight.
PAIRS = {
    "adam": (lambda: models.PerTensorAdam(0.05), lambda: tf.train.AdamOptimizer(0.05)),
    "adagrad": (lambda: models.PerTensorAdagrad(0.5), lambda: tf.train.AdagradOptimizer(0.5)),
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


@pytest.mark.parametrize(("per_tensor", "elementwise"), PAIRS.values(), ids=PAIRS)
def test_per_tensor_optimizers_commute_with_rotations_and_elementwise_ones_do_not(
    per_tensor, elementwise
):
    plain = after_steps(per_tensor, START, TARGET)
    assert np.abs(plain - START).max() > 0.1
    turned = after_steps(per_tensor, START @ TURN, TARGET @ TURN)
    np.testing.assert_allclose(turned, plain @ TURN, atol=1e-10)
    turned = after_steps(elementwise, START @ TURN, TARGET @ TURN)
    assert np.abs(turned - after_steps(elementwise, START, TARGET) @ TURN).max() > 0.01


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_per_tensor_optimizers_of_one_number_are_the_elementwise_ones(pair):
    ours, theirs = (after_steps(one, START[:1, :1], TARGET[:1, :1]) for one in pair)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_l2_adam_minimizes_the_penalized_loss():
    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.get_variable("w", initializer=START)
        loss = tf.reduce_sum(tf.square(weights - TARGET)) / 2
        step = models.L2Adam(0.1, l2=1.0).minimize(loss)
        session.run(tf.global_variables_initializer())
        for _ in range(500):
            session.run(step)
        np.testing.assert_allclose(session.run(weights), TARGET / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("PerTensorAdam", 0.01),
        pytest.param("PerTensorAdagrad", 0.1, marks=pytest.mark.long),
        pytest.param("L2Adam", 0.01, marks=pytest.mark.long),
    ],
)
def test_the_optimizers_train_in_dlib(tmp_path, name, rate):
    model = ["model.model = @full_covariance_vae()", "full_covariance_vae.beta = 1e-3"]
    optimizer = [f"vae_optimizer.optimizer_fn = @{name}", f"{name}.learning_rate = {rate}"]
    optimizer += ["L2Adam.l2 = 1e-3"]
    more = ["training_loop.xla = 'on'", "model.training_steps = 400"]
    outcome = trained(tmp_path / "m", VECTORS, *model, *optimizer, *more)
    assert outcome["loss"] < VARIANCE / 2

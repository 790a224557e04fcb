# SPDX-License-Identifier: Apache-2.0
"""Optimizers that do not prefer a network's coordinates, and Adam with an L2 penalty.

Adam and AdaGrad scale each weight by its own history of gradients. They act on coordinates, also where the
loss has none: a rotation of the latent space that leaves the loss as it is changes their steps. The
optimizers `PerTensor...` have one history for a whole tensor, the mean of its squared gradients, so that
they commute with rotations of the rows or columns of a kernel. For vae_optimizer.optimizer_fn.
"""

import gin
import tensorflow.compat.v1 as tf


@gin.configurable("PerTensorAdam")
class PerTensorAdam(tf.train.AdamOptimizer):
    """Adam (Kingma and Ba, ICLR 2015) with one second moment v for each tensor.

        m ← β1 m + (1 − β1) g,   v ← β2 v + (1 − β2) mean(g²),
        w ← w − α sqrt(1 − β2ᵗ) / (1 − β1ᵗ) · m / (sqrt(v) + ε)

    Args:
        learning_rate, beta1, beta2, epsilon: α, β1, β2 and ε.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ):
        super().__init__(learning_rate, beta1, beta2, epsilon, name="PerTensorAdam")

    def _zeros_slot(self, var, slot_name, op_name):
        if slot_name != "v":
            return super()._zeros_slot(var, slot_name, op_name)
        return _scalar_slot(self, var, slot_name, op_name, 0.0)

    def _resource_apply_dense(self, grad, var):
        first, second = self.get_slot(var, "m"), self.get_slot(var, "v")
        settings = [self._lr_t, self._beta1_t, self._beta2_t, self._epsilon_t]
        numbers = [tf.cast(n, grad.dtype) for n in (*settings, *self._get_beta_accumulators())]
        rate, beta1, beta2, epsilon, power1, power2 = numbers
        rate *= tf.sqrt(1 - power2) / (1 - power1)
        moment = first.assign(beta1 * first + (1 - beta1) * grad)
        scale = second.assign(beta2 * second + (1 - beta2) * tf.reduce_mean(tf.square(grad)))
        return var.assign_sub(rate * moment / (tf.sqrt(scale) + epsilon)).op


@gin.configurable("PerTensorAdagrad")
class PerTensorAdagrad(tf.train.GradientDescentOptimizer):
    """AdaGrad (Duchi et al., JMLR 2011) with one accumulator a for each tensor.

        a ← a + mean(g²),   w ← w − α g / sqrt(a)

    Args:
        learning_rate: α.
        initial_accumulator_value: the a before the first step, positive.
    """

    def __init__(self, learning_rate: float = 0.001, initial_accumulator_value: float = 0.1):
        super().__init__(learning_rate, name="PerTensorAdagrad")
        self._initial = initial_accumulator_value

    def _create_slots(self, var_list):
        for var in var_list:
            _scalar_slot(self, var, "accumulator", self._name, self._initial)

    def _resource_apply_dense(self, grad, var):
        slot = self.get_slot(var, "accumulator")
        sum_of_squares = slot.assign_add(tf.reduce_mean(tf.square(grad)))
        rate = tf.cast(self._learning_rate_tensor, grad.dtype)
        return var.assign_sub(rate * grad * tf.rsqrt(sum_of_squares)).op


@gin.configurable("L2Adam")
class L2Adam(tf.train.AdamOptimizer):
    """Adam on the loss plus l2/2 · Σ w² over all weights and biases.

    Args:
        learning_rate: Adam's.
        l2: weight of the penalty, at least 0.
    """

    def __init__(self, learning_rate: float = 0.001, l2: float = gin.REQUIRED):
        super().__init__(learning_rate, name="L2Adam")
        self._l2 = l2

    def _resource_apply_dense(self, grad, var):
        return super()._resource_apply_dense(grad + self._l2 * var, var)


def _scalar_slot(
    optimizer: tf.train.Optimizer, var: tf.Variable, name: str, op_name: str, initial: float
) -> tf.Variable:
    """One number of an optimizer for a variable."""
    initializer, scalar = tf.constant_initializer(initial), tf.TensorShape([])
    return optimizer._get_or_make_slot_with_initializer(
        var, initializer, scalar, var.dtype.base_dtype, name, op_name
    )

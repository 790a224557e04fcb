# SPDX-License-Identifier: Apache-2.0
"""`loss_decomposition` as a metric of disentanglement_lib."""

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.evaluated import Evaluation, summary


@evaluated.metric("loss_decomposition", "model_dir", "split", "num_points")
def loss_decomposition(of: Evaluation, num_samples: int = 10) -> dict:
    """Deterministic and stochastic reconstruction loss (Prop. 4), the latter sampled and linearized.

    The loss is the squared error of the image after the decoder's activation, summed over the image. It
    does not depend on the loss in training, because the paper analyses the squared error. Samples are from
    the model's own posterior, with its full covariance where it has one.

    Args:
        num_samples: draws from the posterior at each point.

    Returns:
        Means over the points, each with _std and _stderr over the points: total_loss (Eq. 11),
        deterministic_loss (Eq. 13), stochastic_loss (Eq. 14, sampled), linearized_loss (Eq. 17, exact);
        linearization_error = stochastic - linearized; decomposition_error = total - deterministic
        - stochastic, 0 up to sampling noise where Prop. 4 holds. Further num_points and the settings.

    Raises:
        InputError: there is no decoder, the posterior is a point, or a setting is not valid.
    """
    batches = []
    with of.open_model() as model:
        for images, _ in of.points():
            shape = len(images), model.num_latents
            noises = (of.random_state.normal(size=shape) for _ in range(num_samples))
            samples = (model.reconstruct(images, noise) for noise in noises)
            mean = evaluated.finite(model.reconstruct(images, np.zeros(shape)))
            jacobians = model.noise_jacobians(images)
            batches.append(measures.loss_decomposition(images, mean, samples, jacobians))
    total, deterministic, stochastic, linearized = (
        np.concatenate([getattr(batch, name).per_point for batch in batches])
        for name in ("total", "deterministic", "stochastic", "linearized")
    )
    return {
        **summary("total_loss", total),
        **summary("deterministic_loss", deterministic),
        **summary("stochastic_loss", stochastic),
        **summary("linearized_loss", linearized),
        **summary("linearization_error", stochastic - linearized),
        **summary("decomposition_error", total - deterministic - stochastic),
        "num_points": len(total),
        "num_samples": num_samples,
        "loss": "squared_error",
        "split": of.split_name,
    }

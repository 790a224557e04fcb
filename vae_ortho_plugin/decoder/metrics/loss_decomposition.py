# SPDX-License-Identifier: Apache-2.0
"""`loss_decomposition` as a metric of disentanglement_lib."""

from typing import TYPE_CHECKING

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.errors import InputError

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel


@gin.configurable("loss_decomposition", denylist=evaluated.GIVEN_BY_DLIB)
def loss_decomposition(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_samples: int = 10,
) -> dict:
    """Deterministic and stochastic reconstruction loss (Prop. 4), the latter sampled and linearized.

    The loss is the squared error of the image after the decoder's activation, summed over the image. It
    does not depend on the loss in training, because the paper analyses the squared error. Samples are from
    the model's own posterior, with its full covariance where it has one.

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        num_samples: draws from the posterior at each point.

    Returns:
        Means over the points, each with _std and _stderr over the points: total_loss (Eq. 11),
        deterministic_loss (Eq. 13), stochastic_loss (Eq. 14, sampled), linearized_loss (Eq. 17, exact);
        linearization_error = stochastic - linearized; decomposition_error = total - deterministic
        - stochastic, 0 up to sampling noise where Prop. 4 holds. Further num_points and the settings.

    Raises:
        InputError: there is no decoder, the posterior is a point, or a setting is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, num_samples=num_samples)
    model_dir = evaluated.model_dir_of("loss_decomposition", model_dir)
    with evaluated.open_model(model_dir) as model:
        batches = [
            _decomposition(model, images, random_state, num_samples)
            for images, _ in evaluated.points(ground_truth_data, split, num_points, random_state)
        ]
    total, deterministic, stochastic, linearized = (
        np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("total", "deterministic", "stochastic", "linearized")
    )
    if not np.isfinite(total + linearized).all():
        raise InputError("Some losses are not finite: did the training diverge?")
    return {
        **evaluated.summary("total_loss", total),
        **evaluated.summary("deterministic_loss", deterministic),
        **evaluated.summary("stochastic_loss", stochastic),
        **evaluated.summary("linearized_loss", linearized),
        **evaluated.summary("linearization_error", stochastic - linearized),
        **evaluated.summary("decomposition_error", total - deterministic - stochastic),
        "num_points": len(total),
        "num_samples": num_samples,
        "loss": "squared_error",
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _decomposition(
    model: "TrainedModel",
    images: np.ndarray,
    random_state: np.random.RandomState,
    num_samples: int,
) -> measures.LossDecomposition:
    shape = len(images), model.num_latents
    samples = (
        model.reconstruct(images, random_state.normal(size=shape)) for _ in range(num_samples)
    )
    mean = model.reconstruct(images, np.zeros(shape))
    return measures.loss_decomposition(images, mean, samples, model.noise_jacobians(images))

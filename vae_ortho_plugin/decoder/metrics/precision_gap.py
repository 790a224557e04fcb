# SPDX-License-Identifier: Apache-2.0
"""`precision_gap` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.jacobians import small_jacobians

# In float32, smaller noise does not change a mean of order 1.
_SIGMA_OF_A_POINT = 1e-8


@gin.configurable("precision_gap", denylist=evaluated.GIVEN_BY_DLIB)
def precision_gap(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = evaluated.BATCH_SIZE,
    output: str = "image",
) -> dict:
    """log of the linearized stochastic loss over its minimum at the same precision (Eqs. 17 to 28).

    The posterior is N(μ, diag σ²) with the exported variances. For a full covariance these are its
    diagonal, so that the gap is that of independent noise with the same variances.

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        batch_size: number of Jacobians in memory at a time.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.

    Returns:
        Means over the points, in nats, each with _std and _stderr: precision_gap and its two parts
        precision_gap_sigma and precision_gap_columns; the same among active_latents under
        precision_gap_active, ...; num_points and the settings. A mean is None where the gap is infinite
        (columns that are zero or linearly dependent) or no latent is active.

    Raises:
        InputError: there is no decoder, the posterior is a point, or a setting, mean or Jacobian is not
            valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("precision_gap", model_dir)
    with evaluated.open_model(model_dir, output) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        posteriors = [model.posterior(images) for images, _ in points]
        means, logvars = (
            evaluated.finite(np.concatenate(part)) for part in zip(*posteriors, strict=True)
        )
        sigma = np.exp(logvars.astype(np.float64) / 2)
        _check_noise(sigma, model_dir)
        jacobians = enumerate(model.jacobians(means, batch_size))
        factors = np.concatenate([small_jacobians(batch, i * batch_size) for i, batch in jacobians])
    return {
        **of_triangular_factors(factors, sigma, measures.active_latents(means)),
        "output": output,
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _check_noise(sigma: np.ndarray, model_dir: str) -> None:
    if sigma.max() < _SIGMA_OF_A_POINT:
        raise InputError(
            f"The posterior of the model in {model_dir} is a point (no sigma above {sigma.max():.0e}), as "
            "an autoencoder's is: it has no noise to compare with an optimum. Evaluate a model with a "
            "Gaussian posterior."
        )


def of_triangular_factors(factors: np.ndarray, sigma: np.ndarray, active: np.ndarray) -> dict:
    """The metric's result, without its settings, of given Jacobians.

    Args:
        factors: matrices with the lengths and angles of the Jacobians' columns, [points, rows, latents].
        sigma: standard deviations of the posterior, [points, latents].
        active: indices of the active latents.
    """
    return {
        **_gap_summary(factors, sigma, ""),
        **evaluated.counts(factors, active),
        **_gap_summary(factors[:, :, active], sigma[:, active], "_active"),
    }


def _gap_summary(factors: np.ndarray, sigma: np.ndarray, suffix: str) -> dict[str, float | None]:
    gap = measures.precision_gap(factors, sigma) if sigma.size else None
    return {
        **evaluated.summary(f"precision_gap{suffix}", gap and gap.total),
        **evaluated.summary(f"precision_gap_sigma{suffix}", gap and gap.sigma),
        **evaluated.summary(f"precision_gap_columns{suffix}", gap and gap.columns),
    }

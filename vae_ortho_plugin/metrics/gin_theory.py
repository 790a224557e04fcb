# SPDX-License-Identifier: Apache-2.0
"""`loss_decomposition`, `precision_gap` and `pca_alignment` as metrics of disentanglement_lib.

The first two show the paper's mechanism at work in a trained model, the third its result.
"""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures import loss_decomposition as loss_core
from vae_ortho_plugin.measures import pca_alignment as pca_core
from vae_ortho_plugin.measures import precision_gap as gap_core
from vae_ortho_plugin.measures.dto import triangular_factors
from vae_ortho_plugin.metrics import evaluated
from vae_ortho_plugin.trained_model import BATCH_SIZE, open_model

# Below it, adding noise to a mean of order 1 changes nothing in float32.
_SIGMA_OF_A_POINT = 1e-8


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
    """Deterministic and stochastic reconstruction loss (Prop. 4), the latter by sampling and linearized.

    The loss is the squared error of the image, after the decoder's activation and summed over the
    image, whatever loss the model was trained with: the paper's analysis is of that one. Samples are
    those of the model's own posterior, with the full covariance where it has one.

    Args:
        model_dir: directory of the trained model; found from the evaluated directory if left out.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points; if left out, all of the split, of other data 10,000.
        num_samples: draws from the posterior at each point.

    Returns:
        Means over the points, each with _std and _stderr over the points: total_loss (Eq. 11),
        deterministic_loss (Eq. 13), stochastic_loss (Eq. 14, sampled), linearized_loss (Eq. 17, exact);
        linearization_error = stochastic - linearized; decomposition_error = total - deterministic
        - stochastic, 0 up to the samples' noise where Prop. 4 holds. And the settings.

    Raises:
        InputError: no decoder can be found, a posterior that is a point, or a setting is not valid.
    """
    del representation_function
    evaluated.check_positive(num_points=num_points, num_samples=num_samples)
    model_dir = evaluated.model_dir_of("loss_decomposition", artifact_dir, model_dir)
    batches = []
    with open_model(model_dir) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        for images, _ in points:
            shape = len(images), model.num_latents
            batches.append(
                loss_core.loss_decomposition(
                    images,
                    model.reconstruct(images, np.zeros(shape)),
                    (
                        model.reconstruct(images, random_state.normal(size=shape))
                        for _ in range(num_samples)
                    ),
                    model.noise_jacobians(images),
                )
            )
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


@gin.configurable("precision_gap", denylist=evaluated.GIVEN_BY_DLIB)
def precision_gap(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = BATCH_SIZE,
    output: str = "image",
) -> dict:
    """log of the linearized stochastic loss over the least at the same precision (Eqs. 17 to 28).

    The posterior is taken as N(μ, diag σ²) with the exported variances. Those of a full covariance are
    its diagonal: the gap is then that of independent noise of the same sizes.

    Args:
        model_dir: directory of the trained model; found from the evaluated directory if left out.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points; if left out, all of the split, of other data 10,000.
        batch_size: number of points of which Jacobians are held at once.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.

    Returns:
        Means over the points, in nats, each with _std and _stderr: precision_gap and its two parts
        precision_gap_sigma and precision_gap_columns; the same of active_latents alone under
        precision_gap_active, ... And the settings. A mean is None where the gap is infinite (columns
        zero or linearly dependent) or no latent is active.

    Raises:
        InputError: no decoder can be found, a posterior that is a point, or a setting, mean or
            Jacobian is not valid.
    """
    del representation_function
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("precision_gap", artifact_dir, model_dir)
    with open_model(model_dir, output) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        posteriors = [model.posterior(images) for images, _ in points]
        means, logvars = (
            evaluated.finite(np.concatenate(part)) for part in zip(*posteriors, strict=True)
        )
        sigma = np.exp(logvars.astype(np.float64) / 2)
        if sigma.max() < _SIGMA_OF_A_POINT:
            raise InputError(
                f"The posterior of the model in {model_dir} is a point (no sigma above "
                f"{sigma.max():.0e}), as an autoencoder's is: it has no noise to compare with an "
                "optimum. Evaluate a model with a Gaussian posterior."
            )
        factors = np.concatenate(
            [
                _factors(batch, first_point=number * batch_size)
                for number, batch in enumerate(model.jacobians(means, batch_size))
            ]
        )
    active = evaluated.active_latents(means)
    return {
        **_gap_summary(factors, sigma, ""),
        "num_points": len(means),
        "active_latents": active.tolist(),
        "num_active_latents": len(active),
        **_gap_summary(factors[:, :, active], sigma[:, active], "_active"),
        "output": output,
        "split": evaluated.split_name(ground_truth_data, split),
    }


@gin.configurable("pca_alignment", denylist=evaluated.GIVEN_BY_DLIB)
def pca_alignment(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_directions: int | None = None,
) -> dict:
    """Angles in degrees between the data's principal directions and the model's latents (Sec. 2.3).

    PCA is that of the observations of the training split, of data without splits that of 10,000
    sampled ones. The decoder's direction for a latent is that column of its Jacobian, of the image,
    at the mean of the posterior means; for a linear decoder the column of its weights. The encoder's is
    the row of the linear map that best fits the posterior means to the observations' coordinates along
    the principal directions; for a linear encoder its weights in their span. Encoder and decoder are
    each matched to the principal directions for the least sum of angles.

    Args:
        model_dir: directory of the trained model; found from the evaluated directory if left out.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points for the model; if left out, all of the split, of other data
            10,000.
        num_directions: number of principal directions, matched to any latents; if left out, that of
            the active latents, matched to these (or of the directions in which the data vary, if fewer).

    Returns:
        decoder_angle and encoder_angle, 0 to 90, the means of decoder_angles and encoder_angles (lists,
        of the largest variance first; None if no latent is active); decoder_latents and
        encoder_latents, the matched latents; explained_variance, each direction's share of the data's
        variance (directions of equal variance are arbitrary, and so are the angles to them). And the
        settings.

    Raises:
        InputError: no decoder can be found, data that do not vary, more directions than the data or
            the latents have, or a setting, mean or Jacobian is not valid.
    """
    del representation_function
    evaluated.check_positive(num_points=num_points, num_directions=num_directions)
    model_dir = evaluated.model_dir_of("pca_alignment", artifact_dir, model_dir)
    with open_model(model_dir) as model:
        training = evaluated.points(ground_truth_data, "train", None, random_state)
        pca = pca_core.principal_components((images for images, _ in training), model.num_latents)
        encoded = [
            (evaluated.finite(model.encode(images)), pca.scores(images))
            for images, _ in evaluated.points(ground_truth_data, split, num_points, random_state)
        ]
        means, scores = (np.concatenate(part) for part in zip(*encoded, strict=True))
        (jacobian,) = next(model.jacobians(means.mean(axis=0, keepdims=True)))
    if not np.isfinite(jacobian).all():
        raise InputError("The decoder's Jacobian at the mean latent is not finite.")

    active = evaluated.active_latents(means)
    varying = len(pca.directions)
    if num_directions is None:
        num, latents = min(len(active), varying), active
    elif num_directions <= varying:
        num, latents = num_directions, np.arange(model.num_latents)
    else:
        raise InputError(
            f"num_directions = {num_directions}, but the model has {model.num_latents} latents, and "
            f"the data vary along {varying} of as many principal directions."
        )
    directions = pca.directions[:num]
    rows = pca_core.encoder_directions(scores[:, :num], means[:, latents])
    return {
        **_angles("decoder", directions, jacobian.T[latents], latents),
        **_angles("encoder", np.eye(num), rows, latents),
        "explained_variance": (pca.variances[:num] / pca.total_variance).tolist(),
        "num_directions": num,
        "active_latents": active.tolist(),
        "num_active_latents": len(active),
        "num_points": len(means),
        "split": evaluated.split_name(ground_truth_data, split),
    }


def _factors(jacobians: np.ndarray, first_point: int) -> np.ndarray:
    """Small matrices with the columns' lengths and the volume of Jacobians [points, outputs, latents]."""
    _, outputs, latents = jacobians.shape
    return jacobians if outputs < latents else triangular_factors(jacobians, first_point)


def _gap_summary(factors: np.ndarray, sigma: np.ndarray, suffix: str) -> dict[str, float | None]:
    gap = gap_core.precision_gap(factors, sigma) if sigma.size else None
    return {
        **evaluated.summary(f"precision_gap{suffix}", gap and gap.total),
        **evaluated.summary(f"precision_gap_sigma{suffix}", gap and gap.sigma),
        **evaluated.summary(f"precision_gap_columns{suffix}", gap and gap.columns),
    }


def _angles(name: str, principal: np.ndarray, candidates: np.ndarray, latents: np.ndarray) -> dict:
    angles, matched = pca_core.matched_angles(principal, candidates)
    return {
        f"{name}_angle": float(np.mean(angles)) if angles.size else None,
        f"{name}_angles": angles.tolist(),
        f"{name}_latents": latents[matched].tolist(),
    }

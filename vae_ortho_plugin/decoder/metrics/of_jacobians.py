# SPDX-License-Identifier: Apache-2.0
"""The measures of the decoder's Jacobians at the posterior means of data points, as metrics of dlib.

Their results are those of `measures.summaries.of_jacobians`: means over the points, each with _std and
_stderr, also among the active latents as ..._active (None where there are too few), and the settings. The
parameters that are not listed here are those of `evaluated.SHARED`. Each raises InputError where there is no
decoder, or a setting, mean or Jacobian is not valid.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.decoder.metrics.evaluated import SHARED, Evaluation, summary
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.files.gin_files import Reference
from vae_ortho_plugin.measures.shared.jacobians import small_jacobians
from vae_ortho_plugin.measures.summaries import of_jacobians

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel

# In float32, smaller noise does not change a mean of order 1.
_SIGMA_OF_A_POINT = 1e-8


@evaluated.metric("dto", *SHARED)
def dto(of: Evaluation, solver: str = "assignment") -> dict:
    """Distance to orthogonality of the decoder (Eq. 29).

    Args:
        solver: "assignment" or "milp".

    Returns:
        dto. It is arbitrary where singular values coincide; by these two one sees it: singular_value_ratio, the
        least over k of the median of σ_k / σ_{k+1} over the points (None for one latent, or where it is
        infinite), and nearly_equal_share, the share of points with a ratio below 1.05. Where latents are
        passive, the values among active latents come first, and dto_note says why.
    """
    with of.open_model() as model:
        means, _ = of.posterior(model)
        jacobians = model.jacobian_factors(means, of.batch_size)
    return {
        **of_jacobians("dto", jacobians, measures.active_latents(means), solver=solver),
        "output": of.output,
        "solver": solver,
        "split": of.split_name,
    }


@evaluated.metric("ima_contrast", *SHARED)
def ima_contrast(of: Evaluation, beta: float | None = None) -> dict:
    """How far the decoder's columns are from orthogonal: the contrast of independent mechanism analysis.

    Args:
        beta: β of the regularized contrast. The default is the one that the model was trained with.

    Returns:
        ima_contrast (nats; None where columns are zero or dependent at a point) and mean_abs_cosine; in
        the inner product of the training loss, whose curvature weighs the outputs, ima_contrast_of_loss
        (equal to ima_contrast for the squared error) and ima_contrast_regularized (None for a model
        without β); loss_note, why these two are None where the loss's curvature is unknown; beta.
    """
    beta, curvature, note = _training_loss(of, beta)
    with of.open_model() as model:
        means, _ = of.posterior(model)
        jacobians, weighted = _plain_and_weighted(model, means, of.batch_size, curvature)
    contrast = regularized = None
    if note is None:
        contrast = measures.ima_contrast(weighted)
        if beta is not None:
            regularized = measures.regularized_ima_contrast(weighted, beta)
    return {
        **of_jacobians("ima_contrast", jacobians, measures.active_latents(means)),
        **summary("ima_contrast_of_loss", contrast),
        **summary("ima_contrast_regularized", regularized),
        "loss_note": note,
        "beta": beta,
        "output": of.output,
        "split": of.split_name,
    }


@evaluated.metric("precision_gap", *SHARED)
def precision_gap(of: Evaluation) -> dict:
    """log of the linearized stochastic loss over its minimum at the same precision (Eqs. 17 to 28).

    The posterior is N(μ, diag σ²) with the exported variances. For a full covariance these are its
    diagonal, so that the gap is that of independent noise with the same variances.

    Returns:
        In nats, precision_gap and its two parts precision_gap_sigma and precision_gap_columns. A mean is
        None where the gap is infinite (columns that are zero or linearly dependent).
    """
    with of.open_model() as model:
        means, sigma = of.posterior(model)
        if evaluated.finite(sigma).max() < _SIGMA_OF_A_POINT:
            raise InputError(
                f"The posterior of the model in {of.found_model_dir} is a point (no sigma above "
                f"{sigma.max():.0e}), as an autoencoder's is: it has no noise to compare with an optimum. "
                "Evaluate a model with a Gaussian posterior."
            )
        jacobians = model.jacobian_factors(means, of.batch_size)
    return {
        **of_jacobians("precision_gap", jacobians, measures.active_latents(means), sigma),
        "output": of.output,
        "split": of.split_name,
    }


@evaluated.metric("self_consistency", "model_dir", "split", "num_points", "batch_size")
def self_consistency(of: Evaluation, beta: float | None = None) -> dict:
    """How well the encoder inverts the decoder, and fits its noise to it (Reizinger et al. 2022).

    The image's Jacobian is weighed by the curvature of the training loss. For a full covariance the
    variances are those of its diagonal.

    Args:
        beta: β. The default is the one that the model was trained with.

    Returns:
        self_consistency, σ_k² (1 + (2/β) ‖J_k‖²) averaged over the latents (None for a model without β), 1
        at the optimum; inversion_error, ‖μ(Dec(μ)) − μ‖²; loss_note, why the first is None where the
        loss's curvature is unknown; beta.
    """
    beta, curvature, note = _training_loss(of, beta)
    with of.open_model() as model:
        means, sigma = of.posterior(model)
        inverted = evaluated.finite(model.encode(model.decode(means))).astype(np.float64)
        _, jacobians = _plain_and_weighted(model, means, of.batch_size, curvature)
    known = None if note else beta
    sigma, active = evaluated.finite(sigma), measures.active_latents(means)
    return {
        **of_jacobians("self_consistency", jacobians, active, sigma, beta=known),
        **summary("inversion_error", ((inverted - means) ** 2).sum(axis=1)),
        "loss_note": note,
        "beta": beta,
        "split": of.split_name,
    }


_Curvature = Callable[[np.ndarray], np.ndarray]


def _training_loss(
    of: Evaluation, beta: float | None
) -> tuple[float | None, _Curvature | None, str | None]:
    """What a model was trained with: β, the loss's curvature by the image, and why the latter is unknown.

    β is None where the training run names none. The curvature is None for the squared error, or where it is unknown.
    """
    from vae_ortho_plugin.models.loss_curvature import BY_IMAGE  # starts TensorFlow

    has_config = gin_files.gin_file(of.found_model_dir, "train").is_file()
    config = gin_files.step_config(of.found_model_dir, "train") if has_config else {}
    model = config.get("model.model")
    if beta is None and isinstance(model, Reference):
        own = config.get(f"{model.name}.beta")
        beta = float(own) if isinstance(own, (int, float)) and own > 0 else None
    loss = config.get("reconstruction_loss.loss_fn")
    name = loss.name if isinstance(loss, Reference) else loss
    if name not in BY_IMAGE:
        note = (
            f"the curvature of the loss {name} (reconstruction_loss.loss_fn) is unknown; known are "
            f"those of {', '.join(BY_IMAGE)}"
        )
        return beta, None, note
    if of.output != "image" and config.get("reconstruction_loss.activation") != "linear":
        return beta, None, "the loss is one of the image; take output = 'image'"
    return beta, BY_IMAGE[name], None


def _plain_and_weighted(
    model: "TrainedModel", means: np.ndarray, batch_size: int, curvature: _Curvature | None
) -> tuple[np.ndarray, np.ndarray]:
    """`small_jacobians` at the means, and those of outputs that the loss's curvature weighs."""
    if curvature is None:
        plain = model.jacobian_factors(means, batch_size)
        return plain, plain
    small, weighted = [], []
    for start in range(0, len(means), batch_size):
        batch = means[start : start + batch_size]
        (jacobians,) = model.jacobians(batch, batch_size)
        weights = np.sqrt(curvature(model.decode(batch)) / 2).reshape(len(batch), -1, 1)
        small.append(small_jacobians(jacobians, first_point=start))
        weighted.append(small_jacobians(jacobians * weights, first_point=start))
    return np.concatenate(small), np.concatenate(weighted)

# SPDX-License-Identifier: Apache-2.0
"""The squared error as a deterministic and a stochastic part, Prop. 4 of Rolinek et al., CVPR 2019."""

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import Floats, check_shape, float_array
from vae_ortho_plugin.measures.shared.results import OverPoints, Result


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LossDecomposition(Result):
    """Terms of the squared error, summed over the observation, at each point, all at least 0.

    Attributes:
        total: E‖Dec(z) − x‖² (Eq. 11), mean over the samples z.
        deterministic: ‖Dec(μ) − x‖² (Eq. 13).
        stochastic: E‖Dec(μ) − Dec(z)‖² (Eq. 14), mean over the same samples.
        linearized: E‖J ε‖² (Eq. 17), exact; Σ_j σ_j² ‖J_j‖² for a diagonal posterior.
    """

    total: OverPoints
    deterministic: OverPoints
    stochastic: OverPoints
    linearized: OverPoints


def loss_decomposition(
    observations: ArrayLike,
    decoded_means: ArrayLike,
    decoded_samples: Iterable[ArrayLike],
    noise_jacobians: ArrayLike,
) -> LossDecomposition:
    """The parts of the reconstruction loss (Eqs. 11 to 17), for decoders and posteriors of any kind.

    One point x = 0 whose mean is decoded to 1, and two samples at the same distance of 2 from that:

    >>> terms = loss_decomposition([[0.0]], [[1.0]], [[[3.0]], [[-1.0]]], [[[2.0]]])
    >>> terms.total.mean, terms.deterministic.mean, terms.stochastic.mean, terms.linearized.mean
    (5.0, 1.0, 4.0, 4.0)

    Args:
        observations: x, [points, ...].
        decoded_means: Dec(μ(x)), of the same shape.
        decoded_samples: one or more of Dec(z), z ~ q(z|x), each of the same shape.
        noise_jacobians: [points, outputs, latents]: J L, the decoder's Jacobian at μ(x) times a factor L
            of the posterior's covariance L Lᵀ; σ_j J_j for a diagonal posterior.

    Raises:
        InputError: no points or samples, shapes that do not fit, or a value that is not finite.
    """
    target = float_array("observations", observations, booleans=True)
    if not target.size or not target.ndim:
        raise InputError(
            f"observations must have the shape [points, ...] and not be empty; got {target.shape}."
        )
    mean = _alike("decoded_means", decoded_means, target)
    columns = float_array("noise_jacobians", noise_jacobians)
    sizes = {"points": len(target), "outputs": target[0].size, "latents": None}
    check_shape("noise_jacobians", columns, **sizes)
    totals, deviations = [], []
    for n, values in enumerate(decoded_samples):
        sample = _alike(f"decoded_samples[{n}]", values, target)
        totals.append(_squares(sample, target))
        deviations.append(_squares(sample, mean))
    if not totals:
        raise InputError("The stochastic loss needs at least one sample; got none.")
    return LossDecomposition(
        total=OverPoints(np.mean(totals, axis=0)),
        deterministic=OverPoints(_squares(mean, target)),
        stochastic=OverPoints(np.mean(deviations, axis=0)),
        linearized=OverPoints(np.sum(np.square(columns), axis=(1, 2))),
    )


def _alike(name: str, values: ArrayLike, target: Floats) -> Floats:
    decoded = float_array(name, values, booleans=True)
    if decoded.shape != target.shape:
        raise InputError(
            f"{name} and observations differ in shape: {decoded.shape} and {target.shape}."
        )
    return decoded


def _squares(left: Floats, right: Floats) -> Floats:
    return np.asarray(np.sum((left - right).reshape(len(left), -1) ** 2, axis=1))

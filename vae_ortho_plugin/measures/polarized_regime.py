# SPDX-License-Identifier: Apache-2.0
"""How far a Gaussian posterior's KL term is from the polarized regime, Sec. 5.2 of Rolinek et al., CVPR 2019."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import (
    Floats,
    check_shape,
    float_array,
    latent_table,
    number,
    positive_sigma,
    real_array,
)
from vae_ortho_plugin.measures.shared.results import Result

# A latent is active where sqrt(var(μ_j)) is above this (Sec. 5.2).
ACTIVE_STD = 0.5

# Of Bonheme and Grzes: the largest variance over the points of what does not vary, and how far the mean may
# be from 0 or 1.
_SMALL = 0.1


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PolarizedRegime(Result):
    """The KL term and its value in the polarized regime.

    Attributes:
        kl: L_KL (Eq. 4), mean over the points, in nats.
        polarized_kl: L≈KL (Eq. 10), mean over the points, in nats.
        delta_kl: Δ_KL = |L_KL − L≈KL| / L_KL (Eq. 30).
        active: indices of the active latents.
    """

    kl: float
    polarized_kl: float
    delta_kl: float
    active: list[int]


def active_latents(means: ArrayLike) -> NDArray[np.intp]:
    """Indices, increasing, of the active latents, those with sqrt(var(μ_j)) > 0.5 over the points (Sec. 5.2).

    >>> active_latents([[1.0, 0.1], [-1.0, -0.1]]).tolist()
    [0]

    Args:
        means: posterior means μ_j(x), [points, latents].

    Raises:
        InputError: wrong shape, no points or latents, or a value that is not finite.
    """
    return np.flatnonzero(latent_table("means", means).std(axis=0) > ACTIVE_STD)


def polarized_regime(means: ArrayLike, sigma: ArrayLike) -> PolarizedRegime:
    """Compares L_KL of diagonal Gaussian posteriors with L≈KL, the KL term of the polarized regime.

    L≈KL is ½ Σ_j (μ_j² − log σ_j² − 1) over the active latents alone (Eq. 10). With one latent,
    means ±1 and σ = 1, L≈KL is 0 and L_KL is 1/2:

    >>> polarized_regime([[1.0], [-1.0]], [[1.0], [1.0]])
    PolarizedRegime(kl=0.5, polarized_kl=0.0, delta_kl=1.0, active=[0])

    Args:
        means: μ_j(x), [points, latents].
        sigma: σ_j(x), [points, latents], standard deviations, positive.

    Raises:
        InputError: wrong shapes, no points, a value that is not finite, or a σ that is not positive.
    """
    mu = latent_table("means", means)
    variance = positive_sigma(sigma, *mu.shape) ** 2
    active = active_latents(mu)
    without_variances = mu**2 - np.log(variance) - 1
    kl = float(0.5 * (without_variances + variance).sum(axis=1).mean())
    polarized_kl = float(0.5 * without_variances[:, active].sum(axis=1).mean())
    return PolarizedRegime(kl, polarized_kl, delta_kl_of_terms(kl, polarized_kl), active.tolist())


def delta_kl(means: ArrayLike, sigma: ArrayLike) -> float:
    """Δ_KL (Eq. 30) of diagonal Gaussian posteriors: 0 in the polarized regime, 1 without active latents.

    >>> delta_kl([[0.0], [0.0]], [[0.9], [0.9]])
    1.0

    Args:
        means, sigma: as of `polarized_regime`.

    Raises:
        InputError: as `polarized_regime`.
    """
    return polarized_regime(means, sigma).delta_kl


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LatentTypes(Result):
    """Indices of the latents of each type.

    Attributes:
        active: σ² is close to 0 at all points: Var σ² < 0.1 and mean σ² <= 0.1.
        mixed: neither; σ² is close to 0 at some points and to 1 at others, or in between.
        passive: σ² is close to 1 at all points: Var σ² < 0.1 and |mean σ² − 1| <= 0.1.
        mean_of_squares, variance_of_squares: [latents], of σ² over the points (ddof = 0).
    """

    active: list[int]
    mixed: list[int]
    passive: list[int]
    mean_of_squares: Floats
    variance_of_squares: Floats


def latent_types(sigma: ArrayLike) -> LatentTypes:
    """Sorts latents into active, mixed and passive by the mean and variance of σ² over the points.

    Bonheme and Grzes: Be More Active! Understanding the Differences between Mean and Sampled
    Representations of Variational Autoencoders, JMLR 2023. `active_latents` goes by the means instead (Sec.
    5.2): a latent that is active at some points only is mixed here.

    >>> found = latent_types([[0.1, 1.0, 0.1], [0.1, 1.0, 1.0]])
    >>> found.active, found.mixed, found.passive
    ([0], [2], [1])

    Args:
        sigma: [points, latents], standard deviations of the posterior, at least 0.

    Raises:
        InputError: wrong shape, or a standard deviation that is negative or not finite.
    """
    numbers = latent_table("sigma", sigma)
    if numbers.min() < 0:
        raise InputError(
            f"sigma must be at least 0; the least is {numbers.min()}. Are these log variances?"
        )
    squares = numbers**2
    means, variances = squares.mean(axis=0), squares.var(axis=0)
    active = (variances < _SMALL) & (means <= _SMALL)
    passive = (variances < _SMALL) & (np.abs(means - 1) <= _SMALL)
    return LatentTypes(
        active=np.flatnonzero(active).tolist(),
        mixed=np.flatnonzero(~active & ~passive).tolist(),
        passive=np.flatnonzero(passive).tolist(),
        mean_of_squares=means,
        variance_of_squares=variances,
    )


def delta_kl_of_terms(kl: float, polarized_kl: float) -> float:
    """Δ_KL (Eq. 30) of the two KL terms themselves; 1 where L_KL is 0, NaN where a term is NaN."""
    return abs(kl - polarized_kl) / abs(kl) if kl else 1.0


def share_below(
    steps: ArrayLike, delta_kl: ArrayLike, last_step: int, threshold: float = 0.03
) -> float:
    """Percent of a training run, 0 to 100, for which Δ_KL is below the threshold to the end (Table 1).

    It counts from the first evaluation from which on each is below the threshold: with evaluations at 500,
    1000, ... it is at most (last_step − 500) / last_step. It is 0 where the last evaluation is not below.

    >>> share_below([100, 200, 300, 400], [0.5, 0.01, 0.01, 0.01], last_step=400)
    50.0

    Args:
        steps: at which Δ_KL was evaluated, [evaluations], increasing, 0 to last_step.
        delta_kl: Δ_KL at these steps, [evaluations]; NaN and infinity count as not below.
        last_step: length of the training run in steps, at least 1.
        threshold: upper limit of Δ_KL.

    Raises:
        InputError: no evaluations, or steps that do not increase from 0 to last_step at most, one for each value.
    """
    at = float_array("steps", steps)
    values = real_array("delta_kl", delta_kl).astype(np.float64)
    last, limit = number("last_step", last_step), number("threshold", threshold)
    check_shape("steps", at, evaluations=None)
    check_shape("delta_kl", values, evaluations=len(at))
    if at[0] < 0 or (np.diff(at) <= 0).any() or at[-1] > last or last < 1:
        raise InputError(
            f"Steps must increase, from 0 or more to last_step = {last:g} at most, which is at least 1; "
            f"got {at[0]:g} to {at[-1]:g}."
        )
    # Not "at least the threshold": NaN is not below it either.
    not_below = np.flatnonzero(~(values < limit))
    first = int(not_below[-1]) + 1 if not_below.size else 0
    if first == len(at):
        return 0.0
    return float(100 * (last - at[first]) / last)

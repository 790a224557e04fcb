# SPDX-License-Identifier: Apache-2.0
"""How far the KL term is from that of the polarized regime (Sec. 5.2), of any Gaussian posterior.

Equations and sections are those of Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA
Directions (by Accident), CVPR 2019.
"""

import dataclasses

import numpy as np

from vae_ortho_plugin.errors import InputError

# sqrt(var(mu_j)) above which a latent is active (Sec. 5.2).
ACTIVE_STD = 0.5


@dataclasses.dataclass(frozen=True)
class PolarizedRegime:
    """The KL term at one moment of a training.

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


def polarized_regime(means: np.ndarray, variances: np.ndarray) -> PolarizedRegime:
    """Compares L_KL of diagonal Gaussian posteriors with L≈KL, which knows active latents alone.

    Args:
        means: mu_j(x), [points, latents].
        variances: sigma_j^2(x), [points, latents], positive.

    Raises:
        InputError: wrong shapes, no points, a value that is not finite, a variance that is not positive.
    """
    means, variances = np.asarray(means, np.float64), np.asarray(variances, np.float64)
    if means.ndim != 2 or means.shape != variances.shape or not means.size:
        raise InputError(
            "Means and variances must both have the shape [points, latents] and not be empty; got "
            f"{means.shape} and {variances.shape}."
        )
    if not (np.isfinite(means).all() and np.isfinite(variances).all() and (variances > 0).all()):
        raise InputError(
            "Means must be finite, and variances finite and positive. Are these log variances?"
        )
    active = means.std(axis=0) > ACTIVE_STD
    without_variances = means**2 - np.log(variances) - 1
    kl = float(0.5 * (without_variances + variances).sum(axis=1).mean())
    polarized_kl = float(0.5 * without_variances[:, active].sum(axis=1).mean())
    return PolarizedRegime(
        kl, polarized_kl, delta_kl(kl, polarized_kl), np.flatnonzero(active).tolist()
    )


def delta_kl(kl: float, polarized_kl: float) -> float:
    """Δ_KL (Eq. 30), at least 0; 1 where L_KL is 0, as it is at any L_KL without active latents."""
    return abs(kl - polarized_kl) / abs(kl) if kl else 1.0


def share_below(
    steps: np.ndarray, delta_kl: np.ndarray, last_step: int, threshold: float = 0.03
) -> float:
    """How much of a training passed after Δ_KL had fallen below the threshold for good (Table 1).

    The time counts from the first evaluation from which on each is below the threshold: with evaluations at
    500, 1000, ... that is at most (last_step − 500) / last_step.

    Args:
        steps: at which Δ_KL was evaluated, [evaluations], increasing, 0 to last_step.
        delta_kl: Δ_KL at these steps, [evaluations].
        last_step: length of the training.
        threshold: what Δ_KL must be below.

    Returns:
        Percent, 0 to 100; 0 where the last evaluation is not below the threshold.

    Raises:
        InputError: no evaluations, different numbers of steps and values, or steps that do not
            increase from 0 to last_step at most.
    """
    steps, delta_kl = np.asarray(steps), np.asarray(delta_kl)
    if steps.ndim != 1 or steps.shape != delta_kl.shape or not steps.size:
        raise InputError(
            f"One value of Δ_KL for each of at least one step is needed; got the shapes {steps.shape} "
            f"(steps) and {delta_kl.shape} (values)."
        )
    if steps[0] < 0 or (np.diff(steps) <= 0).any() or steps[-1] > last_step or last_step < 1:
        raise InputError(
            f"Steps must increase, from 0 or more to last_step = {last_step} at most, which is at least 1; "
            f"got {steps[0]} to {steps[-1]}."
        )
    # Not "at least the threshold": NaN is not below it either.
    not_below = np.flatnonzero(~(delta_kl < threshold))
    first = not_below[-1] + 1 if not_below.size else 0
    if first == len(steps):
        return 0.0
    return float(100 * (last_step - steps[first]) / last_step)

# SPDX-License-Identifier: Apache-2.0
"""The measures of the paper as functions of arrays, for models of any framework.

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.

docs/measures.md has a row for each. `optimum` is a module: the optimum of Theorem 2 in closed form.

Arguments have the same names everywhere: `jacobians` [points, outputs, latents], `means` and `sigma` (standard
deviations) of the posterior [points, latents], `factors` [points, factors] with `factor_kinds`, and `active`,
the indices of the latents that a measure is taken among. Results are frozen dataclasses that can be compared
with ==; a measure that has a value at each point is an `OverPoints`, with mean, std, stderr and per_point.
Arguments may be nested lists, NumPy arrays, PyTorch tensors, JAX arrays or TensorFlow's eager
tensors of any real type; computation is in float64. Bad input raises
`vae_ortho_plugin.errors.InputError`. NumPy, SciPy and threadpoolctl are all that is needed, but for
`infomec`, which takes scikit-learn.

The names above can be imported from `vae_ortho_plugin` too. Where a module has the name of its
function, the name here is the function.
"""

from vae_ortho_plugin.measures import optimum
from vae_ortho_plugin.measures.disentanglement_score import (
    DisentanglementScore,
    disentanglement_score,
)
from vae_ortho_plugin.measures.dto import (
    distance_to_orthogonality,
    nearest_signed_permutation,
    right_singular_vectors,
    singular_value_ratios,
)
from vae_ortho_plugin.measures.factor_measures import InfoMec, Mcc, infomec, mcc
from vae_ortho_plugin.measures.ima_contrast import (
    ima_contrast,
    mean_abs_cosine,
    regularized_ima_contrast,
)
from vae_ortho_plugin.measures.loss_decomposition import LossDecomposition, loss_decomposition
from vae_ortho_plugin.measures.pca_alignment import (
    MatchedAngles,
    PrincipalComponents,
    encoder_directions,
    matched_angles,
    principal_components,
)
from vae_ortho_plugin.measures.pca_score import PcaScore, pca_score
from vae_ortho_plugin.measures.polarized_regime import (
    ACTIVE_STD,
    LatentTypes,
    PolarizedRegime,
    active_latents,
    delta_kl,
    latent_types,
    polarized_regime,
    share_below,
)
from vae_ortho_plugin.measures.precision_gap import PrecisionGap, precision_gap
from vae_ortho_plugin.measures.self_consistency import SelfConsistency, self_consistency
from vae_ortho_plugin.measures.shared.jacobians import triangular_factors
from vae_ortho_plugin.measures.shared.results import OverPoints

__all__ = [
    "ACTIVE_STD",
    "DisentanglementScore",
    "InfoMec",
    "LatentTypes",
    "LossDecomposition",
    "MatchedAngles",
    "Mcc",
    "OverPoints",
    "PcaScore",
    "PolarizedRegime",
    "PrecisionGap",
    "PrincipalComponents",
    "SelfConsistency",
    "active_latents",
    "delta_kl",
    "disentanglement_score",
    "distance_to_orthogonality",
    "encoder_directions",
    "ima_contrast",
    "infomec",
    "latent_types",
    "loss_decomposition",
    "matched_angles",
    "mcc",
    "mean_abs_cosine",
    "nearest_signed_permutation",
    "optimum",
    "pca_score",
    "polarized_regime",
    "precision_gap",
    "principal_components",
    "regularized_ima_contrast",
    "right_singular_vectors",
    "self_consistency",
    "share_below",
    "singular_value_ratios",
    "triangular_factors",
]

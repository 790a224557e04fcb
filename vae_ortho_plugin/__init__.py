# SPDX-License-Identifier: Apache-2.0
"""Runs disentanglement_lib on current TensorFlow and adds the models, measures and study of the paper

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.

The measures can be imported from here (`vae_ortho_plugin.measures` describes them), and all of dlib's metrics
on arrays in one call:

    from vae_ortho_plugin import distance_to_orthogonality, disentanglement_score, delta_kl, evaluate

They are loaded at their first use. Importing this package only installs the import hook, which makes
an unmodified disentanglement_lib find what TensorFlow 1 had. It needs the standard library alone,
because every Python process of the environment imports it at its start (see `vae_ortho_plugin.pth`).
"""

import importlib

from vae_ortho_plugin.dlib.hook import install as _install

__version__ = "0.3.0"

# True for type checkers only. `typing` would add 5 ms to every start of Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from vae_ortho_plugin.arrays.evaluation import evaluate
    from vae_ortho_plugin.decoder.own_decoder import (
        DecoderMeasures,
        decoder_jacobians,
        decoder_measures,
    )
    from vae_ortho_plugin.errors import InputError
    from vae_ortho_plugin.measures import *

__all__ = [
    "ACTIVE_STD",
    "DecoderMeasures",
    "DisentanglementScore",
    "InfoMec",
    "InputError",
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
    "decoder_jacobians",
    "decoder_measures",
    "delta_kl",
    "disentanglement_score",
    "distance_to_orthogonality",
    "encoder_directions",
    "evaluate",
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

# Of those names that are not of the measures.
_MODULES = {
    "InputError": "errors",
    "DecoderMeasures": "decoder.own_decoder",
    "decoder_jacobians": "decoder.own_decoder",
    "decoder_measures": "decoder.own_decoder",
    "evaluate": "arrays.evaluation",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES.get(name, "measures")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


_install()

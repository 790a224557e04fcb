# SPDX-License-Identifier: Apache-2.0
"""The paper's models, their networks and their loss, as gin configurables beside dlib's own.

Importing this package registers `full_covariance_vae`, `linearized_vae`, `polarized_vae`, `autoencoder`, and the
networks, the loss and the optimizers below under their names.
"""

from vae_ortho_plugin.models.autoencoder import Autoencoder
from vae_ortho_plugin.models.full_covariance import FullCovarianceVAE
from vae_ortho_plugin.models.linearized import LinearizedVAE
from vae_ortho_plugin.models.losses import squared_error
from vae_ortho_plugin.models.networks import (
    convolutional_decoder,
    convolutional_encoder,
    mlp_decoder,
    mlp_encoder,
)
from vae_ortho_plugin.models.optimizers import L2Adam, PerTensorAdagrad, PerTensorAdam
from vae_ortho_plugin.models.polarized import PolarizedVAE

__all__ = [
    "Autoencoder",
    "FullCovarianceVAE",
    "L2Adam",
    "LinearizedVAE",
    "PerTensorAdagrad",
    "PerTensorAdam",
    "PolarizedVAE",
    "convolutional_decoder",
    "convolutional_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "squared_error",
]

# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's models: layers of Keras in their networks, and the export."""

import functools
import types

from vae_ortho_plugin.dlib.gin_wrapper import replace_wrapped

_NETWORKS = {
    "make_gaussian_encoder": "encoder",
    "make_decoder": "decoder",
    "make_discriminator": "discriminator",
}


def _architectures(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib import keras_layers

    for name, scope in _NETWORKS.items():
        registered = getattr(module, name)
        replace_wrapped(registered, _applied(keras_layers, scope, registered.__wrapped__))


def _applied(keras_layers: types.ModuleType, scope: str, make):
    @functools.wraps(make)
    def make_network(*args, **kwargs):
        with keras_layers.application(scope):
            return make(*args, **kwargs)

    return make_network


def _gaussian_encoder_model(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import export

    export.wrap(module)


PATCHES = {
    "architectures": _architectures,
    "gaussian_encoder_model": _gaussian_encoder_model,
}

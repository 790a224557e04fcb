# SPDX-License-Identifier: Apache-2.0
"""Measures that are taken while a model trains. The import of this package registers them."""

from vae_ortho_plugin.decoder.tracking import jacobians, polarized_regime  # noqa: F401

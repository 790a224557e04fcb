# SPDX-License-Identifier: Apache-2.0
"""Runs disentanglement_lib on current TensorFlow and adds the components of the paper

Rolinek, Zietlow, Martius: Variational Autoencoders Pursue PCA Directions (by Accident), CVPR 2019.

Importing this package only installs the import hook by which an unmodified disentanglement_lib finds
what TensorFlow 1 had. It needs the standard library alone, because every Python process of the
environment imports it at its start (see `vae_ortho_plugin.pth`).
"""

from vae_ortho_plugin.dlib.hook import install as _install

__version__ = "0.1.0"

_install()

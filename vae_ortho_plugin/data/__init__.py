# SPDX-License-Identifier: Apache-2.0
"""Data sets as dlib GroundTruthData: the paper's, a user's own, and dlib's on current libraries.

`register` makes a data set of one's own known to dlib by a name. `NAMED` maps the names that the
plugin adds to dlib's to functions without arguments that make the data sets. Its first use registers
the gin configurables of the same names and needs dlib, which reading and downloading files does not.
"""

import importlib
from collections.abc import Callable

from vae_ortho_plugin.errors import InputError

# Names in dlib that no other data set may take.
_DLIB = (
    *("abstract_dsprites", "cars3d", "color_dsprites", "dsprites_full", "dsprites_noshape"),
    *("dummy_data", "mpi3d_real", "mpi3d_realistic", "mpi3d_toy", "noisy_dsprites"),
    *("scream_dsprites", "shapes3d", "smallnorb"),
)
# Modules and classes of the plugin's.
_PLUGIN = {
    "synth_linear": ("synthetic", "SynthLinear"),
    "synth_nonlinear": ("synthetic", "SynthNonlinear"),
    "mnist": ("mnist", "MNIST"),
    "fashion_mnist": ("mnist", "FashionMNIST"),
    "npz": ("npz_data", "NpzData"),
    "image_folder": ("image_folder", "ImageFolder"),
    "correlated": ("correlated", "CorrelatedData"),
}

_registered: dict[str, Callable[[], object]] = {}


def register(name: str, function: Callable[[], object]) -> None:
    """Makes `dataset.name = 'name'` mean the data set that `function` returns.

    A module that a gin file imports is a good place for it: later steps with dataset.name = 'auto'
    import the same module.

    Args:
        name: of the data set, a Python identifier.
        function: returns an object with the methods of dlib's GroundTruthData; it is called in each
            step. Its factors may be class numbers or, with the attributes factor_names and
            factor_kinds, numbers on a scale.

    Raises:
        InputError: the name is no identifier or belongs to another data set, or `function` cannot
            be called.
    """
    if not (isinstance(name, str) and name.isidentifier()):
        raise InputError(f"{name!r} is no name for a data set; take a Python identifier.")
    if name in (*_DLIB, *_PLUGIN, "auto"):
        raise InputError(f"The name {name!r} belongs to another data set; take another one.")
    if not callable(function):
        raise InputError(f"register({name!r}, ...) needs a function that returns the data set.")
    _registered[name] = function


def __getattr__(name: str):
    if name != "NAMED":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return {
        data_set: getattr(importlib.import_module(f"{__name__}.{module}"), made)
        for data_set, (module, made) in _PLUGIN.items()
    } | _registered

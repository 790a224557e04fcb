# SPDX-License-Identifier: Apache-2.0
"""The import hook. Standard library only: it is loaded at the start of every Python process."""

import importlib
import sys

PACKAGE = "disentanglement_lib"

# dlib modules that `patches` works on after their import.
_PATCHED = {
    f"{PACKAGE}.config.reproduce",
    f"{PACKAGE}.data.ground_truth.cars3d",
    f"{PACKAGE}.data.ground_truth.dsprites",
    f"{PACKAGE}.data.ground_truth.mpi3d",
    f"{PACKAGE}.data.ground_truth.named_data",
    f"{PACKAGE}.data.ground_truth.norb",
    f"{PACKAGE}.data.ground_truth.shapes3d",
    f"{PACKAGE}.data.ground_truth.util",
    f"{PACKAGE}.evaluation.abstract_reasoning.reason",
    f"{PACKAGE}.evaluation.evaluate",
    f"{PACKAGE}.methods.unsupervised.train",
    f"{PACKAGE}.postprocessing.postprocess",
    f"{PACKAGE}.utils.results",
    f"{PACKAGE}.visualize.visualize_dataset",
    f"{PACKAGE}.visualize.visualize_model",
    f"{PACKAGE}.visualize.visualize_util",
}


class _Loader:
    """Runs a module's own loader: stand-ins come before it, patches after it."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        # pkg_resources and importlib.resources ask the module for its loader later.
        module.__loader__ = module.__spec__.loader = self._loader
        if module.__name__ == PACKAGE:
            importlib.import_module("vae_ortho_plugin.dlib.stand_ins").install()
            self._loader.exec_module(module)
        else:
            self._loader.exec_module(module)
            importlib.import_module("vae_ortho_plugin.dlib.patches").apply(module)


class _Finder:
    """Finds dlib's modules by the other finders and wraps the loaders of those to change in `_Loader`."""

    def find_spec(self, name, path=None, target=None):
        if name != PACKAGE and name not in _PATCHED:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec = find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        if name == PACKAGE:
            raise ModuleNotFoundError(
                "disentanglement_lib is not installed in this environment. Install it with: "
                "pip install --no-deps disentanglement-lib==1.5 "
                "(--no-deps, because it asks for a TensorFlow Probability of 2019)",
                name=name,
            )
        return None


def install() -> None:
    """Puts the hook in front of Python's import finders, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())

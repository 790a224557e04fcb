# SPDX-License-Identifier: Apache-2.0
"""dlib's metrics without TensorFlow, of which their modules only say `import gin.tf`.

What dlib's unified_scores takes from modules that draw and write with TensorFlow are two functions of plain Python.
"""

import builtins
import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from unittest import mock

from vae_ortho_plugin.dlib import hook, stand_ins

# Modules whose imports start TensorFlow, and the functions that metrics of arrays take from them.
_FUNCTIONS = {
    "gin.tf": (),
    "disentanglement_lib.utils.results": ("namespaced_dict",),
    "disentanglement_lib.visualize.dendrogram": (),
    "disentanglement_lib.visualize.visualize_scores": ("precision",),
}


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Within: dlib's metrics are imported without TensorFlow, unless dlib was imported with it before.

    Afterwards nothing is left of this, so that whatever else is imported finds the modules themselves.
    """
    if hook.is_prepared():
        yield
        return
    stand_ins.prepare_gin()
    absent = [name for name in _FUNCTIONS if name not in sys.modules]
    with mock.patch.object(hook, "prepares", False):
        sys.modules.update({name: _Later(name) for name in absent})
        try:
            yield
        finally:
            for name in absent:
                del sys.modules[name]


class _Later(types.ModuleType):
    """Stands for a module, which is imported when anything but its functions of plain Python is used."""

    def __init__(self, name: str):
        super().__init__(name)
        if _FUNCTIONS[name]:
            package = importlib.import_module(name.rpartition(".")[0])
            code = hook.find(name, package.__path__).loader.get_code(name)
            space = {"__name__": name, "__builtins__": {**vars(builtins), "__import__": _import}}
            exec(code, space)  # noqa: S102  dlib's own code
            self.__dict__.update({function: space[function] for function in _FUNCTIONS[name]})

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module(self.__name__), name)


def _import(name: str, *arguments: object) -> object:
    """Imports what is in the standard library or NumPy."""
    if name.partition(".")[0] in {"numpy", *sys.stdlib_module_names} - {"distutils"}:
        return builtins.__import__(name, *arguments)
    return mock.MagicMock(name=name)

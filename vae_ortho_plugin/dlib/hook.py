# SPDX-License-Identifier: Apache-2.0
"""The import hook. Standard library only: it is loaded at the start of every Python process."""

from __future__ import annotations

import importlib
import sys

# True for type checkers only: these modules would add to every start of Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

PACKAGE = "disentanglement_lib"

# The modules that an installation needs, and the packages that setup.py asks for to have them.
REQUIRED = {
    "absl": "absl-py",
    # 0.4 does not import on Python 3.10 or later.
    "gin": "gin-config>=0.5",
    # TensorFlow asks for it, too; Shapes3D is read with it.
    "h5py": "h5py",
    "imageio": "imageio",
    "markdown": "markdown",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "ortools": "ortools",
    "packaging": "packaging",
    "pandas": "pandas",
    "PIL": "pillow",
    "requests": "requests",
    "rich": "rich",
    # 1.18 moved hierarchy._plot_dendrogram, which disentanglement_lib's dendrogram calls.
    "scipy": "scipy<1.18",
    "seaborn": "seaborn",
    "simplejson": "simplejson",
    "six": "six",
    "sklearn": "scikit-learn",
    # The releases that the tests have run on; TensorFlow Probability 0.25 asks for 2.18.
    "tensorflow": "tensorflow>=2.18,<2.22",
    # 0.16 removed hub.Module, with which disentanglement_lib exports and reads models.
    "tensorflow_hub": "tensorflow-hub==0.15.*",
    # Each release works with few TensorFlow releases and says so only when it is imported.
    "tensorflow_probability": "tensorflow-probability==0.25.*",
    # tf.layers and TensorFlow Probability need Keras 2; its release follows TensorFlow's.
    "tf_keras": "tf_keras>=2.18,<2.22",
    "threadpoolctl": "threadpoolctl",
}
# Those of them that metrics of arrays need, and dlib.
REQUIRED_FOR_ARRAYS = (
    "absl",
    "gin",
    "numpy",
    "scipy",
    "six",
    "sklearn",
    "threadpoolctl",
    PACKAGE,
)
_INSTALL_DLIB = "pip install --no-deps disentanglement-lib==1.5"

# Set on dlib's package once the stand-ins are there.
_PREPARED = "_vae_ortho_plugin_prepared"
# False while dlib's metrics are imported for arrays, without TensorFlow (see `without_tensorflow`).
prepares = True

# dlib's modules that change right after their import, by folder, and the function of this package that does it.
_PATCHES = {
    f"{PACKAGE}.{folder}.{name}": patch
    for folder, names, patch in (
        ("config", "reproduce", "patches.config.patch_reproduce"),
        ("data.ground_truth", "cars3d norb shapes3d", "patches.data.patch_stored"),
        ("data.ground_truth", "dsprites", "patches.data.patch_dsprites"),
        ("data.ground_truth", "mpi3d", "patches.data.patch_mpi3d"),
        ("data.ground_truth", "named_data", "patches.data.patch_named_data"),
        ("data.ground_truth", "util", "patches.data.patch_util"),
        ("evaluation", "evaluate", "steps.after_training.wrap_evaluate"),
        ("evaluation.abstract_reasoning", "reason", "steps.after_training.wrap_reason"),
        (
            "evaluation.metrics",
            (
                "beta_vae dci downstream_task factor_vae fairness irs mig modularity_explicitness "
                "reduced_downstream_task sap_score strong_downstream_task unified_scores"
            ),
            "patches.metrics.patch_metric",
        ),
        ("methods.shared", "architectures", "keras_layers.wrap"),
        ("methods.unsupervised", "gaussian_encoder_model", "steps.export.wrap"),
        ("methods.unsupervised", "train", "steps.train.wrap"),
        ("postprocessing", "postprocess", "steps.after_training.wrap_postprocess"),
        ("utils", "aggregate_results", "patches.utils.patch_aggregate_results"),
        ("utils", "results", "patches.utils.patch_results"),
        ("visualize", "dendrogram visualize_scores", "patches.visualize.patch_drawing"),
        ("visualize", "visualize_dataset", "patches.visualize.patch_visualize_dataset"),
        ("visualize", "visualize_irs", "patches.visualize.patch_visualize_irs"),
        ("visualize", "visualize_model", "steps.visualize.wrap"),
        ("visualize", "visualize_util", "patches.visualize.patch_visualize_util"),
    )
    for name in names.split()
}


class _Loader:
    """Runs a module's own loader: stand-ins come before it, patches after it."""

    def __init__(self, loader: Loader):
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        # pkg_resources and importlib.resources ask the module for its loader later.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        name = module.__name__
        if name == PACKAGE:
            _prepare(module)
        if name.startswith(f"{PACKAGE}.visualize."):
            visualize = importlib.import_module("vae_ortho_plugin.dlib.patches.visualize")
            with visualize.backend_left_as_chosen():
                self._loader.exec_module(module)
        else:
            self._loader.exec_module(module)
        if name in _PATCHES:
            place, _, patch = _PATCHES[name].rpartition(".")
            getattr(importlib.import_module(f"vae_ortho_plugin.dlib.{place}"), patch)(module)


def is_prepared() -> bool:
    """Whether dlib was imported in this process, with TensorFlow and the stand-ins."""
    return bool(getattr(sys.modules.get(PACKAGE), _PREPARED, False))


def _prepare(package: ModuleType) -> None:
    """Installs the stand-ins, once."""
    if is_prepared() or not prepares:
        return
    setattr(package, _PREPARED, True)
    try:
        importlib.import_module("vae_ortho_plugin.dlib.stand_ins").install()
    except BaseException as error:
        setattr(package, _PREPARED, False)
        # Without a message, a package is there in a version that does not fit.
        if isinstance(error, ImportError) and (message := missing_packages()):
            raise ImportError(message, name=error.name) from error
        raise


class _Finder:
    """Finds dlib's modules by the other finders and wraps the loaders of those to change in `_Loader`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = sys.modules.get(PACKAGE)
        if name.startswith(f"{PACKAGE}.") and package is not None:
            _prepare(package)  # it was imported before the hook, and nothing of it since
        if name != PACKAGE and name not in _PATCHES:
            return None
        spec = find(name, path, target)
        if spec is not None and spec.loader is not None:
            # Of the protocol of a loader, the import system uses what _Loader has or passes on.
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        if spec is None and name == PACKAGE:
            raise ModuleNotFoundError(
                missing_packages()
                or f"disentanglement_lib is not installed in this environment. Install it with: "
                f"{_INSTALL_DLIB} "
                "(--no-deps, because it asks for a TensorFlow Probability of 2019)",
                name=name,
            )
        return spec


def find(
    name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
) -> ModuleSpec | None:
    """The spec of a module by all finders but the hook."""
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is None or isinstance(finder, _Finder):
            continue
        spec: ModuleSpec | None = find_spec(name, path, target)
        if spec is not None:
            return spec
    return None


def missing_packages(required: Iterable[str] = REQUIRED) -> str | None:
    """The message for an installation without these modules, such as one of the measures alone; else None."""
    missing = [name for name in required if name not in sys.modules and find(name) is None]
    if not missing:
        return None
    return (
        "This environment holds only a part of vae_ortho_plugin's installation, such as its measures. "
        f"Missing are {', '.join(missing)}. Complete it, in the folder of vae_ortho_plugin's sources, "
        f"with: pip install . && {_INSTALL_DLIB}"
    )


def install() -> None:
    """Puts the hook in front of Python's import finders, once.

    Raises:
        ImportError: modules of disentanglement_lib were imported before.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if before := sorted(_PATCHES.keys() & sys.modules.keys()):
        raise ImportError(
            f"{before[0]} was imported before vae_ortho_plugin, which has to prepare it. In this "
            "installation the line of vae_ortho_plugin.pth does not act, as with pip --target, python -S "
            f"or a zip file. Start Python again, with `import vae_ortho_plugin` before the first import "
            f"of {PACKAGE}."
        )
    sys.meta_path.insert(0, _Finder())

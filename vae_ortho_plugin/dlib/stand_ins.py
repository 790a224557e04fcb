# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what dlib 1.5 imports and current TensorFlow, gin, NumPy or Python no longer have.

They are installed when disentanglement_lib is imported, and only in this process.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.resources
import os
import pathlib
import re
import shutil
import sys
import types
import warnings

from vae_ortho_plugin.dlib import console_scripts, quiet_start
from vae_ortho_plugin.dlib.hook import PACKAGE, REQUIRED
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams

# TensorFlow Probability 0.25 needs it. Newer releases than those of the tests are not refused.
_OLDEST_TENSORFLOW = (2, 18)


def install() -> None:
    """Prepares TensorFlow, gin and NumPy of this process for dlib.

    Raises:
        ImportError: a package is missing, too old or too new; the message has the command to install it.
            Or the environment is one that TensorFlow or Keras cannot start in.
        InputError: the same of the environment, in a script.
    """
    if console_scripts.is_script_of_dlib():
        streams.drop_what_cannot_be_written("stdout", "stderr")
        console_scripts.show_input_errors_alone()
    if console_scripts.is_console_script() and (message := console_scripts.unusable_for_scripts()):
        raise InputError(message)
    if message := console_scripts.unusable():
        raise ImportError(message)
    _check_versions()
    _stand_in_for_removed_modules()
    # In a user's own program, TensorFlow's lines are hidden only where the user has set a level.
    hidden = console_scripts.is_console_script() or quiet_start.VARIABLE in os.environ
    with quiet_start.quiet() if hidden else contextlib.nullcontext():
        _prepare_tensorflow()
        from vae_ortho_plugin.engine import threads

        threads.let_sessions_have_their_own()
    prepare_gin()
    import numpy as np

    if not hasattr(np, "float_"):  # NumPy 2 removed this alias.
        np.float_ = np.float64


def _version(*packages: str) -> tuple[int, ...] | None:
    """Major and minor version of the first of these packages that is installed."""
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            numbers = re.findall(r"\d+", importlib.metadata.version(package))
            return tuple(int(number) for number in numbers[:2])
    return None


def _check_versions() -> None:
    """Raises ImportError with the command to install what does not fit; of what is missing, the hook says it."""
    tensorflow = _version("tensorflow", "tensorflow-cpu", "tf-nightly")
    hub = _version("tensorflow-hub")
    if tensorflow is not None and tensorflow < _OLDEST_TENSORFLOW:
        what = f"TensorFlow {'.'.join(map(str, tensorflow))} is too old"
        modules = ["tensorflow", "tf_keras"]
    elif hub is None or hub >= (0, 16):
        what, modules = "tensorflow_hub 0.15 is not installed", ["tensorflow_hub"]
    else:
        return
    packages = " ".join(f"'{REQUIRED[module]}'" for module in modules)
    raise ImportError(f"{what}. Install what vae_ortho_plugin needs: pip install {packages}")


def _module(name: str, **attributes: object) -> types.ModuleType:
    module = sys.modules[name] = types.ModuleType(name, "Stand-in for disentanglement_lib.")
    module.__dict__.update(attributes)
    return module


def _importable(name: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(name)
        except ImportError:
            return False
    return True


def _stand_in_for_removed_modules() -> None:
    if not _importable("distutils.dir_util"):  # Python 3.12 removed distutils.
        from packaging.version import Version

        copy_tree = functools.partial(shutil.copytree, dirs_exist_ok=True)
        dir_util = _module("distutils.dir_util", copy_tree=copy_tree)
        version = _module("distutils.version", LooseVersion=Version)
        _module("distutils", dir_util=dir_util, version=version, __path__=[])
    if not _importable("pkg_resources"):  # setuptools 82 removed pkg_resources.
        from packaging.version import parse

        def resource(package: str, path: str):
            return importlib.resources.files(package).joinpath(*path.strip("/").split("/"))

        _module(
            "pkg_resources",
            parse_version=parse,
            # pytest's syspath_prepend calls it where pkg_resources has been imported.
            fixup_namespace_packages=lambda *_: None,
            resource_filename=lambda package, path: str(resource(package, path)),
            resource_listdir=lambda package, path: [
                entry.name for entry in resource(package, path).iterdir()
            ],
            resource_isdir=lambda package, path: resource(package, path).is_dir(),
        )


def _prepare_tensorflow() -> None:
    import tensorflow as tf
    from absl import logging as absl_logging
    from tensorflow.python.util import deprecation

    from vae_ortho_plugin.engine import estimator

    if console_scripts.is_console_script():
        tf.config.list_physical_devices("GPU")  # says now what it has to say about CUDA
    v1 = tf.compat.v1
    warnings.filterwarnings("ignore", message=r".*`tf\.layers\.\w+` is deprecated")
    if console_scripts.is_script_of_dlib():
        # tensorflow_hub exports into the unfinished directory, and the model ends up elsewhere.
        absl_logging.get_absl_logger().addFilter(
            lambda record: not str(record.msg).startswith("Exported TF-Hub module")
        )
        # TensorFlow deprecates most of dlib's calls, which its user cannot change.
        deprecation._PRINT_DEPRECATION_WARNINGS = False
        # The estimator shows its progress itself; --verbosity=0 brings the steps' log lines back.
        v1.logging.set_verbosity(v1.logging.WARN)
    if console_scripts.runs_module_of(PACKAGE):
        # dlib's tests build into the default graph. Everything else builds in graphs of its own (see
        # `engine.graphs`) and leaves the process as it is.
        v1.disable_v2_behavior()
        v1.enable_resource_variables()
        v1.enable_control_flow_v2()

    # With Keras 3, TensorFlow's tf.compat.v1.layers and .keras raise; those of tf_keras work. Only these
    # two are replaced: tf.keras stays what it is for the rest of the process.
    v1.keras = importlib.import_module("tf_keras.api._v1.keras")
    v1.layers = importlib.import_module("tf_keras.api._v1.keras.__internal__.legacy.layers")

    stub = _module(
        "tensorflow.compat.v1.estimator",
        ModeKeys=estimator.ModeKeys,
        SessionRunHook=v1.train.SessionRunHook,
        Exporter=type("Exporter", (), {}),
    )
    tf.estimator = v1.estimator = stub

    names = ("RunConfig", "TPUConfig", "TPUEstimator", "TPUEstimatorSpec")
    tpu = _module("tensorflow.contrib.tpu", **{name: getattr(estimator, name) for name in names})
    framework = _module(
        "tensorflow.contrib.framework",
        assign_from_checkpoint_fn=estimator.assign_from_checkpoint_fn,
    )
    tf.contrib = _module("tensorflow.contrib", tpu=tpu, framework=framework, __path__=[])


@functools.cache  # once, with and without TensorFlow
def prepare_gin() -> None:
    """Gives gin 0.5 the names that dlib uses, and finds the plugin's gin files."""
    import gin

    from vae_ortho_plugin.dlib import import_path
    from vae_ortho_plugin.files import gin_files

    configurable = gin.config.configurable

    @functools.wraps(configurable)
    def accept_old_names(*args, **kwargs):
        """gin 0.5 calls whitelist and blacklist allowlist and denylist."""
        for old, new in (("whitelist", "allowlist"), ("blacklist", "denylist")):
            if old in kwargs:
                kwargs[new] = kwargs.pop(old)
        return configurable(*args, **kwargs)

    gin.configurable = gin.config.configurable = accept_old_names
    parse_config_file = gin.config.parse_config_file
    including: list[pathlib.Path] = []  # what is being read; each file includes the next one

    @functools.wraps(parse_config_file)
    def parse_found_file(config_file, *args, **kwargs):
        # gin's own search path is no place for the plugin's files: paths that the user adds later would
        # come after them, and gin 0.5 logs an error for each path before them.
        found = gin_files.included(config_file, including) if including else None
        path = pathlib.Path(found or gin_files.find(config_file) or config_file)
        import_path.add([path.parent])
        including.append(path)
        try:
            return parse_config_file(str(path), *args, **kwargs)
        finally:
            including.pop()

    gin.parse_config_file = gin.config.parse_config_file = parse_found_file
    # gin's own reader of files takes them for texts of the locale.
    gin.config._FILE_READERS[0] = (gin_files.OpenedText, os.path.isfile)

# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import vae_ortho_plugin
from vae_ortho_plugin.dlib import hook

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.methods.unsupervised import train
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin.dlib import patches

NO_TENSORFLOW = """
import sys
import vae_ortho_plugin
import vae_ortho_plugin.errors
import json, email.message
loaded = [name for name in ("tensorflow", "numpy", "gin", "disentanglement_lib") if name in sys.modules]
assert not loaded, loaded
"""


MISSING = """
import sys
import vae_ortho_plugin
finder = sys.meta_path[0]
class Nothing:
    def find_spec(self, name, path=None, target=None):
        return None
sys.meta_path[:] = [finder, Nothing()]
try:
    import disentanglement_lib
except ModuleNotFoundError as error:
    assert "pip install --no-deps disentanglement-lib==1.5" in str(error), error
else:
    raise AssertionError("imported")
assert "tensorflow" not in sys.modules
"""


def run_python(program):
    return subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )


def test_the_hook_leaves_other_modules_to_other_finders():
    (finder,) = [finder for finder in sys.meta_path if isinstance(finder, hook._Finder)]
    for name in ("json", "numpy.linalg", "tensorflow", "disentanglement_lib.methods", "no_such"):
        assert finder.find_spec(name) is None


def test_the_hook_is_installed_once():
    before = list(sys.meta_path)
    hook.install()
    assert sys.meta_path == before


def test_every_module_that_the_hook_stops_at_has_a_patch():
    patched = {*patches.metrics.PATCHES, *patches._of_other_modules()}
    assert {name.rpartition(".")[2] for name in hook._PATCHED} == patched


def test_dlib_modules_keep_their_own_loader():
    for module in (named_data, train):
        assert module.__loader__ is module.__spec__.loader
        assert not isinstance(module.__loader__, hook._Loader)


def test_importing_the_plugin_imports_neither_tensorflow_nor_numpy():
    process = run_python(NO_TENSORFLOW)
    assert process.returncode == 0, process.stderr


def test_without_dlib_its_import_says_how_to_install_it():
    process = run_python(MISSING)
    assert process.returncode == 0, process.stderr


WITHOUT_PTH = """
import sys
sys.path[:0] = sys.argv[1].split(":")
assert "vae_ortho_plugin" not in sys.modules
"""


def run_without_pth(program, *first):
    """Runs a program in an installation whose .pth lines do not act; `first` come first in sys.path."""
    places = [*first, str(Path(vae_ortho_plugin.__file__).parents[1])]
    places += [path for path in sys.path if path.endswith("site-packages")]
    arguments = [sys.executable, "-S", "-c", WITHOUT_PTH + program, ":".join(places)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        arguments, check=False, capture_output=True, text=True, env=environment, cwd="/"
    )


@pytest.mark.long
def test_without_the_pth_line_an_import_of_the_plugin_is_enough():
    program = """
import disentanglement_lib
import vae_ortho_plugin
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.data.ground_truth import named_data
assert named_data.get_named_ground_truth_data("synth_linear").num_factors == 2
"""
    process = run_without_pth(program)
    assert process.returncode == 0, process.stderr


@pytest.mark.long
def test_without_the_pth_line_the_message_names_the_import_that_is_missing():
    program = """
try:
    from disentanglement_lib.data.ground_truth import named_data
except Exception:
    pass  # what dlib on its own says of current libraries
import vae_ortho_plugin
"""
    process = run_without_pth(program)
    assert process.returncode == 1
    (message,) = [line for line in process.stderr.splitlines() if line.startswith("ImportError")]
    assert "disentanglement_lib.data.ground_truth" in message
    assert (
        "with `import vae_ortho_plugin` before the first import of disentanglement_lib" in message
    )


@pytest.mark.long
def test_a_zipped_plugin_prepares_dlib(tmp_path):
    package = Path(vae_ortho_plugin.__file__).parent
    with zipfile.ZipFile(tmp_path / "plugin.zip", "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, path.relative_to(package.parent))
    program = """
import vae_ortho_plugin
assert ".zip" in vae_ortho_plugin.__file__
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.data.ground_truth import named_data
assert named_data.get_named_ground_truth_data("synth_linear").num_factors == 2
"""
    process = run_without_pth(program, str(tmp_path / "plugin.zip"))
    assert process.returncode == 0, process.stderr

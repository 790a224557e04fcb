# SPDX-License-Identifier: Apache-2.0

import importlib.metadata
import sys
import types
import zipfile
from pathlib import Path

import pytest

import vae_ortho_plugin
from vae_ortho_plugin.dlib import hook

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.methods.unsupervised import train
from processes import run_python

from vae_ortho_plugin.dlib.patches import metrics
from vae_ortho_plugin.errors import InputError

WITHOUT_DLIB = """
import sys
import vae_ortho_plugin
import vae_ortho_plugin.errors
import json, email.message
loaded = [name for name in ("tensorflow", "numpy", "gin", "disentanglement_lib") if name in sys.modules]
assert not loaded, loaded
finder = sys.meta_path[0]
class Nothing:
    def find_spec(self, name, path=None, target=None):
        return None
sys.meta_path[:] = [finder, Nothing()]
import disentanglement_lib
"""
IMPORTS = """
import disentanglement_lib, vae_ortho_plugin
assert ".zip" in vae_ortho_plugin.__file__
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.data.ground_truth import named_data
assert named_data.get_named_ground_truth_data("synth_linear").num_factors == 2
"""
TOO_LATE = """
try:
    from disentanglement_lib.data.ground_truth import named_data
except Exception:
    pass  # what dlib on its own says of current libraries
import vae_ortho_plugin
"""


def test_the_hook_leaves_other_modules_to_other_finders():
    (finder,) = [finder for finder in sys.meta_path if isinstance(finder, hook._Finder)]
    for name in ("json", "numpy.linalg", "tensorflow", "disentanglement_lib.methods", "no_such"):
        assert finder.find_spec(name) is None


def test_the_hook_is_installed_once():
    before = list(sys.meta_path)
    hook.install()
    assert sys.meta_path == before


def test_every_module_that_the_hook_stops_at_is_one_of_dlibs_and_has_a_patch():
    for module, place in hook._PATCHES.items():
        assert hook.find(module, importlib.import_module(module.rpartition(".")[0]).__path__)
        file, _, function = place.rpartition(".")
        assert callable(getattr(importlib.import_module(f"vae_ortho_plugin.dlib.{file}"), function))
    of_metrics = {name.rpartition(".")[2] for name in hook._PATCHES if ".metrics." in name}
    assert of_metrics == set(metrics.PATCHES)


def test_dlib_modules_keep_their_own_loader():
    for module in (named_data, train):
        assert module.__loader__ is module.__spec__.loader
        assert not isinstance(module.__loader__, hook._Loader)


@pytest.mark.parametrize(
    ("script", "versions", "error", "message"),
    [
        ("pytest", {"tensorflow": "2.17.1"}, ImportError, "2.17 is too old.* 'tensorflow>=2.18,<"),
        ("pytest", {"tensorflow-hub": "0.16.1"}, ImportError, "pip install 'tensorflow-hub==0.15"),
        ("vae_ortho_study", {}, InputError, "KERAS_BACKEND = 'none_such'"),
    ],
)
def test_what_does_not_fit_is_named_each_time_that_dlib_is_imported(
    monkeypatch, script, versions, error, message
):
    package, found = types.ModuleType(hook.PACKAGE), importlib.metadata.version
    monkeypatch.setitem(sys.modules, hook.PACKAGE, package)
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow" if versions else "none_such")
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: versions.get(name) or found(name)
    )
    for _ in range(2):
        with pytest.raises(error, match=message):
            hook._prepare(package)


def test_the_plugin_alone_imports_no_other_package_and_says_how_to_install_dlib():
    last = run_python("-c", WITHOUT_DLIB).stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError")
    assert "pip install --no-deps disentanglement-lib==1.5" in last


def run_without_pth(program, *first):
    """Runs a program in an installation whose .pth lines do not act; `first` come first in sys.path."""
    places = [*first, str(Path(vae_ortho_plugin.__file__).parents[1])]
    places += [path for path in sys.path if path.endswith("site-packages")]
    program = f"import sys\nsys.path[:0] = {places!r}\n" + program
    return run_python("-S", "-c", program, cwd="/", PYTHONPATH="")


@pytest.mark.long
def test_without_the_pth_line_the_message_names_the_import_that_is_missing():
    last = run_without_pth(TOO_LATE).stderr.splitlines()[-1]
    assert last.startswith("ImportError: disentanglement_lib.data.ground_truth")
    assert "with `import vae_ortho_plugin` before the first import of disentanglement_lib" in last


@pytest.mark.long
def test_without_the_pth_line_an_import_of_the_plugin_is_enough_also_from_a_zip_file(tmp_path):
    package = Path(vae_ortho_plugin.__file__).parent
    with zipfile.ZipFile(tmp_path / "plugin.zip", "w") as archive:
        for path in package.rglob("*.py"):
            archive.write(path, path.relative_to(package.parent))
    process = run_without_pth(IMPORTS, str(tmp_path / "plugin.zip"))
    assert process.returncode == 0, process.stderr

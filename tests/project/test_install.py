# SPDX-License-Identifier: Apache-2.0
"""What an installation puts where, and what works where it has the measures' packages and nothing else.

Those packages are linked from the environment of the tests, so that no network is needed.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PTH = "vae_ortho_plugin.pth"
PACKAGES = ("numpy", "scipy", "threadpoolctl")
COMPLETE = "pip install . && pip install --no-deps disentanglement-lib==1.5"


def run(*command, cwd=None):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command, options = [*map(str, command)], {"capture_output": True, "text": True}
    return subprocess.run(command, check=False, cwd=cwd, env=environment, **options)


def build(kind, folder):
    """A wheel as pip builds it, from a copy of the sources: a build writes into their folder."""
    source = folder / "source"
    for name in ("vae_ortho_plugin", "gin_configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", PTH):
        shutil.copy(ROOT / name, source)
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
    run(sys.executable, "-c", program, cwd=source)
    return next(folder.glob("*.whl"))


def install(wheel, folder):
    """The Python of a new environment with the plugin alone, and the pip for it."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "environment")
    python = folder / "environment/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel)
    return python, pip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """The Python of an environment with the plugin and PACKAGES alone."""
    python, _ = install(wheel, tmp_path_factory.mktemp("bare"))
    (site_packages,) = python.parents[1].glob("lib/python*/site-packages")
    for package in PACKAGES:
        home = Path(importlib.metadata.distribution(package).locate_file(""))
        for top in {path.parts[0] for path in importlib.metadata.files(package)} - {".."}:
            if not (site_packages / top).exists():
                (site_packages / top).symlink_to(home / top)
    return python


def test_a_wheel_has_every_gin_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".gin")}
    here = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("gin_configs/**/*.gin")}
    assert here and packed == {f"vae_ortho_plugin/{name}" for name in here}


@pytest.mark.parametrize("kind", ["wheel", pytest.param("editable", marks=pytest.mark.long)])
def test_a_started_python_has_the_plugin_and_otherwise_only_the_standard_library(
    kind, tmp_path, request
):
    wheel = request.getfixturevalue("wheel") if kind == "wheel" else build(kind, tmp_path)
    python, pip = install(wheel, tmp_path)

    def printed(*options):
        done = run(python, "-E", *options)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def loaded(*options):
        program = "import json, sys; print(json.dumps(sorted(sys.modules)))"
        return set(json.loads(printed(*options, "-c", program)))

    top_level = {name.partition(".")[0] for name in loaded() - loaded("-S")}
    others = {"vae_ortho_plugin", "sitecustomize", "usercustomize"}
    assert "vae_ortho_plugin" in top_level and top_level - others <= sys.stdlib_module_names
    program = "import os, vae_ortho_plugin as p; print(os.path.dirname(p.__file__))"
    folder = Path(printed("-c", program).strip())
    assert (folder / "gin_configs" / "beta_vae.gin").is_file()

    shutil.rmtree(folder)  # a start of Python survives that
    assert "vae_ortho_plugin" not in loaded()
    installed = "environment/lib/python*/site-packages/*vae_ortho*"
    assert list(tmp_path.glob(installed))
    run(*pip, "uninstall", "--yes", "vae_ortho_plugin")
    assert list(tmp_path.glob(installed)) == []


def test_the_measures_work_without_further_packages(bare):
    program = (
        "from vae_ortho_plugin import (distance_to_orthogonality, disentanglement_score, delta_kl,\n"
        "    precision_gap)\n"
        "from vae_ortho_plugin.measures import loss_decomposition, optimum\n"
        "jacobians = [[[2, 0], [0, 1], [0, 0]]]\n"
        "print(distance_to_orthogonality(jacobians).mean, precision_gap(jacobians, [[1, 2]]).mean)\n"
        "print(delta_kl([[0.0], [0.0]], [[0.9], [0.9]]))\n"
    )
    found = run(bare, "-c", program)
    assert (found.returncode, found.stdout) == (0, "0.0 0.0\n1.0\n"), found.stderr


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("ortools", "distance_to_orthogonality([[[1, 0], [0, 1]]], solver='milp')"),
        ("infomec needs scikit-learn", "infomec([[0], [1]], [[0], [1]], ['continuous'])"),
    ],
)
def test_a_measure_names_the_package_that_it_needs(bare, package, call):
    assert package in run(bare, "-c", f"import vae_ortho_plugin; vae_ortho_plugin.{call}").stderr


@pytest.mark.parametrize("script", ["download_data", "evaluate", "render_dsprites", "study"])
def test_a_command_says_how_to_complete_the_installation(bare, script):
    found = run(bare, bare.with_name(f"vae_ortho_{script}"))
    assert (found.returncode, found.stdout) == (2, "")
    assert COMPLETE in found.stderr and len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize("dlib_is_there", [False, True])
def test_an_import_of_dlib_says_how_to_complete_the_installation(bare, tmp_path, dlib_is_there):
    if dlib_is_there:
        (tmp_path / "disentanglement_lib").mkdir()
        (tmp_path / "disentanglement_lib/__init__.py").touch()
    program = f"import sys; sys.path.append({str(tmp_path)!r}); import disentanglement_lib"
    found = run(bare, "-c", program)
    last = found.stderr.splitlines()[-1]
    error = "ImportError" if dlib_is_there else "ModuleNotFoundError"
    assert found.returncode == 1
    assert last.startswith(f"{error}: This environment holds only a part")
    assert COMPLETE in last and "gin" in last and "tensorflow" in last

# SPDX-License-Identifier: Apache-2.0
"""The measures alone, in an environment with NumPy, SciPy and threadpoolctl and nothing else.

The three packages are linked from the environment of the tests, so that no network is needed.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("numpy", "scipy", "threadpoolctl")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The Python of an environment with the plugin and PACKAGES alone."""
    folder = tmp_path_factory.mktemp("bare")
    # A build writes into the folder of the sources.
    sources = folder / "sources"
    shutil.copytree(ROOT / "vae_ortho_plugin", sources / "vae_ortho_plugin")
    for name in ("setup.py", "pyproject.toml", "vae_ortho_plugin.pth", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    for package in PACKAGES:
        tops = {path.parts[0] for path in importlib.metadata.files(package)} - {".."}
        home = Path(importlib.metadata.distribution(package).locate_file(""))
        for top in tops:
            if not (site_packages / top).exists():
                (site_packages / top).symlink_to(home / top)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python"]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    # setuptools builds in this environment's Python, which has it.
    wheel = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, sources]
    subprocess.run(wheel, check=True, env=without_python_path())
    (built,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", built],
        check=True,
        env=without_python_path(),
    )
    return environment / "bin" / "python"


def without_python_path():
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(bare, *command):
    return subprocess.run(
        [bare, *command],
        capture_output=True,
        text=True,
        check=False,
        env=without_python_path(),
        cwd=bare.parent,
    )


def test_the_environment_has_the_three_packages_alone(bare):
    found = run(bare, "-c", "import tensorflow")
    assert "No module named 'tensorflow'" in found.stderr
    assert "No module named 'gin'" in run(bare, "-c", "import gin").stderr


def test_the_measures_work_there(bare):
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


def test_the_mixed_integer_program_names_the_package_that_it_needs(bare):
    program = (
        "from vae_ortho_plugin import distance_to_orthogonality\n"
        "distance_to_orthogonality([[[1, 0], [0, 1]]], solver='milp')\n"
    )
    assert "ortools" in run(bare, "-c", program).stderr


def test_infomec_names_the_package_that_it_needs(bare):
    program = (
        "from vae_ortho_plugin import infomec\ninfomec([[0], [1]], [[0], [1]], ['continuous'])"
    )
    assert "infomec needs scikit-learn" in run(bare, "-c", program).stderr


COMPLETE = "pip install . && pip install --no-deps disentanglement-lib==1.5"


@pytest.mark.parametrize(
    "script",
    [
        "vae_ortho_download_data",
        "vae_ortho_evaluate",
        "vae_ortho_render_dsprites",
        "vae_ortho_study",
    ],
)
def test_a_command_says_how_to_complete_the_installation(bare, script):
    found = run(bare, bare.parent / script)
    assert (found.returncode, found.stdout) == (2, "")
    assert COMPLETE in found.stderr and len(found.stderr.splitlines()) == 1


def test_importing_disentanglement_lib_says_how_to_complete_the_installation(bare):
    found = run(bare, "-c", "import disentanglement_lib")
    assert found.returncode == 1
    assert "ModuleNotFoundError: This environment holds only a part" in found.stderr
    assert COMPLETE in found.stderr


def test_so_does_a_disentanglement_lib_that_is_there_without_its_packages(bare, tmp_path):
    (tmp_path / "disentanglement_lib").mkdir()
    (tmp_path / "disentanglement_lib" / "__init__.py").touch()
    program = f"import sys; sys.path.append({str(tmp_path)!r}); import disentanglement_lib"
    found = run(bare, "-c", program)
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert last.startswith("ImportError: This environment holds only a part")
    assert COMPLETE in last and "gin" in last and "tensorflow" in last

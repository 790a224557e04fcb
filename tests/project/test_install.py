# SPDX-License-Identifier: Apache-2.0
"""What an installation puts where, and what a Python that does not use disentanglement_lib sees of it."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PTH = "vae_ortho_plugin.pth"
LOADED_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what an installation reads, so that no build writes into the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", PTH):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("vae_ortho_plugin", "gin_configs"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    return copy


def build(source: Path, directory: Path, kind: str) -> Path:
    """Builds a wheel as pip does: kind is 'wheel' or 'editable'."""
    hook = f"from setuptools import build_meta; build_meta.build_{kind}({str(directory)!r})"
    subprocess.run([sys.executable, "-c", hook], cwd=source, check=True, capture_output=True)
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="module", params=["wheel", "editable"])
def wheel(request, source, tmp_path_factory) -> Path:
    return build(source, tmp_path_factory.mktemp(request.param), request.param)


class Installation:
    """A virtual environment that holds the plugin and nothing else."""

    def __init__(self, directory: Path, wheel: Path):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
        self.python = directory / "bin" / "python"
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        done = subprocess.run([self.python, "-c", ask], check=True, capture_output=True, text=True)
        self.site_packages = Path(done.stdout.strip())
        self.pip("install", "--no-deps", "--no-index", str(wheel))

    def pip(self, command: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", self.python, command, *arguments],
            check=True,
            capture_output=True,
        )

    def loaded_modules(self, *options: str) -> set[str]:
        done = subprocess.run(
            [self.python, "-E", *options, "-c", LOADED_MODULES], check=True, capture_output=True
        )
        assert done.stderr == b""
        return set(json.loads(done.stdout))


@pytest.fixture(scope="module")
def installation(wheel, tmp_path_factory) -> Installation:
    return Installation(tmp_path_factory.mktemp("environment"), wheel)


def test_a_wheel_of_either_kind_holds_the_pth_file_at_its_root(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(PTH) == (ROOT / PTH).read_bytes()


def test_a_regular_wheel_holds_every_gin_config(source, tmp_path):
    with zipfile.ZipFile(build(source, tmp_path, "wheel")) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".gin")}
    kept = {
        f"vae_ortho_plugin/{path.relative_to(ROOT)}" for path in ROOT.glob("gin_configs/**/*.gin")
    }
    assert kept and packed == kept


def test_a_started_python_has_the_plugin_and_otherwise_only_the_standard_library(installation):
    own = {"vae_ortho_plugin"}
    added = installation.loaded_modules() - installation.loaded_modules("-S")
    top_level = {name.partition(".")[0] for name in added}
    assert own <= top_level
    assert top_level - own <= sys.stdlib_module_names | {"sitecustomize", "usercustomize"}


def test_gin_configs_are_found_beside_the_installed_package(installation):
    code = "import os, vae_ortho_plugin as p; print(os.path.dirname(p.__file__))"
    done = subprocess.run([installation.python, "-E", "-c", code], check=True, capture_output=True)
    assert Path(done.stdout.decode().strip(), "gin_configs", "beta_vae.gin").is_file()


def test_a_python_start_survives_a_plugin_that_is_gone(source, tmp_path):
    gone = tmp_path / "source"
    shutil.copytree(source, gone, symlinks=True)
    (tmp_path / "wheel").mkdir()
    installation = Installation(
        tmp_path / "environment", build(gone, tmp_path / "wheel", "editable")
    )
    shutil.rmtree(gone)
    assert "vae_ortho_plugin" not in installation.loaded_modules()


def test_uninstalling_removes_the_pth_file(wheel, tmp_path):
    installation = Installation(tmp_path, wheel)
    assert (installation.site_packages / PTH).is_file()
    installation.pip("uninstall", "--yes", "vae_ortho_plugin")
    assert not list(installation.site_packages.glob("*vae_ortho*"))

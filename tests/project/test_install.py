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
FOLDER = "import os, vae_ortho_plugin as p; print(os.path.dirname(p.__file__))"


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    assert command[0] == sys.executable or done.stderr == ""
    return done.stdout


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of what an installation reads, so that no build writes into the checkout."""
    copy = tmp_path / "source"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", PTH):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("vae_ortho_plugin", "gin_configs"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    return copy


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_a_started_python_has_the_plugin_and_otherwise_only_the_standard_library(
    source, tmp_path, kind
):
    # As pip builds and installs it.
    build = f"from setuptools import build_meta; build_meta.build_{kind}({str(tmp_path)!r})"
    run(sys.executable, "-c", build, cwd=source)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(PTH) == (ROOT / PTH).read_bytes()
        packed = {name for name in archive.namelist() if name.endswith(".gin")}
    if kind == "wheel":
        here = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("gin_configs/**/*.gin")}
        assert here and packed == {f"vae_ortho_plugin/{name}" for name in here}
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "environment")
    python = tmp_path / "environment/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel)

    def loaded(*options):
        return set(json.loads(run(python, "-E", *options, "-c", LOADED_MODULES)))

    top_level = {name.partition(".")[0] for name in loaded() - loaded("-S")}
    assert "vae_ortho_plugin" in top_level
    others = {"vae_ortho_plugin", "sitecustomize", "usercustomize"}
    assert top_level - others <= sys.stdlib_module_names
    folder = Path(run(python, "-E", "-c", FOLDER).strip())
    assert (folder / "gin_configs" / "beta_vae.gin").is_file()

    shutil.rmtree(folder)  # a start of Python survives that
    assert "vae_ortho_plugin" not in loaded()
    installed = "environment/lib/python*/site-packages/*vae_ortho*"
    assert list(tmp_path.glob(installed))
    run(*pip, "uninstall", "--yes", "vae_ortho_plugin")
    assert list(tmp_path.glob(installed)) == []

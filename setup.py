# SPDX-License-Identifier: Apache-2.0
"""Installs the plugin and the .pth line through which disentanglement_lib's scripts find it."""

import re
import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PTH = "vae_ortho_plugin.pth"


class BuildPyWithPth(build_py):
    """Puts the .pth file at the root of site-packages, in regular and editable installs."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            # The modules stay where they are; setuptools points `install` at the wheel it packs.
            target = self.get_finalized_command("install").install_purelib
        else:
            target = self.build_lib
        shutil.copyfile(ROOT / PTH, Path(target, PTH))


def version() -> str:
    source = (ROOT / "vae_ortho_plugin" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"', source, re.MULTILINE).group(1)


hook = runpy.run_path(str(ROOT / "vae_ortho_plugin" / "dlib" / "hook.py"))

setup(
    name="vae_ortho_plugin",
    version=version(),
    description="disentanglement_lib 1.5 on current TensorFlow, with models and metrics for "
    "the orthogonality of VAE decoders",
    license="Apache-2.0",
    packages=find_packages(include=["vae_ortho_plugin", "vae_ortho_plugin.*"]),
    # Named, so that an editable install is one line in a .pth file and not an import hook of
    # setuptools' own that every start of Python would pay for.
    package_dir={"": "."},
    # vae_ortho_plugin/gin_configs is a link to the gin_configs directory at the root.
    package_data={
        "vae_ortho_plugin": ["gin_configs/*.gin", "gin_configs/*/*.gin", "py.typed"],
        "vae_ortho_plugin.study.report": ["sources.md", "style.css"],
        "vae_ortho_plugin.study.run.cluster": ["Snakefile"],
    },
    cmdclass={"build_py": BuildPyWithPth},
    python_requires=">=3.10,<3.14",
    install_requires=list(hook["REQUIRED"].values()),
    extras_require={
        "cluster": [
            # 9.27 is the release that the options handed to it, and what it does on a signal, were tried
            # with. Python 3.10 has none.
            "snakemake>=9.27,<10; python_version >= '3.11'",
            # 2.8 is the release whose waiting for arrays and for sacct study/run/cluster/submission.py avoids.
            "snakemake-executor-plugin-slurm>=2.8,<3; python_version >= '3.11'",
        ],
        "gpu": ["tensorflow[and-cuda]"],
        # benchmarks/ compares with JAX.
        "bench": ["jax", "optax"],
        "dev": [
            "import-linter",
            # docs/notebook.ipynb is tested with both.
            "ipykernel",
            # docs/own_model.md is tested with it.
            "jax",
            # mypy's releases differ in what they find.
            "mypy==2.4.*",
            "nbclient",
            "pytest",
            "pytest-xdist",
            # ruff's releases differ in the rules and the format they ask for.
            "ruff==0.17.*",
            "scipy-stubs",
            "setuptools>=68",
            "wheel",
        ],
    },
    entry_points={
        "console_scripts": [
            "vae_ortho_download_data = vae_ortho_plugin.dlib.console_scripts:download_data",
            "vae_ortho_evaluate = vae_ortho_plugin.dlib.console_scripts:evaluate",
            "vae_ortho_render_dsprites = vae_ortho_plugin.dlib.console_scripts:render_dsprites",
            "vae_ortho_study = vae_ortho_plugin.dlib.console_scripts:study",
        ]
    },
)

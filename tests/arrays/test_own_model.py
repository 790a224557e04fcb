# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/own_model.md, as a reader copies them."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own_model.md"
PROGRAMS = {
    title: program
    for title, program in re.findall(
        r"^## ([^\n]+)\n+```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
}


@pytest.mark.parametrize(
    ("title", "package"),
    [("PyTorch", "torch"), ("JAX", "jax"), ("TensorFlow 2 and Keras 3", "keras")],
)
def test_the_program_for_a_model_of_another_framework_prints_what_the_page_says(title, package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[title]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in done.stdout.splitlines())
    }
    assert list(found) == ["DtO", "precision gap", "disentanglement score"]
    assert found["DtO"] == pytest.approx(0, abs=1e-6)
    assert found["precision gap"] == pytest.approx(0, abs=1e-6)
    assert found["disentanglement score"] > 0.9


def test_a_program_is_about_15_lines_long():
    for program in PROGRAMS.values():
        lines = [line for line in program.splitlines() if line.strip()]
        assert len(lines) <= 20

# SPDX-License-Identifier: Apache-2.0
"""Files and functions stay short enough to read. Docstrings do not count as part of a function."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FILE, LONGEST_FUNCTION = 350, 60
FILES = sorted(
    path
    for folder in ("vae_ortho_plugin", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)


def lines_of(function):
    """Lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path):
    source = path.read_text()
    assert source.count("\n") <= LONGEST_FILE
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    assert {f.name: lines_of(f) for f in functions if lines_of(f) > LONGEST_FUNCTION} == {}

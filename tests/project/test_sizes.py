# SPDX-License-Identifier: Apache-2.0
"""Files and functions stay short enough to read. Docstrings do not count as part of a function."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE, LONGEST_FUNCTION = 350, 60
# What may be longer: "FILE" or "FILE: FUNCTION" -> why it reads better in one piece.
OUTLIERS: dict[str, str] = {}


def lines_of(function):
    """Lines of a function without its docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def test_only_the_named_outliers_are_long():
    long = set()
    for folder in ("vae_ortho_plugin", "benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            name, source = str(path.relative_to(ROOT)), path.read_text()
            if source.count("\n") > LONGEST_FILE:
                long.add(name)
            kinds = ast.FunctionDef, ast.AsyncFunctionDef
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, kinds) and lines_of(node) > LONGEST_FUNCTION:
                    long.add(f"{name}: {node.name}")
    assert long == set(OUTLIERS)

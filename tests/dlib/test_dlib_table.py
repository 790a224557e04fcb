# SPDX-License-Identifier: Apache-2.0
"""The table of all that dlib 1.5 offers, docs/dlib.md."""

import importlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path

import gin
import pytest
from disentanglement_lib.config import reproduce
from disentanglement_lib.data.ground_truth import named_data
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin import InputError, data

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/dlib.md").read_text(encoding="utf-8")
FILES = [str(file) for file in importlib.metadata.files("disentanglement-lib")]
MODULES = [
    file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    for file in FILES
    if file.startswith("disentanglement_lib/") and file.endswith(".py")
]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `")
]
NAMED = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}


def test_each_row_has_a_state_and_a_test():
    for _, state, test in ROWS:
        assert re.match(r"(works?|dlib's own fault:|not possible:)", state)
        assert re.search(r"`\w+`", test)


def test_every_test_that_the_page_names_is_there_and_marked_as_it_says():
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    ours = {name for text in texts for name in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)}
    dlibs = {module.rpartition(".")[2] for module in MODULES if module.endswith("_test")}
    tests = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[2])}
    tests |= set(re.findall(r"`(test_\w+_\w+_\w+)`", PAGE))
    assert tests - ours - dlibs == set()
    for name in re.findall(r"`(test_\w+)` \(long\)", PAGE):
        marked = re.compile(rf"@pytest\.mark\.long\n(@.*\n( .*\n|\)\n)*)*def {name}\(")
        assert any(marked.search(text) for text in texts), name


def test_all_that_dlib_names_has_a_row():
    scripts = {Path(file).name for file in FILES if "/bin/dlib_" in file}
    studies = {name for name in reproduce.STUDIES if not name.startswith("vae_pca")}
    with pytest.raises(InputError) as error:
        named_data.get_named_ground_truth_data("no such name")
    known = re.search(r"Known: (.*)\.", str(error.value).splitlines()[0])[1].split(", ")
    for module in MODULES:
        if not module.endswith("_test"):
            importlib.import_module(module)
    registered = {
        selector.rpartition(".")[2]
        for selector, one in gin.config._REGISTRY.items()
        if one.wrapped.__module__.startswith("disentanglement_lib")
    }
    assert scripts and len(registered) > 60
    assert {*scripts, *studies, *known, *registered} - set(data.NAMED) - NAMED == set()


def test_the_wheel_lacks_modules_of_these_scripts():
    scripts = {
        row[0].strip("`")
        for row in ROWS
        if "test_the_wheel_lacks_modules_of_these_scripts" in row[2]
    }
    assert len(scripts) == 6
    for script in scripts:
        (file,) = [f for f in importlib.metadata.files("disentanglement-lib") if f.name == script]
        text = Path(file.locate()).read_text(encoding="utf-8")
        imports = re.findall(r"^from (disentanglement_lib\S*) import (\w+)$", text, re.MULTILINE)
        wanted = [f"{package}.{name}" for package, name in imports]
        wanted += re.findall(r"python -m (disentanglement_lib\S+)", text)
        assert wanted and not {*wanted} <= {*MODULES}, script

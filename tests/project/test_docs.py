# SPDX-License-Identifier: Apache-2.0
"""The documents: their tables are those of the numbers beside them, their links lead somewhere, the notebook runs."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest
from processes import run_python

from vae_ortho_plugin import measures

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_the_tables_of_the_results_are_those_of_the_numbers_beside_them():
    done = run_python(ROOT / "scripts/results_tables.py", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_of_a_document_lead_to_files(path):
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_table_of_measures_has_what_the_code_has():
    page = (ROOT / "docs/measures.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([^`\n]+)`", page))
    package = ROOT / "vae_ortho_plugin"
    modules = [*package.glob("decoder/metrics/*.py"), *package.glob("decoder/tracking/*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    in_gin = re.findall(r'\n(?:@evaluated.metric\(|_NAME = )"(\w+)"', source)
    in_gin += [f"{name}_while_training" for name in re.findall(r'\ntrack\("(\w+)"', source)]
    assert {"dto", "mcc", "polarized_regime", "dto_while_training"} <= {*in_gin}
    functions = [name for name in measures.__all__ if inspect.isfunction(getattr(measures, name))]
    assert {*functions, *in_gin} - named == set()

    arrays = {"jacobians", "means", "sigma", "factors"}
    for row in re.findall(r"^\| `.*", page.split("\n## ")[0], re.MULTILINE):
        name, *_, needs, _, _ = re.split(r"(?<!\\)\|", row[1:-1])
        if name.strip(" `") in functions:
            taken = inspect.signature(getattr(measures, name.strip(" `"))).parameters
            assert set(re.findall(r"`(\w+)`", needs)) & arrays == {*taken} & arrays, name

    results = [item for item in vars(measures).values() if dataclasses.is_dataclass(item)]
    fields = {field.name for result in results for field in dataclasses.fields(result)}
    rows = set(re.findall(r"^\| `(\w+)` ", page.split("\n## ")[0], re.MULTILINE))
    assert {name for name in rows - fields - set(functions) if name not in source} == set()


@pytest.mark.long
def test_the_notebook_of_the_docs_runs_and_shows_its_result_and_pictures(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    import nbformat

    notebook = nbformat.read(ROOT / "docs/notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources=resources
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") for output in outputs)
    assert "training vae on synth_linear for 200 steps" in text and "DtO 0." in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2

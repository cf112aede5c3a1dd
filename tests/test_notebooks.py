"""The notebooks of the documentation run from their first cell to their last, and hold nothing that a run would change."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from support.tools import tool

__all__ = ["tool"]

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NEEDS = {"own-table-to-c": ["gcc"], "own-pictures-to-verilog": ["iverilog"], "network-to-fpga": ["iverilog"]}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path, tool, tmp_path):
    for name in NEEDS.get(path.stem, []):
        tool(name)
    book = nbformat.read(path, 4)
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": programs, "MPLBACKEND": "agg", "IPYTHONDIR": str(tmp_path / "ipython")}
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=900, kernel_name="python3", resources=where).execute(env=environment)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_clean(path):
    book = nbformat.read(path, 4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    for cell in book.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_notebooks_lead_to_pages(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("https://") or (path.parent / link).exists(), link


def test_the_readme_lists_every_notebook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 5
    assert [path.name for path in NOTEBOOKS if f"(docs/notebooks/{path.name})" not in readme] == []

"""The notebooks, executed as a reader would, in a folder of their own; and free of outputs in the repository."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

from kernels import execute

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture
def kernel_finds_mien(monkeypatch):
    """`!mien` and the kernel are those of this environment."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MPLBACKEND", "agg")


def each_notebook():
    """Those that train are for `make test-slow`: the tutorials' tests run the same commands."""
    for path in NOTEBOOKS:
        yield pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem.startswith("train") else [])


@pytest.mark.parametrize("path", list(each_notebook()))
def test_notebooks_run_from_top_to_bottom(path, tmp_path, kernel_finds_mien):
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, tmp_path)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert "error:" not in output.get("text", "").lower(), output["text"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    assert code[0].source.startswith("%pip install")
    assert code[0].metadata.tags == ["skip-execution"]


def test_the_site_names_every_notebook():
    page = (Path(__file__).parents[1] / "docs/notebooks.md").read_text(encoding="utf-8")
    assert all(f"../notebooks/{path.name}" in page for path in NOTEBOOKS)

"""The notebook runs from top to bottom, offline, and shows what it promises; the committed one is of its source."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

SOURCE = Path(__file__).parents[2] / "notebooks" / "ML_Optimization.py"
EXECUTED = SOURCE.with_suffix(".ipynb")
of_the_executed = pytest.mark.skipif(not EXECUTED.exists(), reason="the notebook was not executed on CIFAR-10 yet")


@pytest.mark.filterwarnings("ignore:Jupyter is migrating its paths")
@pytest.mark.filterwarnings("ignore:unclosed")  # sockets of the kernel's own client
def test_the_notebook_runs_and_shows_its_figures(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWISE_NOTEBOOK", "quick")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = jupytext.read(SOURCE)
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/svg+xml") >= 6
    assert kinds.count("image/png") >= 5
    assert kinds.count("text/markdown") >= 8
    assert not [output for output in outputs if output.output_type == "error"]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert "The lowest value of quadratic in 25 trials" in printed
    assert "No configuration is better than the default" in printed or "Tuning gained" in printed
    assert "No model here predicts AAPL's next close better than today's close" in printed
    stderr = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert "Warning" not in stderr, stderr


def test_the_source_has_no_output_of_its_own_and_three_sections():
    notebook = jupytext.read(SOURCE)
    headings = [line for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("# ")]
    assert [line for line in headings if line[2:3].isdigit()] == [
        "# 1. Optuna",
        "# 2. A convolutional network",
        "# 3. An LSTM on Apple's stock price",
    ]


@of_the_executed
def test_the_committed_notebook_is_of_this_source():
    source, executed = jupytext.read(SOURCE), nbformat.read(EXECUTED, as_version=4)
    assert [(c.cell_type, c.source) for c in executed.cells] == [(c.cell_type, c.source) for c in source.cells], (
        "execute it anew: TRIALWISE_NOTEBOOK=full make notebook NOTEBOOK=notebooks/ML_Optimization.ipynb"
    )


@of_the_executed
def test_the_committed_notebook_was_executed_in_order_on_cifar10_and_names_no_place_of_that_machine():
    executed = nbformat.read(EXECUTED, as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = "".join(str(output.get("text", "")) + str(output.get("data", "")) for output in outputs)
    assert "3,8" in shown or "3,7" in shown, "the feed-forward net of 3.8 million parameters"
    assert not re.search(r"/(home|root|work|tmp)/", shown)
    assert EXECUTED.stat().st_size < 4_000_000


@of_the_executed
@pytest.mark.filterwarnings("ignore:Jupyter is migrating its paths")
def test_the_committed_notebook_as_a_page_shows_all_of_its_figures():
    executed = nbformat.read(EXECUTED, as_version=4)
    kinds = [kind for c in executed.cells for output in c.get("outputs", []) for kind in output.get("data", {})]
    page, _ = HTMLExporter().from_notebook_node(executed)
    pictures = len(re.findall(r'<img [^>]*src="data:image/(?:png|svg\+xml);base64,', page))
    assert pictures >= kinds.count("image/png") + kinds.count("image/svg+xml") >= 11

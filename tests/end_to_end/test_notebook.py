"""The notebook runs from top to bottom, offline, and shows what it promises."""

from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

SOURCE = Path(__file__).parents[2] / "notebooks" / "ML_Optimization.py"


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

"""Hand trained image classifiers to other programs."""

from pathlib import Path
from typing import Any, Literal

from trialwise.api.images.models import open_model
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder

Format = Literal["onnx"]


def export(run: RunFolder | Path | str, *, format: Format = "onnx", out: Path | None = None) -> dict[str, Any]:
    """Write a classifier as a file that other programs can run, checked to give the same answers.

    Args:
        run: A run of `train` or `tune`.
        format: "onnx": one file from uint8 pixels to calibrated probabilities.
        out: The file to write, which must not exist yet; by default `model.onnx` in the run folder.

    Returns:
        "file", "bytes", "input", "outputs", "classes", "checked_on" and "largest_difference".

    Raises:
        UserError: The run holds no image model, the extra is not installed, or `out` cannot be written.
        WorkError: The file gave other answers than the model; it is not kept.
    """
    from trialwise.integrations.onnx_export import export_onnx

    if format != "onnx":
        raise UserError(f"format: expected 'onnx', got {format!r}")
    if out is not None and out.is_dir():
        raise UserError(f"--out {out}: expected a file to write, got a folder", hint=f"for example {out}/model.onnx")
    if out is not None and out.exists():
        raise UserError(f"--out {out}: the file exists already", hint="name a new one, so that nothing is overwritten")
    run, saved = open_model(run)
    facts = export_onnx(saved, out or run.path / "model.onnx")
    return {
        "schema": "trialwise.image-export/1",
        "run": run.label,
        "file": str(out) if out else f"{run.label}/model.onnx",
        **facts,
        "classes": list(saved.classes),
    }

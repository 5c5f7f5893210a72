"""`trialwise image explain`, `predict`, `export` and `card`."""

import csv
import dataclasses
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from trialwise.base.errors import UserError
from trialwise.base.files import replacing, write_json
from trialwise.base.runs import check_out
from trialwise.cli.options import Output
from trialwise.cli.output import give, say, watching

if TYPE_CHECKING:
    from trialwise.api.images.prediction import Predictions

Run = Annotated[Path, Parameter(help="Run folder of image train or image tune")]


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TableOutput(Output):
    """What every command takes, where the result is a table."""

    out: Annotated[
        Path | None, Parameter(help="New folder for predictions.csv and result.json; left out, CSV on stdout")
    ] = None


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PicturesOutput(Output):
    """What every command takes, where the result is pictures."""

    seed: Annotated[int, Parameter(help="Which of the images that are right are shown")] = 0
    out: Annotated[
        Path | None,
        Parameter(help="New folder for the pictures; left out, explain/ in the run folder, and its report"),
    ] = None


def explain(
    run: Run,
    /,
    *paths: Annotated[
        str, Parameter(help="Image files, folders, globs or archives; left out, the run's validation images")
    ],
    layer: Annotated[str | None, Parameter(help="Show the maps of this layer; left out, those of a few")] = None,
    output: PicturesOutput = PicturesOutput(),
) -> None:
    """Show what a trained model looks at and where it goes wrong: filters, maps, Grad-CAM, mistakes."""
    from trialwise import api
    from trialwise.reports.verdicts import explanation_sentence

    with watching() as watch:
        document = api.explain(run, paths, layer=layer, seed=output.seed, out=output.out, watch=watch)
    for left_out in document["left_out"]:
        say(f"left out: {left_out['file']} ({left_out['reason']})")
    lines = [explanation_sentence(document), *(f"note: {note}" for note in document["notes"])]
    lines += [f"picture: {document['folder']}/{picture['file']}" for picture in document["pictures"]]
    lines += [f"report: {document['report']}"] if "report" in document else []
    give(document, "\n".join(lines), json=output.json)


def predict(
    run: Run,
    /,
    *paths: Annotated[str, Parameter(help="Image files, folders (all images below them), globs or archives")],
    top: Annotated[int, Parameter(help="Classes to give for each image, the most probable first")] = 1,
    output: TableOutput = TableOutput(),
) -> None:
    """Classify images with a trained model: CSV on stdout, or one JSON document. Nothing here is random."""
    check_out(output.out)
    if output.out is None and not output.json:
        _stream(run, paths, top, sys.stdout)
        return
    from trialwise import api

    with watching() as watch:
        found = api.predict(run, paths, top=top, watch=watch)
    _say_left_out(found)
    _say_made_grey(found.n_made_grey)
    if output.out is not None:
        with replacing(output.out / "predictions.csv") as partial, partial.open("w", encoding="utf-8") as table:
            _write(found, table, head=True)
        write_json(output.out / "result.json", found.to_document())
    text = f"{len(found.names):,} images classified: {output.out}/predictions.csv"
    give(found.to_document(), text, json=output.json)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class FileOutput(Output):
    """What every command takes, where the result is one file."""

    out: Annotated[Path | None, Parameter(help="File to write; left out, model.onnx in the run folder")] = None


def export(
    run: Run,
    /,
    *,
    onnx: Annotated[
        bool, Parameter(negative="", help="As ONNX: uint8 pixels in, calibrated probabilities out")
    ] = False,
    output: FileOutput = FileOutput(),
) -> None:
    """Write a trained model as a file that other programs can run, checked to give the same answers."""
    from trialwise import api

    if not onnx:
        raise UserError("image export: expected a format", hint="trialwise image export RUN --onnx")
    found = api.export(run, format="onnx", out=output.out)
    height, width, channels = found["input"]["shape"][1:]
    lines = [
        f"ONNX file: {found['file']} ({found['bytes'] / 1e6:.1f} MB)",
        f"in: images, uint8 (batch, {height}, {width}, {channels}) in 0..255; out: probabilities and logits of "
        f"{len(found['classes'])} classes",
        f"checked with ONNX Runtime on {found['checked_on']} images: probabilities differ by at most "
        f"{found['largest_difference']:.1g}",
    ]
    give(found, "\n".join(lines), json=output.json)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CardOutput(Output):
    """What every command takes, where the result is a page."""

    out: Annotated[Path | None, Parameter(help="File to write; left out, README.md in the run folder")] = None


def card(run: Run, /, *, output: CardOutput = CardOutput()) -> None:
    """Write a trained model's card, with the front matter of Hugging Face: only what was measured.

    There is a test result where image evaluate was run, and none before. --seed changes nothing.
    """
    from trialwise import api

    found = api.card(run, out=output.out)
    test = found["test"]
    said = f"with its test accuracy of {test['accuracy']:.2%}" if test else "without a test result: none was measured"
    give(found, f"model card, {said}: {found['file']}", json=output.json)


def _stream(run: Path, paths: tuple[str, ...], top: int, table: TextIO) -> None:
    """Write each batch as soon as it is there, so that any number of images fits into memory."""
    from trialwise import api
    from trialwise.api.runs import unwatched

    # A progress bar in the midst of the rows would help nobody; `table` is the real stdout, which the bar redirects.
    watched = nullcontext(unwatched) if table.isatty() else watching()
    n_made_grey, head = 0, True
    with watched as watch, closing(api.predict_batches(run, paths, top=top, watch=watch)) as batches:
        for batch in batches:
            _say_left_out(batch)
            n_made_grey += batch.n_made_grey
            if batch.names:
                _write(batch, table, head=head)
                head = False
    _say_made_grey(n_made_grey)


def _write(found: "Predictions", table: TextIO, *, head: bool) -> None:
    writer = csv.writer(table, lineterminator="\n")
    if head:
        others = [
            f"{name}_{place}" for place in range(2, found.top_NT.shape[1] + 1) for name in ("class", "probability")
        ]
        writer.writerow(["file", "class", "probability", *others])
    for name, top in found.rows():
        writer.writerow([name, *(cell for label, p in top for cell in (label, f"{p:.6f}"))])


def _say_left_out(found: "Predictions") -> None:
    for file, reason in found.left_out:
        say(f"left out: {file} ({reason})")


def _say_made_grey(n: int) -> None:
    if n:
        say(f"note: {n:,} colour images were made grey, since the model was trained on grey ones")

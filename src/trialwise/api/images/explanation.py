"""Look into trained image classifiers."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trialwise.api.images.data import prepared_again, split_seed_of
from trialwise.api.images.models import open_model, open_predictor
from trialwise.api.images.prediction import Paths
from trialwise.api.runs import Watch, unwatched, write_page
from trialwise.base.files import file_sha256, read_json, replacing, write_json
from trialwise.base.runs import RunFolder, check_out
from trialwise.base.seeds import numpy_generator
from trialwise.images.examples import UNKNOWN, Judged, judge_files, judge_validation_rows
from trialwise.images.explain import find_layer, map_layers, typical_layers
from trialwise.images.inputs import find_inputs
from trialwise.images.mistakes import Pair, confusing_pairs, worst_mistakes
from trialwise.images.saved import SavedModel
from trialwise.training.device import threads

N_MISTAKES = 15
N_PAIRS = 10
N_LAYERS = 3
N_IMAGES_OF_A_LAYER = 3
EXPLANATION = "explanation.json"


def explain(
    run: RunFolder | Path | str,
    images: Paths = (),
    *,
    layer: str | None = None,
    seed: int = 0,
    out: Path | None = None,
    watch: Watch = unwatched,
) -> dict[str, Any]:
    """Pictures of what a classifier looks at and where it goes wrong, kept in the run folder and its report.

    Args:
        run: A run of `train` or `tune`.
        images: Image files, folders, globs or archives; files below a folder called like a class are of that class.
            By default, or where it is the run's own data, the validation rows; never its test rows.
        layer: Show the maps of this layer; by default those of a few.
        seed: Which of the images that are right are shown.
        out: A new folder for the pictures and `explanation.json`; by default `explain/` in the run folder, and a
            section in its report.
        watch: See `Watch`.

    Returns:
        "n", "n_labelled", "n_wrong" and "accuracy" of the images, "mistakes", "pairs", "layers", "pictures" (file,
        caption, alt) and "notes".

    Raises:
        UserError: The run holds no image model, a path leads nowhere, no image can be read, or there is no such layer.
    """
    from trialwise.reports import explanation  # here: drawing takes a second to load

    check_out(out)
    run, saved = open_model(run)
    size, channels = saved.architecture.image_size, saved.architecture.channels
    black_1HWC = np.zeros((1, size, size, channels), dtype=np.uint8)
    layers = map_layers(saved.network, explanation.network_inputs(saved, black_1HWC))
    chosen = typical_layers(layers, N_LAYERS) if layer is None else [find_layer(layers, layer)]
    given = [images] if isinstance(images, str | Path) else list(images)
    judged, about, notes = _judged(run, saved, given, watch)
    worst, pairs = worst_mistakes(judged, N_MISTAKES), confusing_pairs(judged, N_PAIRS)
    rows = _rows_to_explain(judged, worst, given, seed)
    with threads(1):  # a few images: more threads would only wait for each other
        pictures = [
            *explanation.filter_pictures(saved),
            *explanation.cam_pictures(saved, judged, rows, layers),
            *explanation.map_pictures(saved, judged, rows[: 1 if layer is None else N_IMAGES_OF_A_LAYER], chosen),
            *explanation.mistake_pictures(saved, judged, worst, pairs),
        ]
    if not layers:
        notes.append("no layer of this network puts out maps, so there are no feature maps and no Grad-CAM")
    document = _document(run, saved, judged, worst, pairs) | {
        "images": about,
        "layers": [dataclasses.asdict(found) for found in layers],
        "notes": notes,
        "pictures": [
            {"file": f"{picture.name}.png", "caption": picture.caption, "alt": picture.alt} for picture in pictures
        ],
    }
    folder = out or run.path / "explain"
    _remove_earlier(folder)
    for picture in pictures:
        with replacing(folder / f"{picture.name}.png") as partial:
            partial.write_bytes(picture.png)
    document["folder"] = str(out) if out else f"{run.label}/explain"
    write_json(folder / EXPLANATION, document)
    if out is None:
        write_page([run])
        document["report"] = f"{run.label}/report.html"
    return document


def _judged(
    run: RunFolder, saved: SavedModel, given: Sequence[str | Path], watch: Watch
) -> tuple[Judged, str, list[str]]:
    """The images that were asked for, what they are, and what a reader should know of them."""
    data = run.settings["data"]
    predictor = open_predictor(saved)
    if not given or (len(given) == 1 and _is_same(given[0], data)):
        prepared = prepared_again(run, watch)
        judged = judge_validation_rows(
            predictor,
            prepared,
            valid_fraction=run.settings["train"]["valid_fraction"],
            split_seed=split_seed_of(run),
        )
        return judged, f"validation images of {prepared.description.name}", []
    judged = judge_files(predictor, find_inputs(given))
    notes = []
    if any(_is_inside(path, data) for path in given):
        notes.append(
            "these images lie in the data that the run was made on: some were trained on, and some may be its test "
            "images; what is chosen by looking at them is chosen by peeking"
        )
    if any(judged.labels_N == UNKNOWN) and any(judged.labels_N != UNKNOWN):
        notes.append("images that lie below no folder called like a class count neither as right nor as wrong")
    return judged, f"images of {', '.join(map(str, given[:3]))}" + (" and more" if len(given) > 3 else ""), notes


def _rows_to_explain(judged: Judged, worst: list[int], given: Sequence[str | Path], seed: int) -> list[int]:
    """The images to look at closely: the files themselves where a few were named, else some right and some wrong."""
    from trialwise.reports.explanation import N_CAM, images_to_explain

    if given and len(judged.names) <= N_CAM:
        return list(range(len(judged.names)))
    return images_to_explain(judged, worst, numpy_generator(seed, "explain"))


def _document(run: RunFolder, saved: SavedModel, judged: Judged, worst: list[int], pairs: list[Pair]) -> dict[str, Any]:
    classes = saved.classes
    n_labelled, n_wrong = int((judged.labels_N != UNKNOWN).sum()), int(judged.is_wrong_N.sum())
    return {
        "schema": "trialwise.image-explain/1",
        "run": run.label,
        "n": len(judged.names),
        "n_labelled": n_labelled,
        "n_wrong": n_wrong,
        "accuracy": 1 - n_wrong / n_labelled if n_labelled else None,
        "mistakes": [
            {
                "file": judged.names[row],
                "true": classes[judged.labels_N[row]],
                "predicted": classes[judged.predicted_N[row]],
                "probability": float(judged.probabilities_N2[row, 0]),
            }
            for row in worst
        ],
        "pairs": [
            {"true": classes[pair.true], "predicted": classes[pair.predicted], "n": pair.n, "n_true": pair.n_true}
            for pair in pairs
        ],
        "n_left_out": len(judged.left_out),
        "left_out": [{"file": file, "reason": reason} for file, reason in judged.left_out],
        "model_sha256": file_sha256(run.path / "model.safetensors"),
    }


def _is_same(path: str | Path, data: str) -> bool:
    return str(path) == data or Path(path).expanduser().absolute() == Path(data)


def _is_inside(path: str | Path, data: str) -> bool:
    return Path(data).is_absolute() and Path(path).expanduser().resolve().is_relative_to(Path(data).resolve())


def _remove_earlier(folder: Path) -> None:
    """Take away the pictures of an earlier explanation, which may have been of other layers or images."""
    if (folder / EXPLANATION).exists():
        for picture in read_json(folder / EXPLANATION)["pictures"]:
            (folder / Path(picture["file"]).name).unlink(missing_ok=True)

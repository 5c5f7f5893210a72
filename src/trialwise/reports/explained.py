"""What `image explain` left in a run folder, for the page."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import file_sha256, read_json
from trialwise.base.runs import RunFolder
from trialwise.reports.drawing import Picture
from trialwise.reports.verdicts import explanation_sentence, percent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explained:
    """Pictures, tables (caption, head and rows) and notes; all empty where there is no explanation of this model."""

    pictures: tuple[Picture, ...] = ()
    tables: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def explained(run: RunFolder) -> Explained:
    """The explanation in the folder, unless it is damaged or of a model that the run no longer has."""
    folder = run.path / "explain"
    try:
        document = read_json(folder / "explanation.json")
        if document["model_sha256"] != file_sha256(run.path / "model.safetensors"):
            return Explained()
        pictures = tuple(
            Picture(
                name=found["file"].removesuffix(".png"),
                caption=found["caption"],
                alt=found["alt"],
                png=(folder / found["file"]).read_bytes(),
            )
            for found in document["pictures"]
        )
        notes = (explanation_sentence(document), *document["notes"])
        return Explained(pictures=pictures, tables=_tables(document), notes=notes)
    except (UserError, OSError, KeyError, TypeError):
        return Explained()


def _tables(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    pairs = tuple(
        (
            found["true"],
            found["predicted"],
            str(found["n"]),
            f"{found['n_true']:,}",
            percent(found["n"] / found["n_true"]),
        )
        for found in document["pairs"]
    )
    mistakes = tuple(
        (found["file"], found["true"], found["predicted"], percent(found["probability"]))
        for found in document["mistakes"]
    )
    tables: list[Mapping[str, Any]] = []
    if pairs:
        head = ("true", "taken for", "images", "of", "share")
        tables.append({"caption": f"Most confusing pairs among the {document['images']}", "head": head, "rows": pairs})
    if mistakes:
        head = ("image", "true", "predicted", "probability")
        tables.append({"caption": "The most confident mistakes", "head": head, "rows": mistakes})
    return tuple(tables)

"""What `image explain` left in a run folder, for the page."""

from collections.abc import Mapping
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import file_sha256, read_json
from trialwise.base.runs import RunFolder
from trialwise.reports.drawing import Picture
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.verdicts import explanation_sentence, percent


def explained(run: RunFolder) -> tuple[Chapter, ...]:
    """The chapter on the explanation in the folder; none where it is damaged or of a model the run no longer has."""
    folder = run.path / "explain"
    try:
        document = read_json(folder / "explanation.json")
        if document["model_sha256"] != file_sha256(run.path / "model.safetensors"):
            return ()
        pictures = tuple(
            Picture(
                name=found["file"].removesuffix(".png"),
                caption=found["caption"],
                alt=found["alt"],
                png=(folder / found["file"]).read_bytes(),
            )
            for found in document["pictures"]
        )
        sentences = (explanation_sentence(document), *document["notes"])
        return (
            Chapter(
                heading="What the network looks at", sentences=sentences, tables=_tables(document), pictures=pictures
            ),
        )
    except (UserError, OSError, KeyError, TypeError):
        return ()


def _tables(document: Mapping[str, Any]) -> tuple[Table, ...]:
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
    tables: list[Table] = []
    if pairs:
        head = ("true", "taken for", "images", "of", "share")
        tables.append(Table(caption=f"Most confusing pairs among the {document['images']}", head=head, rows=pairs))
    if mistakes:
        head = ("image", "true", "predicted", "probability")
        tables.append(Table(caption="The most confident mistakes", head=head, rows=mistakes))
    return tuple(tables)

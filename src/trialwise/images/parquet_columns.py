"""Which columns of a Parquet file hold the images and their classes."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialwise.base.errors import UserError

if TYPE_CHECKING:
    import pyarrow

_IMAGE_NAMES = ("image", "img")
_LABEL_NAMES = ("label", "fine_label", "labels", "fine_labels", "class")
_EXPECTED = (
    "expected a column 'image' or 'img' with the bytes of image files, and a column 'label', 'fine_label' or 'labels' "
    "with their classes, as in the image data sets of Hugging Face"
)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where images and classes are.

    Attributes:
        image: The column of image files: their bytes, or a struct that has them under "bytes".
        label: The column of classes.
        classes: The name of each class number; None where the file does not say them.
        label_is_text: Whether the labels are the classes' names themselves.
        notes: What a reader of the results should know, one sentence each.
    """

    image: str
    label: str
    classes: tuple[str, ...] | None
    label_is_text: bool
    notes: tuple[str, ...] = field(default=(), compare=False)

    def class_name(self, label: int | str | None) -> str | None:
        """The name of a row's class; None where it has none."""
        if label is None or self.label_is_text:
            return str(label) if label else None
        number = int(label)
        if self.classes is None:
            return str(number) if number >= 0 else None
        return self.classes[number] if 0 <= number < len(self.classes) else None


def find_columns(schema: "pyarrow.Schema", path: Path) -> Columns:
    """The columns by what Hugging Face wrote into the schema's metadata, else by their names and types.

    Raises:
        UserError: There is no column of images or of labels, or more than one and no telling which.
    """
    import pyarrow.types as types

    features = _features(schema)

    def says(name: str, kind: str) -> bool:
        return features.get(name, {}).get("_type") == kind

    def is_image(column: "pyarrow.Field") -> bool:
        if types.is_struct(column.type):
            return any(part.name == "bytes" and _is_binary(part.type) for part in column.type)
        return _is_binary(column.type) and (says(column.name, "Image") or column.name in _IMAGE_NAMES)

    def is_label(column: "pyarrow.Field") -> bool:
        values = column.type.value_type if types.is_dictionary(column.type) else column.type
        known = says(column.name, "ClassLabel") or column.name in _LABEL_NAMES
        return known and (types.is_integer(values) or types.is_boolean(values) or _is_text(values))

    image = _only(path, schema, "images", [column.name for column in schema if is_image(column)], _IMAGE_NAMES)
    labels = [column.name for column in schema if is_label(column)]
    label = _only(path, schema, "labels", labels, _LABEL_NAMES)
    kind = schema.field(label).type
    names = features.get(label, {}).get("names")
    classes = tuple(map(str, names)) if isinstance(names, list) and names else None
    if classes and len(set(classes)) < len(classes):
        raise UserError(f"{path}: two of the classes of {label!r} have the same name")
    others = [repr(name) for name in labels if name != label]
    return Columns(
        image=image,
        label=label,
        classes=classes,
        label_is_text=_is_text(kind.value_type if types.is_dictionary(kind) else kind),
        notes=(f"the classes are those of the column {label!r}, not of {', '.join(others)}",) if others else (),
    )


def _only(path: Path, schema: "pyarrow.Schema", what: str, found: list[str], preferred: tuple[str, ...]) -> str:
    if chosen := [name for name in preferred if name in found]:
        return chosen[0]
    if len(found) == 1:
        return found[0]
    columns = ", ".join(f"{column.name!r} ({column.type})" for column in schema)
    many = f"{len(found)} columns" if found else "no column"
    raise UserError(f"{path} has {many} of {what}; its columns are {columns}", hint=_EXPECTED)


def _features(schema: "pyarrow.Schema") -> dict[str, dict[str, Any]]:
    """What Hugging Face's `datasets` writes of each column; {} where it did not write the file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _is_binary(kind: "pyarrow.DataType") -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_text(kind: "pyarrow.DataType") -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind)

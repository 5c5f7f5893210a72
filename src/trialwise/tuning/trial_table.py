"""All trials of a study as a table: one row a trial, and in a long second form one row an epoch; CSV or Parquet."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import replacing, write_text
from trialwise.tuning.studies import TrialRecord

Columns = dict[str, list[Any]]
FORMATS = (".csv", ".parquet")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n")


def trial_columns(records: Sequence[TrialRecord]) -> Columns:
    """One row a trial: number, state, value, epochs, seconds, `param.NAME` and `note.NAME` of every name, reason."""
    params = dict.fromkeys(name for record in records for name in record.params)
    notes = dict.fromkeys(name for record in records for name in record.notes if _is_the_objectives(name))
    return {
        "number": [record.number for record in records],
        "state": [record.state for record in records],
        "value": [record.value for record in records],
        "epochs": [len(record.scores) for record in records],
        "seconds": [record.seconds for record in records],
        **{f"param.{name}": [record.params.get(name) for record in records] for name in params},
        **{f"note.{name}": [_plain(record.notes.get(name)) for record in records] for name in notes},
        "reason": [record.notes.get("reason") for record in records],
    }


def _is_the_objectives(note: str) -> bool:
    return note != "reason" and not note.startswith("trialwise:")


def score_columns(records: Sequence[TrialRecord]) -> Columns:
    """One row a trial and epoch: number, epoch (from 1), score."""
    rows = [(record.number, epoch, score) for record in records for epoch, score in record.scores.items()]
    numbers, epochs, scores = zip(*rows, strict=True) if rows else ((), (), ())
    return {"number": list(numbers), "epoch": list(epochs), "score": list(scores)}


def check_table_file(option: str, path: Path) -> None:
    """Refuse a file that is there already, is of no known format, or cannot be written here.

    Raises:
        UserError: Naming the option.
    """
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{option} {path}: expected a name that ends in {' or '.join(FORMATS)}")
    if path.exists():
        raise UserError(f"{option} {path}: it is there already", hint="name a new file, so that nothing is overwritten")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {path.absolute().parent}")
    if path.suffix.lower() == ".parquet":
        _pyarrow(option)


def write_table(columns: Columns, path: Path) -> None:
    """Write the table as CSV or Parquet, by the name's ending, whole or not at all; numbers keep every digit."""
    if path.suffix.lower() == ".csv":
        write_text(path, _csv_text(columns))
        return
    arrow, parquet = _pyarrow("--to")
    table = arrow.table({name: _arrow_column(arrow, values) for name, values in columns.items()})
    with replacing(path) as partial:
        parquet.write_table(table, partial)


def _csv_text(columns: Columns) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows(map(_cell, row) for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def _cell(value: Any) -> str:
    """A value as CSV: numbers to the last digit, and text that a spreadsheet would run as a formula behind a '."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")  # csv would not quote a \r, and readers end the line
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else value


def _arrow_column(arrow: Any, values: list[Any]) -> Any:
    """The values in one type; where theirs differ, as JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds == {int, float}:
        return arrow.array([float(v) if kinds == {int, float} and v is not None else v for v in values])
    return arrow.array([None if value is None else json.dumps(value, ensure_ascii=False) for value in values])


def _pyarrow(option: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UserError(
            f"{option}: Parquet needs pyarrow, which is not installed", hint="pip install 'trialwise[parquet]', or .csv"
        ) from None
    return pyarrow, pyarrow.parquet

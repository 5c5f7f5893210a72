"""A file of any encoding and separator -> rows of text cells with their line numbers."""

import csv
import dataclasses
import difflib
import io
import json
from pathlib import Path

from trialwise.base.errors import UserError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: `line` is the 1-based line of the file it ends on, `cells` its texts without spaces around them."""

    line: int
    cells: list[str]


def line_error(path: Path, line: int, problem: str, *, hint: str = "") -> UserError:
    """The error for one line of a file."""
    return UserError(f"{path}, line {line}: {problem}", hint=hint)


def quoted(text: str) -> str:
    """A cell for a message, in quotes and cut short: an unclosed quote can make one cell of a whole file."""
    return repr(text if len(text) <= 60 else text[:60] + "...")


def read_text(path: Path) -> str:
    """The text of a file that may hold a table.

    Raises:
        UserError: There is no such file, or it is a folder, empty, binary, JSON or a web page.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: expected a CSV file of prices", hint="name one file inside it")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise _missing_file(path) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    text = _decode(raw, path)
    start = text.lstrip()
    if not start:
        raise UserError(f"{path} is empty: expected a CSV file of prices", hint="download it again")
    if start[0] in "{[":
        raise _json_answer(path, start)
    if start[0] == "<" and "," not in start.splitlines()[0]:
        raise UserError(
            f"{path} holds a web page, not prices", hint="download the CSV itself, not the page that shows it"
        )
    return text


def split_rows(text: str, separator: str) -> list[Row]:
    """The rows of the text that hold anything, cut at `separator`; quoted cells may hold it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(Row(reader.line_num, stripped))
    except csv.Error:  # a quote that opens a cell and never closes it
        rows.append(Row(reader.line_num, [text.splitlines()[reader.line_num - 1][:80]]))
    return rows


def _decode(raw: bytes, path: Path) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # Excel's "Unicode text"
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw:
        hint = "save the sheet as CSV first" if raw[:2] == b"PK" else "name a CSV file"
        raise UserError(f"{path} is a binary file: expected a CSV file of prices", hint=hint)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _missing_file(path: Path) -> UserError:
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"did you mean {path.with_name(near[0])}?" if near else "give the path of a CSV file with a date and a close"
    return UserError(f"no such file: {path}", hint=hint)


def _json_answer(path: Path, text: str) -> UserError:
    said = ""
    try:
        document = json.loads(text)
        if isinstance(document, dict):
            said = next((value for value in document.values() if isinstance(value, str)), "")
    except json.JSONDecodeError:
        pass
    quoted = f": {said[:160]!r}" if said else ""
    return UserError(
        f"{path} holds a JSON answer, not prices{quoted}",
        hint="the vendor's server answered with a message; download the CSV again, often a minute later",
    )

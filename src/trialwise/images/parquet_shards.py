"""Which rows of a folder of Parquet files are for training and which for the test, from the file names alone."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trialwise.base.errors import UserError
from trialwise.images.folders import FoundFile
from trialwise.images.layout import TEST_NAMES, TRAIN_NAMES, VALID_NAMES

_SPLITS = dict.fromkeys(TRAIN_NAMES, "train") | dict.fromkeys(TEST_NAMES, "test") | dict.fromkeys(VALID_NAMES, "valid")
_NUMBERED = re.compile(r"-(\d{5})-of-(\d{5})")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A Parquet file whose rows all belong to one split."""

    file: FoundFile
    role: Literal["train", "test"]

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.file.path)


def read_names(files: Sequence[FoundFile], *, location: str) -> dict[FoundFile, str | None]:
    """Each file's split: "train", "test" or "valid" by its name, or None.

    It is a word of the file's name (`train-00000-of-00001.parquet`) or else of a folder's (`train/0000.parquet`), as
    on Hugging Face. Where no name says a split, all files are for training.

    Args:
        files: The Parquet files below a folder.
        location: What messages call the folder.

    Raises:
        UserError: The folder holds several data sets, or a shard is missing.
    """
    splits = {file: _split(file.name) for file in files}
    _check_single({_data_set(file.name, split) for file, split in splits.items()}, location)
    _check_complete(files)
    return splits if any(splits.values()) else dict.fromkeys(files, "train")


def assign_roles(
    splits: Mapping[FoundFile, str | None], hidden: Collection[FoundFile], *, location: str
) -> tuple[list[Shard], list[str]]:
    """The files that are used, and notes on those that are not.

    Validation files stand in for test files where there are none with labels.

    Args:
        splits: What `read_names` gave.
        hidden: Files whose rows have no labels.
        location: What messages call the folder.

    Raises:
        UserError: There are no labelled rows for training.
    """
    labelled = {split for file, split in splits.items() if file not in hidden}
    if "train" not in labelled:
        raise UserError(
            f"{location} holds no labelled training rows",
            hint="expected train-00000-of-00001.parquet or the like; one file alone can be given by itself",
        )
    test = "test" if "test" in labelled else "valid"
    shards, notes = [], []
    for file, split in splits.items():
        if file in hidden:
            notes.append(f"{file.name} is not used: its rows have no labels")
        elif split == "train":
            shards.append(Shard(file=file, role="train"))
        elif split == test:
            shards.append(Shard(file=file, role="test"))
        elif split == "valid":
            notes.append(f"{file.name} is not used: training splits its own validation rows off the training rows")
        else:
            notes.append(f"{file.name} is not used: its name says neither train nor test")
    if test == "valid" and "valid" in labelled:
        notes.append("the validation rows are used as the test rows, because there are no others")
    return shards, notes


def _split(name: str) -> str | None:
    """The split in a file's name, or in that of the innermost folder that names one."""
    for part in reversed(name.lower().removesuffix(".parquet").split("/")):
        for word in re.split(r"[^a-z]+", part):
            if word in _SPLITS:
                return _SPLITS[word]
    return None


def _data_set(name: str, split: str | None) -> str:
    """The folder that a file's data set lies in: a repository may hold several, one folder each."""
    folders = name.split("/")[:-1]
    if split is not None and folders and _split(folders[-1]) == split:
        folders = folders[:-1]
    return "/".join(folders)


def _check_single(data_sets: set[str], location: str) -> None:
    if len(data_sets) > 1:
        names = ", ".join(repr(name or ".") for name in sorted(data_sets)[:5])
        raise UserError(
            f"{location} holds Parquet files of {len(data_sets)} data sets, in {names}",
            hint=f"name one of them, such as {location}/{max(data_sets)}",
        )


def _check_complete(files: Sequence[FoundFile]) -> None:
    """Refuse a set of which a shard is missing: half of a data set would be measured as if it were whole."""
    names = {file.name for file in files}
    for file in files:
        if numbered := _NUMBERED.search(file.name):
            for number in range(int(numbered[2])):
                # Older names end in a hash of their own: only the beginnings can be compared.
                wanted = f"{file.name[: numbered.start()]}-{number:05}-of-{numbered[2]}"
                if not any(name.startswith(wanted) for name in names):
                    raise UserError(
                        f"{wanted}.parquet is missing beside {file.path}",
                        hint="download it too; or give one file alone, of which the test is then split off",
                    )

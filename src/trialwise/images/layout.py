"""What the paths of a data set mean: which file is in which split and of which class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trialwise.base.errors import UserError
from trialwise.images.decoding import IMAGE_SUFFIXES

CLASS_LIMIT = 1000

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VALID_NAMES = ("valid", "val", "validation")

_JUNK = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini"}

_EXPECTED = "expected one folder for each class (CLASS/IMAGE), with or without train/ and test/ above them"

Parts = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each file belongs.

    Attributes:
        places: File -> ("train" or "test", class). Without a test folder all are "train".
        classes: The class names, sorted.
        has_test: Whether there is a folder of test images.
        left_out: File and reason, for files that lie where images belong and are not used.
        notes: What a reader of the results should know, one sentence each.
    """

    places: dict[str, tuple[str, str]]
    classes: tuple[str, ...]
    has_test: bool
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def is_image_name(name: str) -> bool:
    """Whether the name ends as an image's does, in any case."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_junk(path: str) -> bool:
    """Whether any part of the path is hidden or left by an operating system: never worth a message."""
    parts = path.lower().split("/")
    return any((part.startswith(".") and part != "..") or part in _JUNK for part in parts)


def arrange(files: Iterable[str], *, location: str) -> Layout:
    """The split and the class of every file, from the paths alone.

    The first folder, or the one under train/ and test/, is the class; folders below it do not matter. One folder
    around everything is looked through. `val/`, `valid/` or `validation/` stand in for `test/` where there is none.

    Args:
        files: Paths relative to the source, with "/" between the parts.
        location: What messages call the source.

    Raises:
        UserError: There are no images, no class folders, fewer than two classes, more than 1,000, or test classes
            that are not in train.
    """
    parts = {file: tuple(file.split("/")) for file in files}
    images = [part for part in parts.values() if is_image_name(part[-1])]
    if not images:
        kinds = " ".join(IMAGE_SUFFIXES)
        raise UserError(f"{location} holds no images ({kinds})", hint=f"{_EXPECTED}, got {len(parts)} other files")
    depth = _wrapping(images)
    inner = {file: part[depth:] for file, part in parts.items() if len(part) > depth}
    roles, notes = _roles([part[depth:] for part in images], location)

    left_out, placed, others = [], {}, []
    for file, part in inner.items():
        role = roles.get(part[0], "unused") if roles else "train"
        below = part[1:] if roles else part
        if role == "unused":
            continue
        if len(below) >= 2 and is_image_name(file):
            placed[file] = (role, below[0])
        elif is_image_name(file):
            left_out.append((file, "not in a class folder"))
        elif len(below) >= 2:
            others.append((file, role, below[0]))
    folders = set(placed.values())
    left_out += [(file, "not an image by its name") for file, role, name in others if (role, name) in folders]
    for name in sorted({name for _, role, name in others if (role, name) not in folders}):
        notes.append(f"the folder {name!r} is not used: it holds no images ({' '.join(IMAGE_SUFFIXES)})")
    has_test = any(role == "test" for role, _ in folders)
    if "test" in roles.values() and not has_test:
        notes.append("the test folder is not used: it holds no class folders")
    classes = _classes(folders, location, expected=_EXPECTED)
    return Layout(
        places=placed, classes=classes, has_test=has_test, left_out=tuple(sorted(left_out)), notes=tuple(notes)
    )


def arrange_placed(places: Mapping[str, tuple[str, str]], *, location: str) -> Layout:
    """The layout of files whose split and class the source says itself.

    Args:
        places: File -> ("train" or "test", class).
        location: What messages call the source.

    Raises:
        UserError: There are no training images, fewer than two classes, more than 1,000, or test classes that are not
            in train.
    """
    found = set(places.values())
    if not any(role == "train" for role, _ in found):
        raise UserError(f"{location} holds no training images with a class")
    return Layout(
        places=dict(places),
        classes=_classes(found, location, expected="expected images of two or more classes"),
        has_test=any(role == "test" for role, _ in found),
        left_out=(),
        notes=(),
    )


def _wrapping(images: list[Parts]) -> int:
    """1 where a single folder that is neither a class nor a split stands around everything, else 0."""
    tops = {part[0] for part in images}
    if (
        len(tops) != 1
        or min(map(len, images)) < 2
        or next(iter(tops)).lower() in TRAIN_NAMES + TEST_NAMES + VALID_NAMES
    ):
        return 0
    holds_splits = any(len(part) >= 4 and part[1].lower() in TRAIN_NAMES for part in images)
    return int(holds_splits or all(len(part) >= 3 for part in images))


def _roles(images: list[Parts], location: str) -> tuple[dict[str, str], list[str]]:
    """Top folder -> "train", "test" or "unused", and notes; {} where the top folders are the classes.

    A top folder named train is a class like any other as long as it holds no folders of images itself.
    """
    counts: dict[str, int] = {}
    for part in images:
        if len(part) >= 2:
            counts[part[0]] = counts.get(part[0], 0) + 1
    nested = sorted({part[0] for part in images if len(part) >= 3})
    train = [name for name in nested if name.lower() in TRAIN_NAMES]
    if not train:
        if tests := [name for name in nested if name.lower() in TEST_NAMES + VALID_NAMES]:
            raise UserError(f"{location} holds {tests[0]}/ and no train/", hint=_EXPECTED)
        return {}, []
    test = [name for name in counts if name.lower() in TEST_NAMES]
    valid = [name for name in counts if name.lower() in VALID_NAMES]
    roles = dict.fromkeys(train, "train") | dict.fromkeys(test, "test")
    notes = []
    if valid and not test:
        roles |= dict.fromkeys(valid[:1], "test")
        notes.append(f"{valid[0]}/ is used as the test images, because there is no test/")
    for name in sorted(counts.keys() - roles.keys()):
        why = (
            "training splits its own validation images off train/" if name in valid else "it is neither train nor test"
        )
        notes.append(f"the {counts[name]:,} images in {name}/ are not used: {why}")
    return roles, notes


def _classes(found: set[tuple[str, str]], location: str, *, expected: str) -> tuple[str, ...]:
    train = sorted({name for role, name in found if role == "train"})
    if not train:
        raise UserError(f"{location} holds images but no class folders", hint=expected)
    if unknown := sorted({name for role, name in found if role == "test"} - set(train)):
        raise UserError(
            f"{location}: {', '.join(map(repr, unknown[:3]))} {'is a class' if len(unknown) == 1 else 'are classes'} "
            "of the test images and not of the training images",
            hint=f"the classes of the training images are {', '.join(map(repr, train[:10]))}",
        )
    if len(train) == 1:
        raise UserError(f"{location} holds a single class, {train[0]!r}: expected two or more", hint=expected)
    if len(train) > CLASS_LIMIT:
        raise UserError(f"{location} holds {len(train):,} classes: expected at most {CLASS_LIMIT:,}", hint=expected)
    return tuple(train)

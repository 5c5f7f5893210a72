import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images.layout import arrange
from trialwise.images.sources import find_source
from trialwise.images.store import prepare


def files_of(source):
    return [entry.file for entry in source.entries()]


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_digits_are_grey_pixels_scaled_to_a_byte():
    source = find_source("digits")
    entries = list(source.entries())
    assert (source.name, source.kind, len(entries)) == ("digits", "digits", 1797)
    pixels = np.stack([entry.content for entry in entries])
    assert pixels.shape == (1797, 8, 8)
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) == {round(value * 255 / 16) for value in range(17)}
    assert entries[0].file == "0/0000.png"
    assert len(arrange(files_of(source), location="digits").classes) == 10


def test_a_folder_gives_its_files_sorted_and_by_path(pictures):
    source = find_source(str(pictures))
    assert (source.name, source.kind, source.location) == ("pictures", "folder", str(pictures))
    assert files_of(source) == sorted(files_of(source))
    first = next(source.entries())
    assert first.file == "cats/000.png"
    assert first.content == pictures / "cats" / "000.png"


def test_a_missing_path(tmp_path):
    with pytest.raises(UserError, match="no such folder or archive") as caught:
        find_source(str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in caught.value.message


@pytest.mark.parametrize(
    ("data", "near"),
    [
        ("cifar-10", "cifar10"),
        ("CIFAR10", "cifar10"),
        ("cifar", "cifar10"),
        ("cifar-100", "cifar100"),
        ("FashionMNIST", "fashion_mnist"),
        ("fashion-mnist", "fashion_mnist"),
        ("MNIST", "mnist"),
    ],
)
def test_a_name_nearly_right(data, near):
    with pytest.raises(UserError, match="unknown data set") as caught:
        find_source(data)
    assert caught.value.hint == f"did you mean {near!r}?"


def test_a_name_that_is_far_off_and_an_empty_one():
    with pytest.raises(UserError, match="unknown data set 'zebra'") as caught:
        find_source("zebra")
    assert "a folder of class folders" in caught.value.hint
    with pytest.raises(UserError, match="no such folder or archive: ''"):
        find_source("")


def test_a_file_that_is_no_archive(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n")
    with pytest.raises(UserError, match=r"table.csv is a file, and neither a folder, a Parquet file nor an archive"):
        find_source(str(path))


@pytest.mark.parametrize("data", ["pictures", "digits"])
def test_data_dir_is_for_downloaded_sets_alone(pictures, data):
    with pytest.raises(UserError, match="--data-dir is where a copy of a named data set lies") as caught:
        find_source(data, data_dir=pictures)
    assert "leave --data-dir out" in caught.value.hint


@pytest.mark.parametrize("name", ["pictures.zip", "pictures.tar.gz"])
def test_an_archive_holds_what_the_folder_holds(pictures, tmp_path, name):
    (pictures / "cats" / ".hidden.png").write_bytes(b"")
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(pictures.rglob("*")):
                archive.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(pictures, "pictures")
    source = find_source(str(path))
    assert (source.name, source.kind) == ("pictures", "archive")
    contents = {entry.file.removeprefix("pictures/"): entry.content for entry in source.entries()}
    folder = {entry.file: entry.content.read_bytes() for entry in find_source(str(pictures)).entries()}
    assert contents == folder


def test_a_path_out_of_an_archive_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../evil.png", b"evil")
    (entry,) = find_source(str(tmp_path / "a.zip")).entries()
    assert entry.file == "../evil.png"
    assert entry.content is None
    assert "leads out" in entry.reason


def test_the_fingerprint_of_a_folder_changes_with_its_files(pictures, tmp_path):
    def fingerprint(folder=pictures):
        return find_source(str(folder)).fingerprint

    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    os.utime(pictures / "cats" / "000.png", ns=(1, 1))
    seen.append(fingerprint())
    (pictures / "cats" / "000.png").rename(pictures / "cats" / "renamed.png")
    seen.append(fingerprint())
    (pictures / "cats" / "renamed.png").unlink()
    seen.append(fingerprint())
    shutil.copytree(pictures, tmp_path / "copy")  # keeps times; another folder may still hold other pictures
    seen.append(fingerprint(tmp_path / "copy"))
    assert len(set(seen)) == 5
    (pictures / ".DS_Store").write_bytes(b"looked at it")
    assert fingerprint() == seen[3]


def test_links_in_a_folder_are_followed_and_circles_end(pictures, tmp_path):
    outside = touch(tmp_path / "outside", "1.png", "2.png")
    (pictures / "birds").symlink_to(outside)
    (pictures / "cats" / "round").symlink_to(pictures)
    (pictures / "dogs" / "lost.png").symlink_to(tmp_path / "nowhere")
    files = files_of(find_source(str(pictures)))
    assert "birds/1.png" in files
    assert "dogs/lost.png" in files
    assert not any(file.startswith("cats/round") for file in files)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_a_folder_is_not_waited_for(pictures):
    os.mkfifo(pictures / "cats" / "pipe.png")
    (pictures / "cats" / "link.png").symlink_to("pipe.png")
    (pictures / "cats" / "round.png").symlink_to("round.png")
    entries = {entry.file: entry for entry in find_source(str(pictures)).entries()}
    for name in ("cats/pipe.png", "cats/link.png"):
        assert (entries[name].content, entries[name].reason) == (None, "a device or a pipe, not a file")
    assert "cats/round.png" in entries  # a link that leads round: decoding names it
    left_out = dict(prepare(find_source(str(pictures))).description.left_out)
    assert left_out["cats/pipe.png"] == "a device or a pipe, not a file"
    assert "links" in left_out["cats/round.png"]


def test_names_that_are_not_utf8_can_be_written_down(pictures):
    try:
        Path(os.fsdecode(os.fsencode(pictures / "cats") + b"/caf\xe9.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert "cats/caf\\udce9.png" in files_of(find_source(str(pictures)))

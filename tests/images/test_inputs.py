"""Files, folders, globs and archives become one stream of images, in the order given."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images.inputs import find_inputs


@pytest.fixture
def photos(tmp_path, write_images):
    return write_images(tmp_path / "photos", {"b": 2, "a": 1})


def names(*paths):
    return [found.name for found in find_inputs(paths)]


def test_folders_files_and_globs_in_the_order_given(photos):
    assert names("photos") == ["photos/a/000.png", "photos/b/000.png", "photos/b/001.png"]
    assert names("photos/b/001.png", "photos/a") == ["photos/b/001.png", "photos/a/000.png"]
    assert names("photos/b/*.png") == ["photos/b/000.png", "photos/b/001.png"]
    assert names("photos/**/000.*") == ["photos/a/000.png", "photos/b/000.png"]
    assert names(photos / "a") == [str(photos / "a" / "000.png")]


def test_a_file_is_taken_whatever_its_name_and_what_is_beside_images_in_a_folder_is_not(photos):
    (photos / "a" / "notes.txt").write_text("x")
    (photos / "a" / ".hidden.png").write_text("x")
    assert names("photos/a/notes.txt") == ["photos/a/notes.txt"]
    assert names("photos/a") == ["photos/a/000.png"]


def test_a_file_with_brackets_in_its_name_is_a_file(photos):
    (photos / "a" / "000.png").rename("cat[1].png")
    assert names("cat[1].png") == ["cat[1].png"]


def test_a_folder_called_like_a_data_set_is_a_folder(photos):
    Path("photos").rename("digits")
    assert names("digits/a") == ["digits/a/000.png"]
    assert len(names("digits")) == 3


def test_an_archive_stands_for_the_images_inside_it(photos):
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for file in sorted(photos.rglob("*.png")):
            archive.write(file, file.relative_to(photos.parent))
    found = list(find_inputs(["photos.zip"]))
    assert [entry.name for entry in found] == [
        "photos.zip/photos/a/000.png",
        "photos.zip/photos/b/000.png",
        "photos.zip/photos/b/001.png",
    ]
    assert found[0].content == (photos / "a" / "000.png").read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(photos):
    os.mkfifo("pipe.png")
    with pytest.raises(UserError, match=r"pipe.png is neither a file nor a folder"):
        find_inputs(["pipe.png"])


def test_a_name_that_is_no_text_is_written_out(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        Path(name).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system keeps names of text only")
    assert names(name) == ["caf\\udce9.png"]


def test_paths_that_lead_nowhere_are_refused_at_once(photos):
    with pytest.raises(UserError, match="at least one image file"):
        find_inputs([])
    with pytest.raises(UserError, match="no such file or folder: 'missing'"):
        find_inputs(["photos", "missing"])
    with pytest.raises(UserError, match="no file matches"):
        find_inputs(["photos/*.gif"])


def test_nothing_is_decoded_yet(photos):
    for found in find_inputs(["photos"]):
        assert isinstance(found.content, Path)
        assert not isinstance(found.content, np.ndarray)

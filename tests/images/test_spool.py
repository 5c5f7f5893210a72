import tarfile

import numpy as np
import pytest
from PIL import Image

from trialwise.images import spool
from trialwise.images.store import open_train


def test_broken_files_are_left_out_named_and_counted(pictures, prepared):
    cats = pictures / "cats"
    whole = (cats / "000.png").read_bytes()
    (cats / "cut.png").write_bytes(whole[:-40])
    (cats / "empty.jpg").write_bytes(b"")
    (cats / "text.png").write_text("a text")
    (cats / "list.csv").write_text("a,b")
    (cats / "lost.png").symlink_to(pictures / "nowhere.png")
    (pictures / "README.txt").write_text("about")
    found = prepared(pictures).description
    assert found.n_train + found.n_test == 20
    left_out = dict(found.left_out)
    assert sorted(left_out) == ["cats/cut.png", "cats/empty.jpg", "cats/list.csv", "cats/lost.png", "cats/text.png"]
    assert left_out["cats/empty.jpg"] == "an empty file"
    assert "not an image" in left_out["cats/text.png"]
    assert "No such file" in left_out["cats/lost.png"]


def test_members_that_lead_out_of_an_archive_are_left_out(pictures, tmp_path, prepared):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(pictures, "pictures")
        archive.add(pictures / "cats" / "000.png", "pictures/cats/../../../evil.png")
    found = prepared(tmp_path / "a.tar").description
    assert found.n_train + found.n_test == 20
    assert found.left_out == (("pictures/cats/../../../evil.png", "its name leads out of the archive"),)


def test_a_name_twice_in_a_tar_counts_once_and_the_last_wins(tmp_path, write_images, prepared):
    write_images(tmp_path / "set" / "train", {"a": 3, "b": 3})
    write_images(tmp_path / "set" / "test", {"a": 1, "b": 1})
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
        archive.add(tmp_path / "set" / "train" / "b" / "000.png", "set/train/a/000.png")
    rows = open_train(prepared(tmp_path / "a.tar"))
    assert len(rows.labels_N) == 6
    assert (rows.images_NHWC[0] == rows.images_NHWC[3]).all()
    (tmp_path / "broken.png").write_text("a text")
    with tarfile.open(tmp_path / "a.tar", "a") as archive:
        archive.add(tmp_path / "broken.png", "set/train/a/000.png")
    found = prepared(tmp_path / "a.tar").description
    assert found.train_counts == (2, 3)
    assert found.left_out == (("set/train/a/000.png", "not an image, whatever its name says"),)


@pytest.mark.parametrize("container", ["folder", "tar"])
@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)], 28),
        ([(64, 64)], 64),
        ([(65, 65)], 64),
        ([(4, 4)], 32),
        ([(40, 28)], 32),
        ([(28, 28), (29, 29)], 32),
        ([(30, 90), (300, 60), (200, 48)], 64),
        ([(30, 90), (300, 60), (200, 47)], 32),
    ],
)
def test_the_size_is_taken_from_the_images(tmp_path, write_images, sizes, expected, container, prepared):
    for number, size in enumerate(sizes):
        write_images(tmp_path / "set", {f"a{number}": 3, f"b{number}": 3}, size=size)
    # Neither of these is a picture of a class, so neither has a say.
    Image.new("RGB", (500, 500)).save(tmp_path / "set" / "logo.png")
    (tmp_path / "set" / "a0" / "broken.png").write_bytes(b"broken")
    path = tmp_path / "set"
    if container == "tar":
        path = tmp_path / "set.tar"
        with tarfile.open(path, "w") as archive:
            archive.add(tmp_path / "set", ".")
    found = prepared(path).description
    assert (found.height, found.width) == (expected, expected)


def test_the_size_can_be_given(pictures, prepared):
    assert prepared(pictures, image_size=20).description.height == 20
    assert open_train(prepared(pictures, image_size=8)).images_NHWC.shape[1:] == (8, 8, 3)
    assert open_train(prepared(pictures)).images_NHWC.shape[1:] == (12, 12, 3)


def test_grey_only_where_every_image_is(tmp_path, write_images, prepared):
    write_images(tmp_path / "set", {"a": 5, "b": 5}, mode="L")
    data = prepared(tmp_path / "set")
    assert data.description.channels == 1
    grey = open_train(data).images_NHWC
    files = {np.asarray(Image.open(file)).tobytes() for file in (tmp_path / "set").rglob("*.png")}
    assert {image.tobytes() for image in grey} <= files
    Image.new("RGB", (12, 12), "red").save(tmp_path / "set" / "b" / "zzz.png")
    data = prepared(tmp_path / "set")
    assert data.description.channels == 3
    assert open_train(data).images_NHWC.shape[-1] == 3


def test_progress_counts_to_the_end(pictures, monkeypatch, prepared):
    monkeypatch.setattr(spool, "_PROGRESS_EVERY", 8)
    calls = []
    prepared(pictures, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(8, 20), (16, 20), (20, 20)]


def test_all_images_broken(tmp_path, refusal):
    for name in ["a/1.png", "a/2.png", "b/1.png"]:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text("a text")
    message = refusal(tmp_path / "set")
    assert "none of the 3 images can be decoded" in message
    assert "a/1.png" in message


def test_a_folder_that_is_no_data_set_is_refused_before_the_work(pictures, monkeypatch, refusal):
    for file in (pictures / "dogs").iterdir():
        file.unlink()
    monkeypatch.setattr(spool, "decode", None)
    assert "single class, 'cats'" in refusal(pictures)

import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trialwise.base.errors import WorkError
from trialwise.images import store
from trialwise.images.held_out import open_test
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare


def rows_as_set(rows):
    return {(image.tobytes(), int(label)) for image, label in zip(rows.images_NHWC, rows.labels_N, strict=True)}


def test_digits():
    data = prepare(find_source("digits"))
    found = data.description
    assert (found.name, found.kind, found.test_origin) == ("digits", "digits", "split off")
    assert (found.channels, found.height, found.width) == (1, 8, 8)
    assert found.classes == tuple("0123456789")
    assert found.n_train + found.n_test == 1797
    assert abs(found.n_test - 1797 / 5) < 10
    rows = open_train(data)
    assert rows.images_NHWC.shape == (found.n_train, 8, 8, 1)
    assert rows.images_NHWC.dtype == np.uint8
    assert rows.labels_N.dtype == np.int64
    assert tuple(np.bincount(rows.labels_N)) == found.train_counts


def test_a_folder_without_test_is_split_and_every_row_is_on_one_side(pictures, prepared):
    data = prepared(pictures)
    found = data.description
    assert (found.n_train, found.n_test) == (16, 4)
    assert found.train_counts == (8, 8)
    assert found.test_counts == (2, 2)
    train, test = rows_as_set(open_train(data)), rows_as_set(open_test(data))
    assert not train & test
    expected = {
        (np.asarray(Image.open(file)).tobytes(), number)
        for number, name in enumerate(["cats", "dogs"])
        for file in (pictures / name).iterdir()
    }
    assert train | test == expected


def test_the_test_rows_are_the_same_every_time(pictures, monkeypatch, tmp_path, prepared):
    first = prepared(pictures)
    monkeypatch.setenv("TRIALWISE_CACHE_DIR", str(tmp_path / "another"))
    second = prepared(pictures)
    assert first.folder != second.folder
    assert (open_test(first).images_NHWC == open_test(second).images_NHWC).all()
    assert first.description == second.description


def test_a_test_folder_is_used_as_it_is(tmp_path, write_images, prepared):
    write_images(tmp_path / "set" / "train", {"a": 4, "b": 3})
    write_images(tmp_path / "set" / "test", {"a": 2})
    data = prepared(tmp_path / "set")
    assert data.description.test_origin == "test folder"
    assert data.description.train_counts == (4, 3)
    assert data.description.test_counts == (2, 0)
    assert data.description.notes == ("there are no test images of 'b'",)
    expected = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "set" / "test" / "a").iterdir())]
    assert (open_test(data).images_NHWC == expected).all()


def test_rows_are_sorted_by_class_and_file(tmp_path, write_images, prepared):
    write_images(tmp_path / "set" / "train", {"b": 3, "a": 3})
    write_images(tmp_path / "set" / "test", {"a": 2})
    rows = open_train(prepared(tmp_path / "set"))
    assert rows.labels_N.tolist() == [0, 0, 0, 1, 1, 1]
    files = sorted((tmp_path / "set" / "train").rglob("*.png"))
    assert (rows.images_NHWC == [np.asarray(Image.open(file)) for file in files]).all()
    assert rows.files == [file.relative_to(tmp_path / "set").as_posix() for file in files]


@pytest.mark.parametrize("name", ["pictures.zip", "pictures.tar.xz"])
def test_an_archive_gives_the_same_arrays_as_its_folder(pictures, tmp_path, name, prepared):
    files = sorted(pictures.rglob("*.png"), key=lambda file: file.name)  # not the folder's order
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for file in files:
                archive.write(file, Path("wrapped") / file.relative_to(pictures))
    else:
        with tarfile.open(tmp_path / name, "w:xz") as archive:
            for file in files:
                archive.add(file, Path("wrapped") / file.relative_to(pictures))
    packed, folder = prepared(tmp_path / name), prepared(pictures)
    assert packed.description.content_sha256 == folder.description.content_sha256
    assert packed.description.kind == "archive"
    assert (open_train(packed).images_NHWC == open_train(folder).images_NHWC).all()


@pytest.mark.parametrize("size", [0, 7, 257])
def test_a_size_out_of_range_is_refused(pictures, size, refusal):
    assert "--image-size: expected at least 8 and at most 256" in refusal(pictures, image_size=size)


def test_a_second_call_opens_what_is_there(pictures, monkeypatch, prepared):
    first = prepared(pictures)

    def never(*arguments, **options):
        raise AssertionError("decoded again")

    monkeypatch.setattr(store, "decode_all", never)
    start = time.process_time()
    assert prepared(pictures) == first
    assert time.process_time() - start < 0.1
    with pytest.raises(AssertionError, match="decoded again"):
        prepared(pictures, image_size=16)
    os.utime(pictures / "cats" / "000.png", ns=(1, 1))
    with pytest.raises(AssertionError, match="decoded again"):
        prepared(pictures)


def test_what_could_not_be_read_once_is_tried_again(pictures, prepared):
    whole = prepared(pictures)
    file = whole.folder / "description.json"
    document = json.loads(file.read_text())
    document["left_out"] = [["cats/000.png", "cannot be read: Permission denied"]]
    file.write_text(json.dumps(document))
    assert prepared(pictures).description == whole.description


def test_a_renamed_archive_is_not_decoded_again_and_has_its_new_name(pictures, tmp_path, prepared):
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for file in pictures.rglob("*.png"):
            archive.write(file, file.relative_to(pictures))
    first = prepared(tmp_path / "old.zip")
    (tmp_path / "old.zip").rename(tmp_path / "new.zip")
    second = prepared(tmp_path / "new.zip")
    assert second.folder == first.folder
    assert (first.description.name, second.description.name) == ("old", "new")


@pytest.mark.parametrize("name", ["train_images.npy", "test_images.npy", "train_labels.npy", "description.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_store_is_made_again(pictures, name, damage, prepared):
    data = prepared(pictures)
    images, description = open_train(data).images_NHWC, data.description
    path = data.folder / name
    path.write_bytes(path.read_bytes()[:-20]) if damage == "cut" else path.unlink()
    again = prepared(pictures)
    assert again.description == description
    assert (open_train(again).images_NHWC == images).all()
    assert [entry.name for entry in data.folder.parent.iterdir()] == [data.folder.name]


def test_the_description_survives_the_disk(pictures, prepared):
    (pictures / "cats" / "text.png").write_text("a text")
    assert prepared(pictures).description == prepared(pictures).description
    files = {path.name for path in prepared(pictures).folder.iterdir()}
    arrays = {f"{split}_{part}.npy" for split in ["train", "test"] for part in ["images", "labels"]}
    assert files == {"description.json", "train_files.json", "test_files.json", *arrays}
    document = json.loads((prepared(pictures).folder / "description.json").read_text())
    assert document["classes"] == ["cats", "dogs"]


def test_an_interruption_leaves_nothing(pictures, own_cache, prepared):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(pictures, progress=interrupt)
    assert list((own_cache / "images").iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_a_day(pictures, own_cache, prepared):
    images = own_cache / "images"
    for name, age_seconds in [(".old.partial", 25 * 3600), (".new.partial", 60)]:
        (images / name).mkdir(parents=True)
        os.utime(images / name, (time.time() - age_seconds,) * 2)
    prepared(pictures)
    assert not (images / ".old.partial").exists()
    assert (images / ".new.partial").exists()


def test_another_process_that_was_faster_wins(pictures, own_cache, monkeypatch, prepared):
    build = store._build

    def slowly(source, folder, image_size, progress):
        build(source, folder, image_size, progress)
        monkeypatch.setattr(store, "_build", build)
        (prepare(source).folder / "mark").touch()

    monkeypatch.setattr(store, "_build", slowly)
    data = prepared(pictures)
    assert (data.folder / "mark").exists()
    assert list((own_cache / "images").iterdir()) == [data.folder]


def test_two_processes_at_once(pictures, own_cache, prepared):
    program = (
        "import sys; from trialwise.images.sources import find_source; from trialwise.images.store import prepare;"
        "print(prepare(find_source(sys.argv[1])).description.content_sha256)"
    )
    command = [sys.executable, "-c", program, str(pictures)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1] == prepared(pictures).description.content_sha256 + "\n"
    assert len(list((own_cache / "images").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_one_message(pictures, own_cache, prepared):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file in the way")
    with pytest.raises(WorkError, match="cannot be kept in") as caught:
        prepared(pictures)
    assert "TRIALWISE_CACHE_DIR" in caught.value.hint


def test_a_large_array_stays_on_disk(pictures, monkeypatch, prepared):
    data = prepared(pictures)
    size = (data.folder / "train_images.npy").stat().st_size
    monkeypatch.setattr(store, "_memory_bytes", lambda: 4 * size)
    assert not isinstance(open_train(data).images_NHWC, np.memmap)
    in_memory = open_train(data).images_NHWC
    monkeypatch.setattr(store, "_memory_bytes", lambda: 4 * size - 1)
    mapped = open_train(data).images_NHWC
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    assert (mapped == in_memory).all()


REAL = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10" / "cifar10-jpeg.tar.xz"


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not REAL.exists(), reason=f"the CIFAR-10 copy is not at {REAL}")
def test_the_cifar10_copy_beside_the_checkout(prepared):
    data = prepared(REAL)
    found = data.description
    assert (found.n_train, found.n_test, found.channels, found.height) == (50_000, 10_000, 3, 32)
    assert set(found.train_counts) == {5_000}
    assert set(found.test_counts) == {1_000}
    assert found.left_out == ()
    assert found.classes == (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    rows = open_train(data)
    assert rows.images_NHWC.shape == (50_000, 32, 32, 3)
    # The channel means of CIFAR-10's training images, as published: 0.4914, 0.4822, 0.4465.
    means = rows.images_NHWC.mean(axis=(0, 1, 2)) / 255
    assert np.abs(means - [0.4914, 0.4822, 0.4465]).max() < 0.003
    start = time.perf_counter()
    prepared(REAL)
    assert time.perf_counter() - start < 1

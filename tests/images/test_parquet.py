import io
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trialwise.base.errors import UserError
from trialwise.images.held_out import open_test
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare

NAMES = ["airplane", "T-shirt/top", "zebra"]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(number, size=(12, 12), format="PNG"):
    """The bytes of an image file; each number gives another picture."""
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def write(path, labels, *, images=None, names=NAMES, image="img", label="label", more=None, first=0, group=7):
    """A Parquet file as Hugging Face's `datasets` writes it; `names=None` leaves its metadata out."""
    images = images or [picture(first + number) for number in range(len(labels))]
    cells = [image if image is None or isinstance(image, dict) else {"bytes": image, "path": None} for image in images]
    columns = {image: pa.array(cells, IMAGE), label: pa.array(labels)} | (more or {})
    table = pa.table(columns)
    if names is not None:
        features = {name: {"_type": "ClassLabel", "names": names} for name in columns if name != image}
        features[image] = {"_type": "Image"}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


LABELS = [0, 1, 2] * 7


@pytest.fixture
def shards(tmp_path):
    """A folder as that of uoft-cs/cifar10: two shards for training, one for the test."""
    folder = tmp_path / "colours"
    write(folder / "plain_text" / "train-00000-of-00002.parquet", LABELS)
    write(folder / "plain_text" / "train-00001-of-00002.parquet", LABELS, first=100)
    write(folder / "plain_text" / "test-00000-of-00001.parquet", LABELS[:9], first=200)
    (folder / "README.md").write_text("---\nlicense: unknown\n---\n")
    return folder


def pixels(number):
    return np.asarray(Image.open(io.BytesIO(picture(number))))


def rows_as_set(rows, classes):
    return {(image.tobytes(), classes[label]) for image, label in zip(rows.images_NHWC, rows.labels_N, strict=True)}


def test_every_picture_of_the_shards_keeps_its_split_and_its_class(shards, prepared):
    data = prepared(shards)
    found = data.description
    assert (found.name, found.kind, found.test_origin) == ("colours", "parquet", "given")
    assert found.classes == tuple(sorted(NAMES))
    assert (found.n_train, found.n_test, found.height, found.channels) == (42, 9, 12, 3)
    assert found.left_out == ()
    assert found.notes == ()
    expected = {(pixels(first + row).tobytes(), NAMES[row % 3]) for first in (0, 100) for row in range(21)}
    assert rows_as_set(open_train(data), found.classes) == expected
    expected = {(pixels(200 + row).tobytes(), NAMES[row % 3]) for row in range(9)}
    assert rows_as_set(open_test(data), found.classes) == expected


def test_one_file_alone_is_split_by_us(shards, prepared):
    data = prepared(shards / "plain_text" / "test-00000-of-00001.parquet").description
    assert (data.name, data.kind, data.test_origin) == ("test-00000-of-00001", "parquet", "split off")
    assert data.n_train + data.n_test == 9
    assert data.train_counts == (2, 2, 2)


def test_what_is_in_the_folder_decides_the_fingerprint_and_the_order(shards):
    source = find_source(str(shards))
    files = [entry.file for entry in source.entries()]
    assert files == sorted(files)
    assert files[0] == "plain_text/test-00000-of-00001.parquet, row 0000000"
    assert find_source(str(shards)).fingerprint == source.fingerprint
    write(shards / "plain_text" / "test-00000-of-00001.parquet", LABELS, first=300)
    assert find_source(str(shards)).fingerprint != source.fingerprint


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train.parquet", "test.parquet"),
        ("data/train-00000-of-00001-a09b74b3ef9c3b56.parquet", "data/test-00000-of-00001-b2fa1b2c3d4e5f60.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("set-train.PARQUET", "set_Test.parquet"),
        ("training/a.parquet", "validation/a.parquet"),
        ("train.parquet", "val.parquet"),
    ],
)
def test_the_split_is_in_the_names(tmp_path, train, test, prepared):
    write(tmp_path / "set" / train, LABELS)
    write(tmp_path / "set" / test, LABELS[:6], first=50)
    found = prepared(tmp_path / "set").description
    assert (found.n_train, found.n_test) == (21, 6)
    stand_in = ("the validation rows are used as the test rows, because there are no others",)
    assert found.notes == (stand_in if "val" in test else ())


def test_what_is_neither_train_nor_test_is_named_and_not_used(tmp_path, prepared):
    for number, name in enumerate(["train", "test", "validation"]):
        write(tmp_path / "set" / f"{name}-00000-of-00001.parquet", LABELS, first=100 * number)
    pq.write_table(pa.table({"anything": [1]}), tmp_path / "set" / "unsupervised-00000-of-00001.parquet")
    found = prepared(tmp_path / "set").description
    assert (found.n_train, found.n_test) == (21, 21)
    assert found.notes == (
        "unsupervised-00000-of-00001.parquet is not used: its name says neither train nor test",
        "validation-00000-of-00001.parquet is not used: training splits its own validation rows off the training rows",
    )


def test_files_without_a_split_in_their_names_are_all_for_training(tmp_path, prepared):
    write(tmp_path / "set" / "0000.parquet", LABELS)
    write(tmp_path / "set" / "0001.parquet", LABELS, first=100)
    found = prepared(tmp_path / "set").description
    assert found.n_train + found.n_test == 42
    assert found.test_origin == "split off"


def test_a_missing_shard_is_named(shards, refusal):
    (shards / "plain_text" / "train-00000-of-00002.parquet").unlink()
    assert "train-00000-of-00002.parquet is missing" in refusal(shards)


def test_several_data_sets_in_one_folder_are_told_apart(shards, refusal, prepared):
    write(shards / "other" / "train-00000-of-00001.parquet", LABELS, first=500)
    message = refusal(shards)
    assert "2 data sets, in 'other', 'plain_text'" in message
    assert str(shards / "plain_text") in message
    assert prepared(shards / "other").description.n_train == 18


def test_test_rows_alone_are_refused(tmp_path, refusal):
    write(tmp_path / "set" / "test-00000-of-00001.parquet", LABELS)
    assert "no labelled training rows" in refusal(tmp_path / "set")


def test_images_that_do_not_decode_are_left_out_named_and_counted(tmp_path, prepared):
    images = [picture(number) for number in range(len(LABELS))]
    images[3], images[4], images[5], images[6] = b"a text", images[4][:-40], b"", {"bytes": None, "path": "a.png"}
    images[7] = None
    labels = [*LABELS[:8], None, -1, 7, *LABELS[11:]]
    path = write(tmp_path / "set.parquet", labels, images=images)
    found = prepared(path).description
    assert found.n_train + found.n_test == len(LABELS) - 8
    left_out = {int(file.split("row ")[1]): reason for file, reason in found.left_out}
    assert sorted(left_out) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert all(file.startswith("set.parquet, row 00000") for file, _ in found.left_out)
    assert left_out[3] == "not an image, whatever its name says"
    assert left_out[4].startswith("cannot be decoded")
    assert left_out[5] == "an empty file"
    assert left_out[6] == left_out[7] == "the image itself is not in the Parquet file"
    assert left_out[8] == left_out[9] == "it has no label"
    assert left_out[10] == "its label 7 has no name"


def test_a_test_split_with_secret_labels_is_named_and_not_used(shards, prepared):
    write(shards / "plain_text" / "test-00000-of-00001.parquet", [-1] * 9, first=200)
    found = prepared(shards).description
    assert found.test_origin == "split off"
    assert found.n_train + found.n_test == 42
    assert found.notes == ("plain_text/test-00000-of-00001.parquet is not used: its rows have no labels",)
    assert found.left_out == ()


def test_validation_rows_stand_in_for_a_test_split_with_secret_labels(shards, prepared):
    write(shards / "plain_text" / "test-00000-of-00001.parquet", [-1] * 9, first=200)
    write(shards / "plain_text" / "validation-00000-of-00001.parquet", LABELS[:6], first=300)
    found = prepared(shards).description
    assert (found.test_origin, found.n_train, found.n_test) == ("given", 42, 6)
    assert len(found.notes) == 2


def test_no_label_at_all_is_refused(tmp_path, refusal):
    path = write(tmp_path / "set.parquet", [-1] * 9)
    assert "no labelled training rows" in refusal(path)


def test_no_image_at_all_is_refused(tmp_path, refusal):
    path = write(tmp_path / "set.parquet", LABELS, images=[b"text"] * 21)
    assert "none of the 21 images can be decoded" in refusal(path)
    path = write(tmp_path / "set.parquet", LABELS, images=[{"bytes": None, "path": "x"}] * 21)
    assert "the image itself is not in the Parquet file" in refusal(path)


@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        (LABELS, None, ("0", "1", "2")),
        (pa.array([bool(label) for label in LABELS]), None, ("0", "1")),
        ([NAMES[label] for label in LABELS], None, tuple(sorted(NAMES))),
        (pa.array([NAMES[label] for label in LABELS]).dictionary_encode(), None, tuple(sorted(NAMES))),
        (pa.array(LABELS, pa.uint8()), NAMES, tuple(sorted(NAMES))),
    ],
    ids=["numbers", "booleans", "texts", "dictionary", "small numbers"],
)
def test_kinds_of_labels(tmp_path, labels, names, classes, prepared):
    assert prepared(write(tmp_path / "set.parquet", labels, names=names)).description.classes == classes


def test_a_name_without_rows_is_no_class(tmp_path, prepared):
    path = write(tmp_path / "set.parquet", LABELS, names=[*NAMES, "unicorn"])
    assert prepared(path).description.classes == tuple(sorted(NAMES))


def test_the_fine_labels_are_taken_and_the_coarse_ones_named(tmp_path, prepared):
    more = {"coarse_label": pa.array([0] * 21)}
    path = write(tmp_path / "set.parquet", LABELS, label="fine_label", more=more)
    found = prepared(path).description
    assert found.classes == tuple(sorted(NAMES))
    assert found.notes == ("the classes are those of the column 'fine_label', not of 'coarse_label'",)


@pytest.mark.parametrize("column", ["image", "img", "picture"])
def test_image_columns(tmp_path, column, prepared):
    assert prepared(write(tmp_path / "set.parquet", LABELS, image=column)).description.n_train == 18


def test_images_as_plain_bytes(tmp_path, prepared):
    table = pa.table({"image": [picture(number) for number in range(21)], "label": LABELS})
    pq.write_table(table, tmp_path / "set.parquet")
    assert prepared(tmp_path / "set.parquet").description.n_train == 18


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a"], "label": [0]}, "no column of images; its columns are 'text' (string), 'label' (int64)"),
        ({"image": [b"a"], "caption": ["a"]}, "no column of labels"),
        ({"image": [b"a"], "label": [0.5]}, "no column of labels"),
        ({"a": pa.array([None], IMAGE), "b": pa.array([None], IMAGE), "label": [0]}, "2 columns of images"),
    ],
)
def test_a_table_that_holds_no_images_or_no_labels(tmp_path, columns, message, refusal):
    pq.write_table(pa.table(columns), tmp_path / "set.parquet")
    text = refusal(tmp_path / "set.parquet")
    assert message in text
    assert "'fine_label'" in text


def test_files_of_different_data_sets_are_refused(tmp_path, refusal):
    write(tmp_path / "set" / "train.parquet", LABELS)
    write(tmp_path / "set" / "test.parquet", LABELS, names=["x", "y", "z"])
    assert "are not of the same data set" in refusal(tmp_path / "set")


def test_two_classes_of_one_name_are_refused(tmp_path, refusal):
    assert "the same name" in refusal(write(tmp_path / "set.parquet", LABELS, names=["a", "b", "a"]))


@pytest.mark.parametrize("metadata", [b"not json", b"[]", b'{"info": null}', b'{"info": {"features": {"label": 3}}}'])
def test_metadata_that_say_nothing_are_as_none(tmp_path, metadata, prepared):
    table = pq.read_table(write(tmp_path / "set.parquet", LABELS, names=None))
    pq.write_table(table.replace_schema_metadata({"huggingface": metadata}), tmp_path / "set.parquet")
    assert prepared(tmp_path / "set.parquet").description.classes == ("0", "1", "2")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "middle"])
def test_a_damaged_file_is_one_message(shards, damage, refusal):
    path = shards / "plain_text" / "train-00001-of-00002.parquet"
    whole = path.read_bytes()
    damaged = {
        "cut": whole[:-100],
        "text": b"a text",
        "empty": b"",
        "middle": whole[:50] + b"\xff" * 5000 + whole[5050:],
    }
    path.write_bytes(damaged[damage])
    message = refusal(shards)
    assert f"{path} cannot be read as a Parquet file" in message
    assert "download it again" in message


def test_a_git_lfs_pointer_is_explained(tmp_path, refusal):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:785d\nsize 4260224\n"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train-00000-of-00001.parquet").write_text(pointer)
    assert "git lfs pull" in refusal(tmp_path / "set")


def test_without_pyarrow_there_is_one_message_that_says_what_to_install(shards, monkeypatch, refusal):
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = refusal(shards)
    assert "pyarrow" in message
    assert "pip install 'trialwise[parquet]'" in message


def test_a_folder_of_images_with_a_parquet_file_beside_them_stays_one(pictures, prepared):
    write(pictures / "index.parquet", LABELS)
    assert prepared(pictures).description.kind == "folder"


def test_a_shard_is_opened_when_its_turn_comes(shards):
    entries = find_source(str(shards)).entries()
    next(entries)
    (shards / "plain_text" / "train-00001-of-00002.parquet").write_bytes(b"gone since")
    with pytest.raises(UserError, match="train-00001-of-00002"):
        list(entries)


def test_the_file_is_never_whole_in_memory(tmp_path):
    image_bytes, n_rows = 100_000, 300
    images = [np.random.default_rng(row).bytes(image_bytes) for row in range(n_rows)]
    path = write(tmp_path / "set.parquet", [row % 3 for row in range(n_rows)], images=images, group=10)
    source = find_source(str(path))
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in source.entries()]
    assert len(held) == n_rows
    assert max(held) < image_bytes * n_rows / 2


def test_other_images_can_be_measured_on_one_test_file(shards):
    source = find_source(str(shards / "plain_text" / "test-00000-of-00001.parquet"))
    assert {entry.place[0] for entry in source.entries()} == {"train"}  # nothing is held back from `image evaluate`
    assert prepare(source).description.n_test == 3

"""Every kind of image data, from the command to a trained and measured model."""

import dataclasses
import gzip
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trialwise import api
from trialwise.cli.app import run
from trialwise.images import cifar, mnist, store

QUICK = ["--epochs", "1", "--max-params", "8000"]


@pytest.fixture
def document(capsys):
    """A function that runs a command in this process and gives the one JSON document that it prints."""

    def call(*arguments):
        assert run([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def picture(number, size=(16, 16), mode="RGB"):
    """A picture of one of three colours and some noise; each number gives another one."""
    pixels = np.random.default_rng(number).integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
    pixels[..., number % 3] += 150
    return Image.fromarray(pixels).convert(mode)


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture
def mixed(tmp_path):
    """Three classes of different sizes, in mixed formats, shapes and modes."""
    folder = tmp_path / "mixed"
    kinds = [
        ("jpg", (40, 30), "RGB"),
        ("png", (30, 50), "RGBA"),
        ("webp", (35, 35), "RGB"),
        ("bmp", (48, 20), "RGB"),
        ("gif", (33, 44), "P"),
        ("tiff", (60, 40), "CMYK"),
        ("JPEG", (64, 64), "L"),
        ("tif", (20, 31), "I;16"),
    ]
    for number, (name, count) in enumerate({"red": 40, "green": 16, "blue": 9}.items()):
        for image in range(count):
            suffix, size, mode = kinds[image % len(kinds)]
            made = picture(3 * image + number, size, "L" if mode == "I;16" else mode)
            if mode == "I;16":
                made = Image.fromarray(np.asarray(made).astype(np.uint16) * 257)
            save(folder / name / f"{image:02}.{suffix}", made)
    return folder


def test_three_classes_of_mixed_formats_and_sizes_need_no_option(mixed, document):
    trained = document("image", "train", mixed, "--epochs", 1)
    data = trained["data"]
    assert data["classes"] == ["blue", "green", "red"]
    assert {name: data["train_counts"][name] for name in data["classes"]} == {"blue": 7, "green": 13, "red": 32}
    assert data["n_train"] + data["n_test"] == 65
    assert data["n_left_out"] == 0
    assert (data["channels"], data["height"], data["width"]) == (3, 32, 32)
    assert document("image", "evaluate", trained["run"])["test"]["n"] == 13


def test_each_kind_of_broken_file_is_named_with_its_reason_and_the_run_goes_on(mixed, document):
    whole = io.BytesIO()
    picture(0, (200, 200)).save(whole, "JPEG")
    (mixed / "red" / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    save(mixed / "green" / "bomb.png", Image.new("1", (8000, 8000)))
    (mixed / "green" / "text.png").write_text("Dear diary")
    (mixed / "blue" / "empty.gif").write_bytes(b"")
    data = document("image", "train", mixed, *QUICK)["data"]
    assert data["n_left_out"] == 4
    assert data["n_train"] + data["n_test"] == 65
    reasons = {entry["file"]: entry["reason"] for entry in data["left_out"]}
    assert reasons["red/cut.jpg"].startswith("cannot be decoded: ")
    assert reasons["green/bomb.png"] == "8000 x 8000 pixels: more than the limit of 50,000,000"
    assert reasons["green/text.png"] == "not an image, whatever its name says"
    assert reasons["blue/empty.gif"] == "an empty file"


def test_uneven_classes_are_said(tmp_path, document, write_images):
    folder = write_images(tmp_path / "uneven", {"common": 80, "rare": 8})
    trained = document("image", "train", folder, *QUICK)
    (note,) = trained["data"]["notes"]
    assert "'common' has 64 training images, more than 10 times as many as 'rare' (6)" in note
    assert note in Path(trained["run"], "report.html").read_text().replace("&#39;", "'")


def test_a_thousand_classes(tmp_path, document):
    for number in range(1000):
        for image in range(3):
            pixels = np.random.default_rng((number, image)).integers(0, 256, (8, 8), dtype=np.uint8)
            save(tmp_path / "many" / f"{number:03}" / f"{image}.bmp", Image.fromarray(pixels))
    trained = document("image", "train", tmp_path / "many", "--epochs", 1)
    assert len(trained["data"]["classes"]) == 1000
    assert (trained["data"]["n_train"], trained["data"]["n_test"]) == (2000, 1000)
    tested = document("image", "evaluate", trained["run"])["test"]
    assert tested["n"] == 1000
    assert len(tested["per_class"]) == 1000


def png(number):
    stream = io.BytesIO()
    picture(number).save(stream, "PNG")
    return stream.getvalue()


def test_parquet_files_of_hugging_face(tmp_path, document):
    names = ["red", "green", "blue"]
    features = {"img": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    folder = tmp_path / "colours" / "plain_text"
    folder.mkdir(parents=True)
    for split, first, count in [("train", 0, 60), ("test", 100, 15)]:
        cells = [{"bytes": png(first + row), "path": None} for row in range(count)]
        cells[4]["bytes"] = b"not an image"
        labels = [(first + row) % 3 for row in range(count)]
        table = pa.table({"img": pa.array(cells, image), "label": labels}).replace_schema_metadata(metadata)
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet", row_group_size=10)
    trained = document("image", "train", tmp_path / "colours", *QUICK)
    data = trained["data"]
    assert (data["name"], data["kind"], data["test_origin"]) == ("colours", "parquet", "given")
    assert (data["n_train"], data["n_test"], data["n_left_out"]) == (59, 14, 2)
    assert data["left_out"][0]["file"] == "plain_text/test-00000-of-00001.parquet, row 0000004"
    assert document("image", "evaluate", trained["run"])["test"]["n"] == 14
    elsewhere = document("image", "evaluate", trained["run"], folder / "test-00000-of-00001.parquet")
    assert elsewhere["test"]["n"] == 14


@pytest.mark.parametrize(
    ("name", "folder", "first_class"),
    [("mnist", "MNIST", "0"), ("fashion_mnist", "FashionMNIST", "T-shirt/top")],
)
def test_an_mnist_that_torchvision_downloaded(tmp_path, document, monkeypatch, name, folder, first_class):
    generator = np.random.default_rng(0)
    rows = {"train": 60, "test": 20}
    packed = {}
    for split, count in rows.items():
        stem = "train" if split == "train" else "t10k"
        labels = np.arange(count, dtype=np.uint8) % 10
        images = generator.integers(0, 100, (count, 28, 28), dtype=np.uint8) + labels[:, None, None] * 15
        for part, array in [("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)]:
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            packed[f"{stem}-{part}"] = gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
    sums = {file: hashlib.md5(content).hexdigest() for file, content in packed.items()}
    release = dataclasses.replace(getattr(mnist, name.upper()), rows=rows, packed_md5s=sums)
    monkeypatch.setattr(mnist, name.upper(), release)
    raw = tmp_path / "data" / folder / "raw"
    raw.mkdir(parents=True)
    for file, content in packed.items():
        (raw / f"{file}.gz").write_bytes(content)
    trained = document("image", "train", name, "--data-dir", tmp_path / "data", *QUICK)
    assert (trained["data"]["name"], trained["data"]["test_origin"]) == (name, "given")
    assert (trained["data"]["n_train"], trained["data"]["n_test"], trained["data"]["channels"]) == (60, 20, 1)
    assert trained["data"]["train_counts"][first_class] == 6
    tested = document("image", "evaluate", trained["run"])["test"]  # finds the copy again by itself
    assert tested["per_class"][first_class]["n"] == 2


def test_a_cifar100_that_lies_there(tmp_path, document, monkeypatch):
    rows = {"train": 200, "test": 100}
    monkeypatch.setattr(cifar, "CIFAR100", dataclasses.replace(cifar.CIFAR100, batch_rows=rows))
    folder = tmp_path / "data" / "cifar-100-binary"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, count in rows.items():
        records = generator.integers(0, 256, (count, 2 + 3072), dtype=np.uint8)
        records[:, 0] = np.arange(count) % 20  # the coarse label, which is not used
        records[:, 1] = np.arange(count) % 100
        (folder / f"{split}.bin").write_bytes(records.tobytes())
    trained = document("image", "train", "cifar100", "--data-dir", tmp_path / "data", "--epochs", 1)
    assert len(trained["data"]["classes"]) == 100
    assert (trained["data"]["n_train"], trained["data"]["n_test"]) == (200, 100)
    assert document("image", "evaluate", trained["run"])["test"]["per_class"]["train"]["n"] == 1  # the class


def test_a_set_that_is_large_for_the_machine_is_trained_on_and_measured_where_it_lies(mixed, monkeypatch, tmp_path):
    settings = {"epochs": 1, "max_params": 8000}
    in_memory = api.train(str(mixed), settings=settings, out=tmp_path / "in_memory")
    in_memory_test = api.evaluate(in_memory)["test"]
    monkeypatch.setattr(store, "_memory_bytes", lambda: 1000)
    mapped = api.train(str(mixed), settings=settings, out=tmp_path / "mapped")
    assert mapped.result["valid"] == in_memory.result["valid"]
    assert api.evaluate(mapped)["test"] == in_memory_test

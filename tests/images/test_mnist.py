import dataclasses
import gzip
import hashlib

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images import mnist
from trialwise.images.held_out import open_test
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare

ROWS = {"train": 40, "test": 20}


def as_idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@dataclasses.dataclass
class LookAlike:
    """A small MNIST of our own: the arrays, and the four files as published."""

    name: str
    arrays: dict  # split -> (images (rows, 28, 28), labels (rows,))
    plain: dict  # file name -> bytes
    packed: dict

    @property
    def release(self):
        return getattr(mnist, self.name.upper())

    def write(self, folder, *, packed):
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.plain:
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(self.packed[name] if packed else self.plain[name])

    def check(self, data_dir=None):
        copy = mnist.find_copy(self.release, data_dir)
        for split, (images, labels) in self.arrays.items():
            found = mnist.read_split(self.release, split, copy)
            assert (found[0] == images).all()
            assert (found[1] == labels).all()


def made(name, seed, monkeypatch):
    generator = np.random.default_rng(seed)
    arrays = {
        split: (generator.integers(0, 256, (rows, 28, 28), dtype=np.uint8), np.arange(rows, dtype=np.uint8) % 10)
        for split, rows in ROWS.items()
    }
    plain = {
        f"{'train' if split == 'train' else 't10k'}-{part}": as_idx(array)
        for split, pair in arrays.items()
        for part, array in zip(["images-idx3-ubyte", "labels-idx1-ubyte"], pair, strict=True)
    }
    packed = {file: gzip.compress(content) for file, content in plain.items()}
    sums = {
        kind: {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
        for kind, files in [("plain_md5s", plain), ("packed_md5s", packed)]
    }
    release = dataclasses.replace(getattr(mnist, name.upper()), rows=ROWS, **sums)
    monkeypatch.setattr(mnist, name.upper(), release)
    return LookAlike(name=name, arrays=arrays, plain=plain, packed=packed)


@pytest.fixture(params=["mnist", "fashion_mnist"])
def look_alike(request, monkeypatch):
    return made(request.param, 0, monkeypatch)


def test_the_four_files_are_downloaded_once_each(look_alike, served, own_cache, monkeypatch):
    with served({f"/x/{name}.gz": content for name, content in look_alike.packed.items()}) as server:
        release = dataclasses.replace(look_alike.release, mirrors=(f"{server.url}/gone/", f"{server.url}/x/"))
        monkeypatch.setattr(mnist, look_alike.name.upper(), release)
        look_alike.check()
        look_alike.check()
        assert sorted(path for path in server.requests if "/x/" in path) == sorted(
            f"/x/{name}.gz" for name in look_alike.packed
        )
    folder = own_cache / "downloads" / look_alike.name
    assert {path.name for path in folder.iterdir()} == {f"{name}.gz" for name in look_alike.packed}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", ["torchvision's", "raw", "."])
def test_a_copy_in_data_dir(look_alike, tmp_path, packed, place):
    folder = look_alike.release.torchvision_folder if place == "torchvision's" else place
    look_alike.write(tmp_path / "data" / folder, packed=packed)
    look_alike.check(tmp_path / "data")


def test_the_same_images_from_any_copy(look_alike, tmp_path):
    sources = []
    for packed in [True, False]:
        look_alike.write(tmp_path / f"{packed}", packed=packed)
        sources.append(find_source(look_alike.name, data_dir=tmp_path / f"{packed}"))
    assert len({source.fingerprint for source in [*sources, find_source(look_alike.name)]}) == 1
    data = prepare(sources[0]).description
    assert (data.name, data.kind, data.test_origin) == (look_alike.name, look_alike.name, "given")
    assert (data.channels, data.height, data.n_train, data.n_test) == (1, 28, ROWS["train"], ROWS["test"])
    assert set(data.classes) == set(look_alike.release.classes)  # "T-shirt/top" among them


def test_every_picture_keeps_its_label(look_alike, tmp_path):
    look_alike.write(tmp_path, packed=True)
    data = prepare(find_source(look_alike.name, data_dir=tmp_path))
    for split, rows in [("train", open_train(data)), ("test", open_test(data))]:
        images, labels = look_alike.arrays[split]
        expected = {
            image.tobytes(): look_alike.release.classes[label] for image, label in zip(images, labels, strict=True)
        }
        assert expected == {
            image.tobytes(): data.description.classes[label]
            for image, label in zip(rows.images_NHWC, rows.labels_N, strict=True)
        }


def test_the_files_of_the_other_set_are_refused(tmp_path, monkeypatch):
    digits, clothes = made("mnist", 1, monkeypatch), made("fashion_mnist", 2, monkeypatch)
    clothes.write(tmp_path, packed=False)
    with pytest.raises(UserError, match="is not what was published as MNIST"):
        digits.check(tmp_path)
    digits.write(tmp_path / "MNIST" / "raw", packed=True)  # torchvision's own folder goes first
    digits.check(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_a_changed_file_is_refused(look_alike, tmp_path, packed):
    look_alike.write(tmp_path, packed=packed)
    path = next(path for path in tmp_path.iterdir() if "t10k-labels" in path.name)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(UserError, match=r"t10k-labels.*its checksum differs"):
        look_alike.check(tmp_path)


def test_a_label_that_there_is_not(look_alike, tmp_path, monkeypatch):
    wrong = as_idx(np.full(ROWS["test"], 10, dtype=np.uint8))
    name = "t10k-labels-idx1-ubyte"
    sums = look_alike.release.plain_md5s | {name: hashlib.md5(wrong).hexdigest()}
    monkeypatch.setattr(mnist, look_alike.name.upper(), dataclasses.replace(look_alike.release, plain_md5s=sums))
    look_alike.write(tmp_path, packed=False)
    (tmp_path / name).write_bytes(wrong)
    with pytest.raises(UserError, match="holds the label 10"):
        look_alike.check(tmp_path)


def test_a_data_dir_without_a_copy_says_what_was_expected(look_alike, tmp_path):
    look_alike.write(tmp_path, packed=True)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(UserError, match=look_alike.release.torchvision_folder) as caught:
        find_source(look_alike.name, data_dir=tmp_path)
    assert look_alike.release.mirrors[0] in caught.value.hint


def test_the_published_releases_are_what_they_should_be():
    for release in (mnist.MNIST, mnist.FASHION_MNIST):
        assert release.rows == {"train": 60_000, "test": 10_000}
        assert len(release.classes) == 10
        assert release.packed_md5s.keys() == release.plain_md5s.keys()
        assert all(len(md5) == 32 for sums in (release.packed_md5s, release.plain_md5s) for md5 in sums.values())
    assert not set(mnist.MNIST.plain_md5s.values()) & set(mnist.FASHION_MNIST.plain_md5s.values())

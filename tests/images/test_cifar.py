import dataclasses
import hashlib
import os
import pickle

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images import cifar
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare

ROWS = 20


@dataclasses.dataclass
class LookAlike:
    """A small CIFAR of our own: its release and what is in it."""

    name: str
    batches: dict  # name -> (pixels as published, 3072 bytes a row, channel by channel; labels)

    @property
    def attribute(self):
        return self.name.upper()

    @property
    def release(self):
        return getattr(cifar, self.attribute)

    def use(self, monkeypatch, **changes):
        rows = {name: len(labels) for name, (_, labels) in self.batches.items()}
        changed = dataclasses.replace(self.release, batch_rows=rows, **changes)
        monkeypatch.setattr(cifar, self.attribute, changed)

    def records(self):
        """Batch name -> its file in the binary version."""
        n_coarse = self.release.label_bytes - 1
        return {
            name: np.column_stack(
                [np.full((len(labels), n_coarse), 19, dtype=np.uint8), np.array(labels, dtype=np.uint8), pixels]
            ).tobytes()
            for name, (pixels, labels) in self.batches.items()
        }

    def pickles(self, dump):
        """Batch name -> its file in the Python version."""
        return {name: dump(pixels, labels, self.release.label_key) for name, (pixels, labels) in self.batches.items()}

    def write_pickles(self, folder, monkeypatch, contents):
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        self.use(
            monkeypatch, pickle_md5s={name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
        )

    def read(self, data_dir=None):
        return list(cifar.read_batches(self.release, cifar.find_copy(self.release, data_dir)))

    def check(self, data_dir=None):
        found = {batch.name: batch for batch in self.read(data_dir)}
        assert found.keys() == self.batches.keys()
        for name, (pixels, labels) in self.batches.items():
            assert (found[name].images_NHWC == pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).all()
            assert found[name].labels_N.tolist() == labels


@pytest.fixture(params=["cifar10", "cifar100"])
def look_alike(request):
    release = getattr(cifar, request.param.upper())
    generator = np.random.default_rng(0)
    n_classes = len(release.classes)
    batches = {}
    for name in release.batch_rows:
        rows = 2 * n_classes if name == "train" else ROWS  # CIFAR-100 has all its training rows in one file
        labels = [(row * 7) % n_classes for row in range(rows)]
        batches[name] = (generator.integers(0, 256, (rows, 3072), dtype=np.uint8), labels)
    return LookAlike(name=request.param, batches=batches)


def as_pickle(pixels, labels, key):
    """As torchvision's files, made by Python 3: protocol 2, a NumPy array inside."""
    others = {"coarse_labels": [0] * len(labels)} if key == "fine_labels" else {}
    return pickle.dumps(
        {"batch_label": "a batch", key: labels, **others, "data": pixels, "filenames": ["x"]}, protocol=2
    )


def as_python2_pickle(pixels, labels, key):
    """As the published files, made by Python 2: byte strings by opcodes that Python 3 no longer writes."""
    integers = b"".join(b"K" + bytes([label]) for label in labels)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(U\x01btRT" + pixels.size.to_bytes(4, "little") + pixels.tobytes()
    name = b"U" + bytes([len(key)]) + key.encode()
    return b"\x80\x02}q\x01(U\x04dataq\x02" + array + name + b"q\x03]q\x04(" + integers + b"eU\x05otherK\x07u."


@pytest.fixture
def binary_archive(look_alike, monkeypatch, tar_of):
    """The bytes of a small binary archive, which is what the release is then said to be."""
    folder = look_alike.release.binary_folder
    files = {f"{folder}/{name}.bin": content for name, content in look_alike.records().items()}
    content = tar_of({f"{folder}/batches.meta.txt": b"airplane\n"} | files)
    look_alike.use(monkeypatch, sha256=hashlib.sha256(content).hexdigest())
    return content


def test_the_download_is_kept_and_not_repeated(look_alike, binary_archive, own_cache, monkeypatch, served):
    with served(binary_archive) as server:
        look_alike.use(monkeypatch, urls=(f"{server.url}/{look_alike.release.binary_archive}",))
        look_alike.check()
        look_alike.check()
        assert server.requests == [f"/{look_alike.release.binary_archive}"]
    assert [path.name for path in (own_cache / "downloads").iterdir()] == [look_alike.release.binary_archive]


def test_a_download_that_fails_says_where_to_put_a_copy(look_alike, binary_archive, own_cache, monkeypatch, served):
    with served(b"something else") as server:
        look_alike.use(monkeypatch, urls=(f"{server.url}/x",))
        with pytest.raises(UserError) as caught:
            look_alike.read()
    assert look_alike.release.title in caught.value.message
    assert str(own_cache / "downloads" / look_alike.release.binary_archive) in caught.value.hint
    assert "--data-dir" in caught.value.hint


def test_a_binary_archive_in_data_dir(look_alike, binary_archive, tmp_path):
    (tmp_path / look_alike.release.binary_archive).write_bytes(binary_archive)
    look_alike.check(tmp_path)


def test_a_binary_archive_with_another_checksum_is_refused(look_alike, binary_archive, tmp_path):
    (tmp_path / look_alike.release.binary_archive).write_bytes(binary_archive + b"\0")
    with pytest.raises(UserError, match="not what was published"):
        look_alike.read(tmp_path)


def test_a_binary_folder_in_data_dir(look_alike, tmp_path, monkeypatch):
    look_alike.use(monkeypatch)
    folder = tmp_path / look_alike.release.binary_folder
    folder.mkdir()
    for name, content in look_alike.records().items():
        (folder / f"{name}.bin").write_bytes(content)
    look_alike.check(tmp_path)
    before = cifar.fingerprint(look_alike.release, folder)
    (test,) = folder.glob("test*.bin")
    content = test.read_bytes()
    test.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert cifar.fingerprint(look_alike.release, folder) != before
    test.write_bytes(bytes([101]) * len(content))  # a label that there is not
    with pytest.raises(UserError, match="not what was published"):
        look_alike.read(tmp_path)
    test.unlink()
    with pytest.raises(UserError, match="expected test"):
        look_alike.read(tmp_path)


@pytest.mark.parametrize("dump", [as_pickle, as_python2_pickle])
def test_a_torchvision_folder_in_data_dir(look_alike, tmp_path, monkeypatch, dump):
    look_alike.write_pickles(tmp_path / look_alike.release.python_folder, monkeypatch, look_alike.pickles(dump))
    look_alike.check(tmp_path)


def test_a_torchvision_archive_in_data_dir(look_alike, tmp_path, monkeypatch, tar_of):
    contents = look_alike.pickles(as_pickle)
    look_alike.write_pickles(tmp_path / "elsewhere", monkeypatch, contents)
    folder = look_alike.release.python_folder
    archive = tar_of({f"{folder}/meta": b"names"} | {f"{folder}/{name}": content for name, content in contents.items()})
    (tmp_path / look_alike.release.python_archive).write_bytes(archive)
    look_alike.check(tmp_path)


def test_a_changed_torchvision_file_is_refused(look_alike, tmp_path, monkeypatch):
    contents = look_alike.pickles(as_pickle)
    folder = tmp_path / look_alike.release.python_folder
    look_alike.write_pickles(folder, monkeypatch, contents)
    name = next(iter(contents))
    (folder / name).write_bytes(contents[name] + b"\0")
    with pytest.raises(UserError, match=f"{name} is not what was published"):
        look_alike.read(tmp_path)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_planted_pickle_is_never_executed(look_alike, tmp_path, monkeypatch):
    planted = tmp_path / "planted"
    contents = look_alike.pickles(as_pickle)
    name = next(reversed(contents))
    pixels, labels = look_alike.batches[name]
    evil = pickle.dumps({"evil": Evil(planted), look_alike.release.label_key: labels, "data": pixels}, protocol=2)
    pickle.loads(evil)
    assert planted.exists()  # this pickle does run a program when it is unpickled
    planted.unlink()
    # Its checksum is taken for the published one, so that the reading itself is what is tested.
    look_alike.write_pickles(tmp_path / look_alike.release.python_folder, monkeypatch, contents | {name: evil})
    look_alike.check(tmp_path)
    assert not planted.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"labels": [1, 2]}, protocol=2)])
def test_a_file_without_the_pixels_is_refused(look_alike, tmp_path, monkeypatch, content):
    contents = look_alike.pickles(as_pickle)
    name = next(reversed(contents))
    look_alike.write_pickles(tmp_path / look_alike.release.python_folder, monkeypatch, contents | {name: content})
    with pytest.raises(UserError, match=f"{name} is not what was published"):
        look_alike.read(tmp_path)


def test_a_data_dir_without_a_copy_says_what_was_expected(look_alike, tmp_path):
    with pytest.raises(UserError, match=f"{look_alike.release.python_folder}/") as caught:
        find_source(look_alike.name, data_dir=tmp_path)
    assert look_alike.release.urls[0] in caught.value.hint


def test_every_checked_copy_has_the_same_fingerprint_and_files(look_alike, binary_archive, tmp_path, monkeypatch):
    release = look_alike.release
    look_alike.write_pickles(tmp_path / "py" / release.python_folder, monkeypatch, look_alike.pickles(as_pickle))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / release.binary_archive).write_bytes(binary_archive)
    ours, theirs = (find_source(look_alike.name, data_dir=tmp_path / name) for name in ["bin", "py"])
    assert ours.fingerprint == theirs.fingerprint == find_source(look_alike.name).fingerprint
    assert ours.kind == ours.name == look_alike.name
    ours, theirs = (sorted(source.entries(), key=lambda entry: entry.file) for source in [ours, theirs])
    assert [(entry.file, entry.place) for entry in ours] == [(entry.file, entry.place) for entry in theirs]
    assert all((a.content == b.content).all() for a, b in zip(ours, theirs, strict=True))


def test_a_look_alike_is_prepared_as_given(look_alike, binary_archive, tmp_path):
    (tmp_path / look_alike.release.binary_archive).write_bytes(binary_archive)
    data = prepare(find_source(look_alike.name, data_dir=tmp_path))
    found = data.description
    assert (found.kind, found.test_origin) == (look_alike.name, "given")
    assert found.classes == look_alike.release.classes
    expected = {
        (image.tobytes(), label)
        for name, (pixels, labels) in look_alike.batches.items()
        if not name.startswith("test")
        for image, label in zip(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels, strict=True)
    }
    rows = open_train(data)
    assert {
        (image.tobytes(), int(label)) for image, label in zip(rows.images_NHWC, rows.labels_N, strict=True)
    } == expected
    assert found.n_train == len(expected)


def test_the_published_releases_are_what_they_should_be():
    assert sum(cifar.CIFAR10.batch_rows.values()) == sum(cifar.CIFAR100.batch_rows.values()) == 60_000
    for release, n_classes in [(cifar.CIFAR10, 10), (cifar.CIFAR100, 100)]:
        assert release.batch_rows.keys() == release.pickle_md5s.keys()
        assert len(set(release.classes)) == n_classes
        assert list(release.classes) == sorted(release.classes)
    assert cifar.CIFAR10.sha256.startswith("c4a38c50")
    assert cifar.CIFAR100.sha256.startswith("58a81ae1")

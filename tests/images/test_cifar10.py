import dataclasses
import gc
import hashlib
import http.server
import io
import os
import pickle
import socket
import tarfile
import threading

import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images import cifar10
from trialwise.images.sources import find_source

ROWS = 20
NAMES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]


@pytest.fixture(scope="module")
def batches():
    """Name -> (pixels as published, 3072 bytes a row, channel by channel; labels)."""
    generator = np.random.default_rng(0)
    return {
        name: (generator.integers(0, 256, (ROWS, 3072), dtype=np.uint8), [row % 10 for row in range(ROWS)])
        for name in NAMES
    }


def as_records(pixels, labels):
    return np.concatenate([np.array(labels, dtype=np.uint8)[:, None], pixels], axis=1).tobytes()


def as_pickle(pixels, labels):
    """As torchvision's files, made by Python 3: protocol 2, a NumPy array inside."""
    return pickle.dumps({"batch_label": "a batch", "labels": labels, "data": pixels, "filenames": ["x"]}, protocol=2)


def as_python2_pickle(pixels, labels):
    """As the published files, made by Python 2: byte strings by opcodes that Python 3 no longer writes."""
    integers = b"".join(b"K" + bytes([label]) for label in labels)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(U\x01btRT" + pixels.size.to_bytes(4, "little") + pixels.tobytes()
    return b"\x80\x02}q\x01(U\x04dataq\x02" + array + b"U\x06labelsq\x03]q\x04(" + integers + b"eU\x05otherK\x07u."


def tar_of(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def binary_archive(batches, monkeypatch):
    """The bytes of a small cifar-10-binary.tar.gz, which is what the release is then said to be."""
    files = {f"cifar-10-batches-bin/{name}.bin": as_records(*batches[name]) for name in NAMES}
    content = tar_of({"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"} | files)
    use_release(monkeypatch, sha256=hashlib.sha256(content).hexdigest())
    return content


def use_release(monkeypatch, **changes):
    monkeypatch.setattr(cifar10, "RELEASE", dataclasses.replace(cifar10.RELEASE, batch_rows=ROWS, **changes))


def write_pickles(folder, monkeypatch, contents):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    md5s = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    use_release(monkeypatch, pickle_md5s=md5s)


def check(found, batches):
    found = {batch.name: batch for batch in found}
    assert sorted(found) == NAMES
    for name, (pixels, labels) in batches.items():
        assert (found[name].images_NHWC == pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)).all()
        assert found[name].images_NHWC.flags.c_contiguous
        assert found[name].labels_N.tolist() == labels


class Served:
    """A server on this machine that answers each GET with the same bytes, or with an error."""

    def __init__(self, content, *, status=200, declared=None):
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.requests.append(handler.path)
                handler.send_response(status)
                handler.send_header("Content-Length", str(declared or len(content)))
                handler.end_headers()
                handler.wfile.write(content)

            def log_message(handler, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cifar-10-binary.tar.gz"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]:
        monkeypatch.delenv(name, raising=False)


def test_the_download_is_checked_kept_and_not_repeated(binary_archive, batches, own_cache, monkeypatch, capfd):
    with Served(binary_archive) as served:
        use_release(monkeypatch, sha256=hashlib.sha256(binary_archive).hexdigest(), url=served.url)
        check(cifar10.read_batches(None), batches)
        check(cifar10.read_batches(None), batches)
        assert len(served.requests) == 1
    assert [path.name for path in (own_cache / "downloads").iterdir()] == ["cifar-10-binary.tar.gz"]
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err == ""  # no progress bar and no log lines where nobody watches


def refused(own_cache):
    with pytest.raises(UserError) as caught:
        list(cifar10.read_batches(None))
    message = str(caught.value)
    assert cifar10.RELEASE.url in message
    assert str(own_cache / "downloads" / "cifar-10-binary.tar.gz") in message
    assert "--data-dir" in message
    folder = own_cache / "downloads"
    assert not folder.exists() or not list(folder.iterdir())
    return message


def test_without_a_network_there_is_one_message_and_nothing_half_written(binary_archive, own_cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    use_release(monkeypatch, url=f"http://127.0.0.1:{port}/cifar-10-binary.tar.gz")
    assert "Connection refused" in refused(own_cache)


# pooch leaves it to the garbage collector to close a connection that broke.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"something else", {}, "wrong checksum"),
        (b"gone", {"status": 404}, "404"),
        (b"cut short", {"declared": 1000}, ""),
    ],
    ids=["another file", "an error page", "a connection that breaks"],
)
def test_a_bad_answer_is_one_message(binary_archive, own_cache, monkeypatch, content, options, reason):
    with Served(content, **options) as served:
        use_release(monkeypatch, url=served.url)
        assert reason in refused(own_cache)
    gc.collect()


def test_a_cache_folder_that_cannot_be_made_is_one_message(binary_archive, own_cache):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file in the way")
    with pytest.raises(UserError, match="cannot be downloaded"):
        list(cifar10.read_batches(None))


def test_a_binary_archive_in_data_dir(binary_archive, batches, tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(binary_archive)
    check(cifar10.read_batches(cifar10.find_copy(tmp_path)), batches)


def test_a_binary_archive_with_another_checksum_is_refused(binary_archive, tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(binary_archive + b"\0")
    with pytest.raises(UserError, match="not what was published"):
        list(cifar10.read_batches(cifar10.find_copy(tmp_path)))


def test_a_binary_folder_in_data_dir(batches, tmp_path, monkeypatch):
    use_release(monkeypatch)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.bin").write_bytes(as_records(*batches[name]))
    copy = cifar10.find_copy(tmp_path)
    check(cifar10.read_batches(copy), batches)
    before = cifar10.fingerprint(copy)
    (folder / "test_batch.bin").write_bytes(as_records(batches["test_batch"][0] ^ 1, batches["test_batch"][1]))
    assert cifar10.fingerprint(copy) != before
    (folder / "test_batch.bin").write_bytes(as_records(batches["test_batch"][0], [11] * ROWS))
    with pytest.raises(UserError, match="not what was published"):
        list(cifar10.read_batches(copy))
    (folder / "test_batch.bin").unlink()
    with pytest.raises(UserError, match="test_batch"):
        list(cifar10.read_batches(copy))


@pytest.mark.parametrize("dump", [as_pickle, as_python2_pickle])
def test_a_torchvision_folder_in_data_dir(batches, tmp_path, monkeypatch, dump):
    contents = {name: dump(*batches[name]) for name in NAMES}
    write_pickles(tmp_path / "cifar-10-batches-py", monkeypatch, contents)
    check(cifar10.read_batches(cifar10.find_copy(tmp_path)), batches)


def test_a_torchvision_archive_in_data_dir(batches, tmp_path, monkeypatch):
    contents = {name: as_pickle(*batches[name]) for name in NAMES}
    write_pickles(tmp_path / "elsewhere", monkeypatch, contents)
    archive = tar_of({f"cifar-10-batches-py/{name}": content for name, content in contents.items()})
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(archive)
    check(cifar10.read_batches(cifar10.find_copy(tmp_path)), batches)


def test_a_changed_torchvision_file_is_refused(batches, tmp_path, monkeypatch):
    contents = {name: as_pickle(*batches[name]) for name in NAMES}
    write_pickles(tmp_path / "cifar-10-batches-py", monkeypatch, contents)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(contents["data_batch_3"] + b"\0")
    with pytest.raises(UserError, match="data_batch_3 is not what was published"):
        list(cifar10.read_batches(cifar10.find_copy(tmp_path)))


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_planted_pickle_is_never_executed(batches, tmp_path, monkeypatch):
    planted = tmp_path / "planted"
    pixels, labels = batches["test_batch"]
    evil = pickle.dumps({"evil": Evil(planted), "labels": labels, "data": pixels}, protocol=2)
    pickle.loads(evil)
    assert planted.exists()  # this pickle does run a program when it is unpickled
    planted.unlink()
    # Its checksum is taken for the published one, so that the reading itself is what is tested.
    contents = {name: as_pickle(*batches[name]) for name in NAMES} | {"test_batch": evil}
    write_pickles(tmp_path / "cifar-10-batches-py", monkeypatch, contents)
    check(cifar10.read_batches(cifar10.find_copy(tmp_path)), batches)
    assert not planted.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"labels": [1, 2]}, protocol=2)])
def test_a_file_without_the_pixels_is_refused(batches, tmp_path, monkeypatch, content):
    contents = {name: as_pickle(*batches[name]) for name in NAMES} | {"test_batch": content}
    write_pickles(tmp_path / "cifar-10-batches-py", monkeypatch, contents)
    with pytest.raises(UserError, match="test_batch is not what was published"):
        list(cifar10.read_batches(cifar10.find_copy(tmp_path)))


def test_a_data_dir_without_a_copy_says_what_was_expected(tmp_path):
    with pytest.raises(UserError, match=r"cifar-10-batches-py/") as caught:
        find_source("cifar10", data_dir=tmp_path)
    assert cifar10.RELEASE.url in caught.value.hint


def test_every_checked_copy_has_the_same_fingerprint_and_files(binary_archive, batches, tmp_path, monkeypatch):
    write_pickles(tmp_path / "py" / "cifar-10-batches-py", monkeypatch, {n: as_pickle(*batches[n]) for n in NAMES})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cifar-10-binary.tar.gz").write_bytes(binary_archive)
    ours, theirs = (find_source("cifar10", data_dir=tmp_path / name) for name in ["bin", "py"])
    assert ours.fingerprint == theirs.fingerprint == find_source("cifar10").fingerprint
    ours, theirs = (sorted(source.entries(), key=lambda entry: entry.file) for source in [ours, theirs])
    assert [entry.file for entry in ours] == [entry.file for entry in theirs]
    assert all((a.content == b.content).all() for a, b in zip(ours, theirs, strict=True))
    assert {entry.file.rsplit("/", 1)[0] for entry in ours} == {
        f"{split}/{name}" for split in ["train", "test"] for name in cifar10.CLASSES
    }


def test_the_published_release_is_what_it_should_be():
    assert cifar10.RELEASE.batch_rows == 10_000
    assert sorted(cifar10.RELEASE.pickle_md5s) == NAMES
    assert cifar10.RELEASE.sha256.startswith("c4a38c50")

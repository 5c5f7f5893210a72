import gc
import hashlib
import socket

import pytest

from trialwise.base.errors import UserError
from trialwise.images.downloads import download

CONTENT = b"the true file"


def fetch(*urls, name="things/file.gz"):
    checksum = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    return download(urls, checksum=checksum, title="The set", name=name, instead="name it with --data-dir")


def refused(own_cache, *urls):
    with pytest.raises(UserError) as caught:
        fetch(*urls)
    assert all(url in caught.value.message for url in urls)
    assert str(own_cache / "downloads" / "things" / "file.gz") in caught.value.hint
    assert "--data-dir" in caught.value.hint
    folder = own_cache / "downloads" / "things"
    assert not folder.exists() or not list(folder.iterdir())
    return caught.value.message


def test_a_file_is_fetched_once_and_quietly(served, own_cache, capfd):
    with served(CONTENT) as server:
        path = fetch(f"{server.url}/file.gz")
        assert fetch(f"{server.url}/file.gz") == path == own_cache / "downloads" / "things" / "file.gz"
        assert len(server.requests) == 1
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err == ""  # no progress bar and no log lines where nobody watches


def test_a_kept_file_that_was_damaged_is_fetched_again(served):
    with served(CONTENT) as server:
        path = fetch(f"{server.url}/file.gz")
        path.write_bytes(b"damaged")
        assert fetch(f"{server.url}/file.gz").read_bytes() == CONTENT


def test_the_second_address_is_tried_after_the_first_failed(served):
    with served({"/here/file.gz": CONTENT}) as server:
        assert fetch(f"{server.url}/gone/file.gz", f"{server.url}/here/file.gz").read_bytes() == CONTENT
        assert server.requests == ["/gone/file.gz", "/here/file.gz"]


def test_without_a_network_there_is_one_message_and_nothing_half_written(own_cache, served):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    urls = [f"http://127.0.0.1:{port}/{name}/file.gz" for name in "ab"]
    assert refused(own_cache, *urls).count("Connection refused") == 2


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
def test_a_bad_answer_is_one_message(own_cache, served, content, options, reason):
    with served(content, **options) as server:
        assert reason in refused(own_cache, f"{server.url}/file.gz")
    gc.collect()


def test_a_cache_folder_that_cannot_be_made_is_one_message(own_cache):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file in the way")
    with pytest.raises(UserError, match="cannot be downloaded"):
        fetch("http://127.0.0.1:9/file.gz")

"""What the tests of the data path share."""

import http.server
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trialwise.base.errors import UserError
from trialwise.base.files import cache_folder
from trialwise.images.sources import find_source
from trialwise.images.store import Prepared, prepare


@pytest.fixture
def own_cache() -> Path:
    """Where this test's decoded images and downloads go."""
    return cache_folder()


@pytest.fixture
def prepared() -> Callable[..., Prepared]:
    """A function that prepares a folder or an archive: `prepared(folder, image_size=...)`."""
    return lambda folder, **options: prepare(find_source(str(folder)), **options)


@pytest.fixture
def refusal(prepared, own_cache) -> Callable[..., str]:
    """A function that gives the message with which a folder is refused, having left nothing in the cache."""

    def refused(folder, kind=UserError, **options):
        with pytest.raises(kind) as caught:
            prepared(folder, **options)
        images = own_cache / "images"
        assert not images.exists() or not list(images.iterdir())  # nothing half-written
        return str(caught.value)

    return refused


@pytest.fixture
def tar_of() -> Callable[[dict[str, bytes]], bytes]:
    """A function that gives the bytes of a .tar.gz of these files."""

    def packed(files):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return stream.getvalue()

    return packed


class Served:
    """A server on this machine that answers each GET with the same bytes, or by path, or with an error."""

    def __init__(self, content: bytes | dict[str, bytes], *, status=200, declared=None):
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.requests.append(handler.path)
                body = content.get(handler.path) if isinstance(content, dict) else content
                handler.send_response(404 if body is None else status)
                handler.send_header("Content-Length", str(declared or len(body or b"")))
                handler.end_headers()
                handler.wfile.write(body or b"")

            def log_message(handler, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def served(monkeypatch) -> type[Served]:
    """`served(content)` as a context manager: a server on this machine with `.url` and `.requests`."""
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]:
        monkeypatch.delenv(name, raising=False)
    return Served

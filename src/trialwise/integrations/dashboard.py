"""optuna-dashboard on this machine: the studies of a storage in a browser."""

import importlib.util
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage

from trialwise.base.errors import UserError

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that keeps a connection open does not keep the server alive


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of every request."""


def check_dashboard() -> None:
    """Refuse where optuna-dashboard is not installed.

    Raises:
        UserError: With what to install.
    """
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise UserError(
            "study dashboard needs optuna-dashboard, which is not installed", hint="pip install 'trialwise[dashboard]'"
        )


def serve_dashboard(storage: BaseStorage, port: int, *, started: Callable[[str], None]) -> None:
    """Show the studies of `storage` until Ctrl-C.

    Args:
        storage: An opened storage.
        port: Where to listen on 127.0.0.1; 0 for any free port.
        started: Told the address once it answers.

    Raises:
        UserError: The port is taken, or optuna-dashboard is not installed.
    """
    check_dashboard()
    from optuna_dashboard import wsgi

    try:
        server = make_server(HOST, port, wsgi(storage), server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        reason = "a port is a number from 0 to 65535" if isinstance(error, OverflowError) else error.strerror
        raise UserError(f"--port {port}: {reason}", hint="--port 0 takes any free one") from None
    with server:
        started(f"http://{HOST}:{server.server_address[1]}/")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            return

"""`python -m trialwise` and the `trialwise` command."""

import os
import signal
import sys
from contextlib import suppress
from typing import Any


def main() -> None:
    """Run the command line and exit with its code.

    The first Ctrl-C stops the work and lets it save what exists; further ones are ignored while it does.
    """
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, _first_interrupt)
    _keep_stdout_for_data()
    try:
        from trialwise.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 130
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to stop
    sys.exit(code if _stdout_is_written(told=code != 0) else 1)


def _stdout_is_written(*, told: bool) -> bool:
    """Write what is left; False, and no traceback at exit, where the disk is full or the reader gone (`| head`).

    Args:
        told: Whether the user has been told already what went wrong.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        if not told and not isinstance(error, BrokenPipeError):
            print(f"error: writing: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    except (AttributeError, ValueError):  # there is no stdout, or it is closed
        pass
    return True


def _first_interrupt(*_: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _keep_stdout_for_data() -> None:
    """Let only `sys.stdout` reach the real stdout: what libraries and workers write to file 1 goes to stderr."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for the process's whole life
    with suppress(OSError, AttributeError):  # stdout or stderr is closed: there is nothing to keep apart
        data = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.stdout = os.fdopen(data, "w", encoding=sys.stdout.encoding, errors="backslashreplace")


if __name__ == "__main__":
    main()

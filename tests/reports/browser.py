"""Debian's chromium without a window, driven through its DevTools protocol; nothing but the machine itself is reached.

The protocol: https://chromedevtools.github.io/devtools-protocol/. Used by the tests of the page, by
`benchmarks/report_size.py` and by `docs/pictures/make_pictures.py`.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE_SECONDS = 120  # a machine shared with other work
KEYS = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
}


def program() -> str | None:
    """Where chromium is; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator["Page"]:
    """A browser that finds no host, and one page in it."""
    found = program()
    assert found, "no chromium: apt-get install chromium"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        quiet = ("background-networking", "component-update", "default-apps", "extensions", "gpu", "sync")
        process = subprocess.Popen(
            [
                found,
                "--headless=new",
                "--no-sandbox",  # CI is root in a container
                "--disable-dev-shm-usage",
                "--no-first-run",
                *(f"--disable-{name}" for name in quiet),
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"LANG": "C.UTF-8"},
        )
        try:
            with connect(_address(Path(profile), process), max_size=None, proxy=None) as connection:
                yield Page(connection, Path(profile))
        finally:
            process.terminate()
            process.wait()


def _address(profile: Path, process: subprocess.Popen) -> str:
    """The protocol's address, which the browser writes into its profile once it listens."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, f"chromium ended with {process.returncode}"
        file = profile / "DevToolsActivePort"
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise TimeoutError("chromium does not listen")


class Page:
    """One page of the browser, and what happened on it since `open`.

    Attributes:
        downloads: The folder that saved files go to.
    """

    def __init__(self, connection: ClientConnection, profile: Path) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.downloads = profile / "downloads"
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.look()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the method answers; events that come before are kept."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._connection.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._connection.recv(timeout=PATIENCE_SECONDS))
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._keep(answer)

    def open(self, path: Path) -> None:
        """Load the file and wait until it is drawn; what happened before is forgotten."""
        self._events.clear()
        self.call("Page.navigate", url=path.absolute().as_uri())
        while not self._happened("Page.loadEventFired"):
            self._keep(json.loads(self._connection.recv(timeout=PATIENCE_SECONDS)))
        if self._has_script:
            self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def run(self, script: str) -> Any:
        """The value of the expression on the page, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release one of `KEYS`."""
        self.call("Input.dispatchKeyEvent", type="keyDown", **KEYS[key])
        self.call("Input.dispatchKeyEvent", type="keyUp", **KEYS[key])

    def look(self, *, scheme: str = "light", width: int = 1000, height: int = 800, script: bool = True) -> None:
        """How the page is looked at from now on: colours "light" or "dark", CSS pixels, with or without JavaScript."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self._has_script = script

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(found["data"])

    def pdf(self) -> bytes:
        """The page on paper."""
        return base64.b64decode(self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])

    def problems(self) -> list[str]:
        """Errors, warnings and dialogs since the page was opened."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening")
        found = [json.dumps(event["params"]) for kind in kinds for event in self._happened(kind)]
        spoken = [event["params"] for event in self._happened("Runtime.consoleAPICalled")]
        return found + [json.dumps(each) for each in spoken if each["type"] in ("error", "warning", "assert")]

    def requests(self) -> list[str]:
        """The addresses asked for since the page was opened, but for what lies within the page itself."""
        asked = [event["params"]["request"]["url"] for event in self._happened("Network.requestWillBeSent")]
        return [address for address in asked if not address.startswith(("data:", "blob:"))]

    def downloaded(self, name: str) -> str:
        """The text of a file that the page saves."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (self.downloads / name).exists():
            assert time.monotonic() < end, f"no {name} was saved"
            time.sleep(0.02)
        return (self.downloads / name).read_text()

    def _keep(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        if event.get("method") == "Page.javascriptDialogOpening":  # it would stop the page
            number = next(self._numbers)
            message = {"id": number, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            self._connection.send(json.dumps(message | {"sessionId": self._session}))

    def _happened(self, method: str) -> list[dict[str, Any]]:
        return [event for event in self._events if event.get("method") == method]

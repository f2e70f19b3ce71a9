# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from websockets.sync.client import connect
from websockets.sync.connection import Connection

EXECUTABLE = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""Debian's package, or what else there is; None without a browser."""
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--window-size=800,600"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL on the processor
)


class Page:
    """The one page of a browser."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._calls = connection, 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol and return its result."""
        self._calls += 1
        self._connection.send(json.dumps({"id": self._calls, "method": method, "params": params}))
        while True:
            answer = json.loads(self._connection.recv(timeout=120))
            if answer.get("id") == self._calls:
                assert "result" in answer, answer
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text(self) -> str:
        """Return what is written on the page."""
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def wait_for(self, condition: Callable[[], Any], seconds: float = 90.0) -> Any:
        """Return the first true value of *condition*, or its last one when time is up."""
        until = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < until:
            time.sleep(0.3)
        return found

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self) -> np.ndarray:
        """Return what the page looks like, shape ``[H, W, 3]``."""
        data = base64.b64decode(self.call("Page.captureScreenshot")["data"])
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(float)


@contextlib.contextmanager
def browse(address: str, folder: Path) -> Iterator[Page]:
    """Open a page in a browser of its own.

    Args:
        address: Of the page.
        folder: Where the browser keeps its profile.
    """
    assert EXECUTABLE is not None
    command = [EXECUTABLE, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={folder}", address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_socket_of(folder), max_size=None) as connection:
            yield Page(connection)
    finally:
        process.kill()
        process.wait()


def _socket_of(folder: Path) -> str:
    """Return the address of the page's DevTools socket once the browser is up."""
    until = time.monotonic() + 90.0
    while time.monotonic() < until:
        with contextlib.suppress(OSError, IndexError, StopIteration):
            port = int((folder / "DevToolsActivePort").read_text().split()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=10) as answer:
                return next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        time.sleep(0.2)
    raise TimeoutError("the browser did not start")

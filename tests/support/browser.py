"""A page opened from disk in headless Chromium, spoken to through a pipe: no driver, no port.

Chromium reads commands of its DevTools protocol from descriptor 3 and answers on descriptor 4, each
message JSON with a zero byte behind it (`--remote-debugging-pipe`).
"""

import contextlib
import fcntl
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NEEDED = "DQN_STUDY_BROWSER"  # set by .ci/run: without a browser tests fail there, not skip
_PATIENCE = 120.0  # seconds for an answer


def program() -> str:
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        reason = f"no {', '.join(PROGRAMS)}: apt-get install chromium"
        if os.environ.get(NEEDED):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Browser:
    """One headless Chromium, for any number of pages; to be used with `with`."""

    def __init__(self):
        chromium = program()  # may skip: nothing is opened before, and what is opened is closed
        with contextlib.ExitStack() as opened:
            profile = opened.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            theirs, self._to = _pipe(opened)
            self._from, ours = _pipe(opened)
            arguments = [
                chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking",
                "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
            ]  # fmt: skip
            ends = theirs.fileno(), ours.fileno()
            self._process = subprocess.Popen(
                ["bash", "-c", 'exec "$0" "$@" 3<&{} 4>&{}'.format(*ends), *arguments],
                pass_fds=ends, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            theirs.close()
            ours.close()
            self._opened = opened.pop_all()
        self._number, self._text, self.events = 0, b"", []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self._opened:
            try:
                self.call("Browser.close")
                self._process.wait(10)
            finally:
                self._process.kill()
                self._process.wait()

    def call(self, method: str, session: str | None = None, **params) -> dict:
        """The result of one command; what happens meanwhile goes to `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def wait_for(self, method: str) -> dict:
        """The next event of a kind."""
        seen = len(self.events)
        while True:
            for event in self.events[seen:]:
                if event["method"] == method:
                    return event
            seen = len(self.events)
            self._read()

    def _read(self) -> dict:
        deadline = time.monotonic() + _PATIENCE
        while b"\0" not in self._text:
            ready, *_ = select.select([self._from], [], [], deadline - time.monotonic())
            assert ready, f"Chromium said nothing for {_PATIENCE} s"
            read = self._from.read(1 << 20)
            assert read, "Chromium has ended"
            self._text += read
        message, _, self._text = self._text.partition(b"\0")
        text = json.loads(message)
        if "method" in text:
            self.events.append(text)
        return text


class Page:
    """A file in a window of so many pixels."""

    def __init__(self, browser: Browser, url: str, width: int, height: int = 900):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for part in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{part}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        browser.events.clear()
        self._call("Page.navigate", url=url)
        if not any(event["method"] == "Page.loadEventFired" for event in browser.events):
            browser.wait_for("Page.loadEventFired")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.browser.call("Target.closeTarget", targetId=self._target)

    def js(self, expression: str):
        """The value of an expression, or what its promise comes to."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """A key on what has the focus."""
        text = {"Enter": "\r"}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text,
                windowsVirtualKeyCode={"Enter": 13, "Tab": 9}[key],
            )  # fmt: skip

    def media(self, **features: str) -> None:
        """Such as `prefers_color_scheme="dark"`."""
        text = [{"name": n.replace("_", "-"), "value": value} for n, value in features.items()]
        self._call("Emulation.setEmulatedMedia", features=text)

    def screenshot(self, whole: bool = True) -> str:
        """PNG, in base64."""
        return self._call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]

    def pdf(self) -> str:
        """As printed, in base64."""
        return self._call("Page.printToPDF", preferCSSPageSize=True)["data"]

    def complaints(self) -> list[str]:
        """Errors and warnings on the console, and exceptions."""
        text = []
        for event in self.browser.events:
            params = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    text.append(str(params["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning"):
                    text.append(str(params["args"]))
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    text.append(params["entry"]["text"])
        return text

    def requests(self) -> list[str]:
        """Addresses that were asked for, but for data within the page."""
        asked = [e for e in self.browser.events if e["method"] == "Network.requestWillBeSent"]
        urls = [event["params"]["request"]["url"] for event in asked]
        return [url for url in urls if not url.startswith("data:")]

    def _call(self, method: str, **params) -> dict:
        return self.browser.call(method, self._session, **params)


def _pipe(opened: contextlib.ExitStack) -> list[io.FileIO]:
    """Its reading and its writing end, above the descriptors that the shell will use."""
    ends = []
    for low, mode in zip(os.pipe(), "rw", strict=True):
        high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(low)
        ends.append(opened.enter_context(io.FileIO(high, mode)))
    return ends

"""A headless chromium that takes commands over a pipe by the DevTools protocol: no driver, no port, no network.

https://chromedevtools.github.io/devtools-protocol/; JSON messages that end in NUL, on descriptors 3 and 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
from contextlib import contextmanager

PATIENCE_S = 120  # for one message, on a busy machine
DECODED = "Promise.all([...document.images].map((image) => image.decode().catch(() => null))).then(() => 0)"
WINDOWS = {"laptop": {"width": 1366}, "phone": {"width": 390, "mobile": True}}
ERRORS = "document.querySelectorAll('.output_error').length"
FIGURES = "[...document.images].map((image) => Math.min(image.naturalWidth, image.clientWidth))"
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
LINKS = "[...document.querySelectorAll('nav a')].map((link) => link.href)"
OVERFLOWING = """[...document.querySelectorAll("body *")].filter((element) => {
    const inBox = element.closest(".output_area, .wide, pre, .text_cell_render table");
    return !inBox && element.getBoundingClientRect().right > window.innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 100))"""
FLAGS = (
    "--headless",
    "--no-sandbox",  # a container's root has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)


def path():
    """Return the browser's path, or None if it is not installed."""
    return shutil.which("chromium")


@contextmanager
def opened(profile):
    """Yield a Browser with its profile in this folder."""
    read_here, write_there = os.pipe()
    read_there, write_here = os.pipe()
    script = f'exec "$0" "$@" 3<&{read_there} 4>&{write_there}'
    command = ["bash", "-c", script, path(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, pass_fds=(read_there, write_there), **silent)
    os.close(read_there)
    os.close(write_there)
    try:
        yield Browser(read_here, write_here)
    finally:
        os.close(write_here)
        os.close(read_here)
        process.terminate()
        process.wait(PATIENCE_S)


class Browser:
    """One tab of a chromium. `requests` lists the URLs that the page loaded, `errors` the console's errors."""

    def __init__(self, read, write):
        self._read, self._write, self._rest, self._count, self._session = read, write, b"", 0, None
        self.requests, self.errors, self._loaded = [], [], False
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.send(f"{domain}.enable")

    def visit(self, url, *, width, height=900, mobile=False):
        """Load a page in a window of this size (CSS pixels), and wait until it is complete."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.requests, self.errors, self._loaded = [], [], False
        self.send("Page.navigate", url=url)
        while not self._loaded:
            self._handle(self._message())
        self.evaluate(DECODED)

    def evaluate(self, script):
        """Return the JSON value of a JavaScript expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def picture(self):
        """Return the window as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def send(self, method, **parameters):
        """Send a command and return its result. Raises RuntimeError if the browser refuses it."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (reply := self._message()).get("id") != self._count:
            self._handle(reply)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    def _handle(self, event):
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            case "Log.entryAdded":
                self.errors.append(event["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.errors.append(event["params"]["exceptionDetails"]["text"])
            case "Page.loadEventFired":
                self._loaded = True

    def _message(self):
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], PATIENCE_S)[0]:
                raise TimeoutError(f"the browser sent nothing for {PATIENCE_S} s")
            block = os.read(self._read, 1 << 20)
            if not block:
                raise EOFError("the browser ended")
            self._rest += block
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

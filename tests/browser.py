"""A headless chromium, told what to do over a pipe by the DevTools protocol: no driver, no port, no network.

https://chromedevtools.github.io/devtools-protocol/; messages are JSON and end in a NUL, over descriptors 3 and 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
from contextlib import contextmanager

PATIENCE_S = 120  # for one message, on a machine that may be busy
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
    "--no-sandbox",  # which a container's root can not have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-pipe",
)


def found():
    """The browser's path, or None where there is none."""
    return shutil.which("chromium")


@contextmanager
def opened(profile):
    """A Browser, whose profile is in that folder, until the block ends."""
    read_here, write_there = os.pipe()
    read_there, write_here = os.pipe()
    script = f'exec "$0" "$@" 3<&{read_there} 4>&{write_there}'
    words = ["bash", "-c", script, found(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, pass_fds=(read_there, write_there), **silent)
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
    """One tab of a chromium. `asked` lists the URLs that the page asked for, `complaints` what went wrong."""

    def __init__(self, read, write):
        self._read, self._write, self._rest, self._count, self._session = read, write, b"", 0, None
        self.asked, self.complaints, self._loaded = [], [], False
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.tell(f"{domain}.enable")

    def visit(self, url, *, width, height=900, mobile=False):
        """Load a page in a window of that size (CSS pixels), and wait until all it needs is there."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if mobile else 1, "mobile": mobile}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self.asked, self.complaints, self._loaded = [], [], False
        self.tell("Page.navigate", url=url)
        while not self._loaded:
            self._hear(self._message())
        self.evaluate(DECODED)

    def evaluate(self, script):
        """The value, as JSON holds it, of an expression of JavaScript in the page."""
        result = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def picture(self):
        """The window as PNG."""
        return base64.b64decode(self.tell("Page.captureScreenshot", format="png")["data"])

    def tell(self, method, **given):
        """Send a command and return its result. Raises RuntimeError where it is refused."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": given}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (heard := self._message()).get("id") != self._count:
            self._hear(heard)
        if "error" in heard:
            raise RuntimeError(f"{method}: {heard['error']['message']}")
        return heard["result"]

    def _hear(self, event):
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(event["params"]["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(event["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(event["params"]["exceptionDetails"]["text"])
            case "Page.loadEventFired":
                self._loaded = True

    def _message(self):
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], PATIENCE_S)[0]:
                raise TimeoutError("the browser says nothing")
            block = os.read(self._read, 1 << 20)
            if not block:
                raise EOFError("the browser has ended")
            self._rest += block
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

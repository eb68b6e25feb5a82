"""Wait for another process, up to a time limit."""

import time


def until(condition, *, seconds=120):
    """Return once `condition()` is true. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition was still false after {seconds} s")
        time.sleep(0.05)

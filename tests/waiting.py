"""Waiting for what another process does, and not for ever."""

import time


def until(condition, *, seconds=120):
    """Return once `condition()` holds; raises TimeoutError where it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.05)

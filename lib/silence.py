"""Quiet imports: TensorFlow's C++ code writes start-up messages to stderr that no setting turns off."""

import os
import sys
from contextlib import contextmanager


@contextmanager
def stderr():
    """Discard what Python and C++ code write to the process's standard error within the block.

    Exceptions pass through.
    """
    sys.stderr.flush()
    original = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(null)
        os.close(original)

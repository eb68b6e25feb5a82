"""Quiet imports: TensorFlow's C++ parts write start-up notes to stderr that no setting turns off."""

import os
import sys
from contextlib import contextmanager


@contextmanager
def stderr():
    """Send the process's standard error, Python's and that of C++ parts, to nowhere within the block.

    Exceptions pass through as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)

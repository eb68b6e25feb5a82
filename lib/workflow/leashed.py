"""run_all.sh's command line for a run of a sweep: it ends when the process that started it does.

usage: python -m lib.workflow.leashed NOTEBOOKS_FOLDER [argument ...], with a pipe as standard input.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from lib.workflow import cli


def _leash():
    """Interrupt this process, as Ctrl-C does, when its stdin ends: the process that started it is gone."""

    def wait():
        os.read(0, 1)  # of the pipe itself: sys.stdin, locked by this thread, would abort the process at its end
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _leash()
    sys.exit(cli.main(sys.argv[2:], notebooks=Path(sys.argv[1])))

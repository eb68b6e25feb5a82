"""run_all.sh's command line for a run of a sweep. It ends when the process that started it ends.

usage: python -m lib.workflow.member_process NOTEBOOKS_FOLDER [argument ...], with a pipe as standard input.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from lib.workflow import cli


def _end_with_parent():
    """Interrupt this process, as Ctrl-C does, when its standard input ends: the parent process is gone."""

    def wait():
        os.read(0, 1)  # the pipe itself: a thread that locks sys.stdin would abort the process at its end
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    sys.exit(cli.main(sys.argv[2:], notebooks=Path(sys.argv[1])))

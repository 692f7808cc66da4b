"""A process that `deskclock run` started ends with it, even when that was killed."""

import os
import signal
import sys
import threading

SUPERVISED = "DESKCLOCK_SUPERVISED"  #: set by the supervisor, whose end closes our standard input


def end_with_parent() -> None:
    """Ask ourselves to end as soon as the supervisor is gone, however it went."""
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

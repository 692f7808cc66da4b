"""A process that `deskclock run` started ends with it, even when that was killed."""

import os
import signal
import threading

STANDARD_INPUT = 0
SUPERVISED = "DESKCLOCK_SUPERVISED"  #: set by the supervisor, whose end closes our standard input


def end_with_parent() -> None:
    """Ask ourselves to end as soon as the supervisor is gone, however it went."""
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    # not by sys.stdin: its buffer's lock, held in a daemon thread, breaks the interpreter's end
    while os.read(STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

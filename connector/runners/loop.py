"""The loop of a worker process: looks for work until it is stopped, and what goes on beside."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from connector.errors import StoreError

log = structlog.get_logger()

RETRY_SECONDS = 1.0
# whoever stops us kills us after 10 s, and a call that is under way may take as long
LANES_GRACE_SECONDS = 5.0
BESIDE_GRACE_SECONDS = 2.0

#: does one thing, and returns the seconds until it is to be done again
Step = Callable[[], float]
NOTHING: Mapping[str, Step] = {}


class Runner(Protocol):
    """What keeps a worker process at work."""

    def stop(self) -> None:
        """Ask the worker to end; lanes finish the call they are in."""

    def run(self) -> bool:
        """Work until `stop`; True when all that was under way has ended."""


class Loop:
    """Runs one step again and again, and others beside it in threads of their own."""

    def __init__(self, stop: threading.Event, beside: Mapping[str, Step]) -> None:
        self._stop = stop
        self._threads = [
            threading.Thread(target=self._repeat, args=(step, name), name=name, daemon=True)
            for name, step in beside.items()
        ]

    def run(self, step: Step) -> None:
        """Until `stop` is set. A refusing database is waited for; anything else is raised."""
        for thread in self._threads:
            thread.start()
        try:
            while not self._stop.is_set():
                try:
                    pause = step()
                except StoreError as error:
                    log.warning("database refuses", reason=str(error))
                    pause = RETRY_SECONDS
                self._stop.wait(pause)
        finally:
            self._stop.set()

    def end(self) -> None:
        """Wait a while for the threads beside; what one is at then is done once more some day."""
        until = time.monotonic() + BESIDE_GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _repeat(self, step: Step, name: str) -> None:
        while not self._stop.is_set():
            try:
                pause = step()
            except StoreError:
                pause = RETRY_SECONDS
            except Exception:
                log.exception("a thread beside the lanes failed", thread=name)
                pause = RETRY_SECONDS
            self._stop.wait(pause)

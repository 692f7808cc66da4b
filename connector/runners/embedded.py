"""The embedded runner: one worker process that looks for work itself."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from connector.engine.context import Account
from connector.errors import SettingsError
from connector.runners.loop import LANES_GRACE_SECONDS, NOTHING, Loop, Step
from connector.runners.pulse import Pulse, our_name
from connector.runners.turns import Turns
from connector.runners.visits import Visits
from connector.store.database import Database


class Worker:
    """Looks for accounts with something to do and visits each in a thread of its own."""

    def __init__(
        self,
        database: Database,
        served: Mapping[str, Account],
        *,
        threads: int,
        poll_seconds: float,
        clock_check_seconds: float,
        beside: Mapping[str, Step] = NOTHING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        holder = our_name()
        self._visits = Visits(
            database, served, holder=holder, stop=self._stop,
            clock_check_seconds=clock_check_seconds, greets=True, monotonic=monotonic,
        )  # fmt: skip
        self._pulse = Pulse(
            database, self._visits, holder=holder, runner="embedded", monotonic=monotonic
        )
        self.turns = Turns(served, self._visits.visit, threads=threads, monotonic=monotonic)
        self._loop = Loop(self._stop, beside)

    def stop(self) -> None:
        """Ask the worker to end; lanes finish the call they are in."""
        self._stop.set()

    def run(self) -> bool:
        """Work until `stop`; True when all that was under way has ended.

        Otherwise a call to a helpdesk goes on, whose account was given back.
        """
        try:
            self._loop.run(self.tick)
        finally:
            self.turns.close()
            has_ended = self._visits.end(LANES_GRACE_SECONDS)
            self._loop.end()
        return has_ended

    def tick(self) -> float:
        """One look for work; returns the pause until the next. Raises `StoreError`."""
        self._pulse.beat()
        self.turns.give(self._visits.needed(self.turns.waiting()))
        return self._poll_seconds


def only_worker(data_dir: Path) -> FileLock:
    """The lock that makes a second worker on this data directory impossible."""
    return only_one("worker", data_dir)


def only_one(what: str, data_dir: Path) -> FileLock:
    """The lock that makes a second `what` on this data directory impossible."""
    lock = FileLock(data_dir / f"{what}.lock")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(
            f"another deskclock {what} uses {data_dir.absolute()}; stop it, "
            "or give this one a directory of its own with --data-dir"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{data_dir.absolute()} cannot be written: {error.strerror}; check the rights, "
            "or name another directory with --data-dir"
        ) from None
    return lock

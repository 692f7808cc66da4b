"""The pulse of a worker process: it says that it is alive, and notices when a clock was set."""

import os
import socket
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from connector.engine.context import Clocks
from connector.runners.progress import Progress
from connector.runners.visits import Visits
from connector.store import heartbeat, stepping
from connector.store.database import Database, now

log = structlog.get_logger()

BEAT_SECONDS = 2.0
HEARTBEAT = "worker:"  #: begins the names of workers among the heartbeats


def our_name() -> str:
    """This process among all of them, as it holds accounts."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Pulse:
    """Beats every two seconds at most, whatever the runner. For one thread."""

    def __init__(
        self,
        database: Database,
        visits: Visits,
        *,
        holder: str,
        runner: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._visits = visits
        self._holder = holder
        self._runner = runner
        self._monotonic = monotonic
        self._progress = Progress(monotonic)
        self._clocks = Clocks()
        self._beaten = float("-inf")

    def beat(self) -> None:
        """Say that we are alive, if it is time. Raises `StoreError`."""
        if self._monotonic() - self._beaten < BEAT_SECONDS:
            return
        self._beaten = self._monotonic()
        draining = self._visits.draining
        body = {
            "holder": self._holder,
            "runner": self._runner,
            "accounts": sorted(self._visits.served),
            "draining": draining,
            "stuck": self._progress.stuck(draining),
        }

        def work(conn: Connection) -> tuple[float, float, float]:
            back = stepping.follow(conn)
            heartbeat.beat(conn, HEARTBEAT + self._holder, body)
            heartbeat.forget_dead(conn, HEARTBEAT)
            return back, now(conn), self._monotonic()

        back, at, monotonic = self._database.run(work)
        if back:
            log.warning(
                "the database's clock was set back; what waits for an instant was moved with it",
                seconds=round(back, 1),
            )
        if self._clocks.stepped(at, monotonic):
            log.warning("the database's clock was set, or this machine slept")
            self._visits.forget_clocks()

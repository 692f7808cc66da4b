"""The listener: takes messages off the broker, in a thread of a worker process."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import WorkController, state

from connector.runners.broker import QUEUE

log = structlog.get_logger()

# what a message raises that is not even one; a broker that is gone raises others
_OF_A_MESSAGE = (AttributeError, LookupError, TypeError, ValueError)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
GRACE_SECONDS = 2.5  # Celery notices the end between two waits for a message, of 2 s


class Listener:
    """Keeps a Celery worker listening, whose tasks run in threads of this process.

    Threads and not processes: a lane waits for a helpdesk most of the time, and what is known of an
    account is known to all of them. The worker is started anew whenever it ends, so that nothing of
    a lost connection is left over. A message that it chokes on costs all that wait with it.
    """

    def __init__(
        self, app: Celery, *, name: str, threads: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._app = app
        self._name = name
        self._threads = threads
        self._monotonic = monotonic
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._has_choked = False
        self._next_at = float("-inf")
        # its lines hold whole messages; ours say what was dropped
        logging.getLogger("celery.worker.consumer.consumer").setLevel(logging.CRITICAL + 1)
        logging.getLogger("celery").setLevel(logging.WARNING)
        signals.task_unknown.connect(self._drop_unknown)
        signals.task_rejected.connect(self._drop_unreadable)

    def keep(self) -> None:
        """Listen, if nobody does and it is time to try."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._monotonic() >= self._next_at:
            self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take no message any more; tasks that run are not waited for."""
        state.should_stop = 0

    def end(self) -> None:
        """Wait a while for the end of the thread."""
        if self._thread is not None:
            self._thread.join(GRACE_SECONDS)

    def _listen(self) -> None:
        try:
            self._reach()
            self._work()
        except SystemExit as error:  # so Celery ends when the broker is lost, or when it is to end
            self._failed(error.__cause__ or error)
        except Exception as error:
            self._failed(error)

    def _reach(self) -> None:
        """Raise where the broker does not answer: Celery would log that at length."""
        with self._app.connection_for_read() as connection:
            connection.connect()
            if self._has_choked:  # what it choked on was put back
                connection.default_channel.queue_purge(QUEUE)
                self._has_choked = False

    def _work(self) -> None:
        state.reset_state()
        worker = WorkController(
            app=self._app,
            hostname=f"deskclock@{self._name}",
            pool="threads",
            concurrency=self._threads,
            use_eventloop=False,
            without_gossip=True,
            without_heartbeat=True,
            without_mingle=True,
            ready_callback=self._ready,
        )
        try:
            worker.blueprint.start(worker)
        finally:
            worker.stop()

    def _ready(self, _consumer: Any) -> None:
        log.info("listening to the broker")
        self._failures = 0

    def _failed(self, error: BaseException) -> None:
        if state.should_stop is not None:
            return
        self._has_choked |= isinstance(error, _OF_A_MESSAGE)
        if self._failures == 0:
            log.warning(
                "not listening to the broker; accounts are looked at without it",
                error=type(error).__name__,
            )
        pause = min(FIRST_PAUSE_SECONDS * 2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures = min(self._failures + 1, 10)
        self._next_at = self._monotonic() + pause

    def _drop_unknown(self, name: object = None, **_: object) -> None:
        log.warning("a message for another program was dropped", task=str(name)[:100])

    def _drop_unreadable(self, **_: object) -> None:
        log.warning("a message that is not one of ours was dropped")

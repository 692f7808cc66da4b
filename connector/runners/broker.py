"""The broker: messages that wake the fleet. They only say which account to look at.

The database holds the truth, so that a message may be lost, doubled, late or forged: it costs a
look at most. PostgreSQL is looked at by every worker all the time anyway.
"""

import threading
from collections.abc import Iterable
from typing import Any

import structlog
from celery import Celery

from connector.errors import StoreError
from connector.store import waking
from connector.store.database import Database

log = structlog.get_logger()

QUEUE = "deskclock"
DRAIN, SYNC, RECONCILE = "deskclock.drain", "deskclock.sync", "deskclock.reconcile"
PAUSE_SECONDS = 0.05  # between two sendings, so that hints which come together cost one message
CALL_SECONDS = 3.0  # for the broker to answer; nobody waits for it but our own thread
_ONCE = {"max_retries": 1, "interval_start": 0.0, "interval_step": 0.0, "interval_max": 0.0}


def celery_app(broker: str) -> Celery:
    """Celery as it is used here, for an address that begins with redis:// or amqp://.

    Nothing is opened before the first message.
    """
    app = Celery("deskclock", broker=broker, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=QUEUE,
        task_default_delivery_mode="transient",  # a message outlives no restart of the broker
        task_ignore_result=True,
        task_acks_late=False,
        task_publish_retry=True,
        task_publish_retry_policy=_ONCE,
        broker_connection_timeout=CALL_SECONDS,
        broker_connection_retry=False,  # the listener begins anew, with nothing left of before
        broker_connection_retry_on_startup=False,
        broker_heartbeat=0,  # sent by Celery's event loop only, which is not used
        broker_transport_options=_transport_options(broker),
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=_is_redis(broker),
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_detect_quorum_queues=False,
    )
    return app


def _is_redis(broker: str) -> bool:
    return broker.startswith(("redis:", "rediss:"))


def _transport_options(broker: str) -> dict[str, Any]:
    if not _is_redis(broker):
        return dict(_ONCE)
    return {
        **_ONCE,
        "socket_connect_timeout": CALL_SECONDS,
        "socket_timeout": 2 * CALL_SECONDS,  # longer than any wait for a message
        "socket_keepalive": True,
    }


class Waker:
    """Wakes the fleet from a thread of its own, which starts with the first call.

    That is after a fork, and nobody who wakes waits for the broker.
    """

    def __init__(self, database: Database, app: Celery) -> None:
        self._database = database
        self._app = app
        self._names: set[str] = set()
        self._asked = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        #: the latest message could not be sent
        self.is_refused = False

    def wake(self, names: Iterable[str]) -> None:
        """Have somebody look at these accounts soon. Raises nothing, and does not wait."""
        with self._guard:
            self._names.update(names)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="waker", daemon=True)
                self._thread.start()
        self._asked.set()

    def _work(self) -> None:
        pause = threading.Event()
        while self._asked.wait():
            self._asked.clear()
            with self._guard:
                names, self._names = self._names, set()
            try:
                self._send(names)
            except StoreError as error:
                log.debug("database refuses", reason=str(error))  # a worker's look will find it
            except Exception:
                log.exception("waker failed")
            pause.wait(PAUSE_SECONDS)

    def _send(self, names: set[str]) -> None:
        asked = self._database.run(lambda conn: waking.ask(conn, names))
        sent: set[str] = set()
        try:
            for name in asked:
                self._app.send_task(DRAIN, args=[name], expires=waking.EXPIRY_SECONDS)
                self.is_refused = False
                sent.add(name)
        except Exception as error:  # of many kinds; Redis and RabbitMQ have their own
            self._refuse(error)
            self._database.run(lambda conn: waking.answered(conn, set(asked) - sent))

    def _refuse(self, error: Exception) -> None:
        if not self.is_refused:
            log.warning(
                "the broker takes no message; the workers look for work by themselves",
                error=type(error).__name__,
            )
        self.is_refused = True

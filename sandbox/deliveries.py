"""Sends webhooks as real HTTP requests from a small pool of threads, and keeps the log."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import requests

from sandbox.clock import Clock
from sandbox.state import Row, State

_THREADS = 8
_KEPT = 5000
_TIMEOUT = (3.05, 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One request to send: where, what, and what it is about (`event`, `ticket_id`)."""

    id: str
    webhook_id: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    event: str
    ticket_id: int
    queued_at: str
    attempts: tuple[Mapping[str, Any], ...] = ()


class Sender:
    """Delivers at once; a failed delivery is tried again after each of `retry_delays` seconds."""

    def __init__(self, state: State, clock: Clock, *, retry_delays: Sequence[float]) -> None:
        self._state = state
        self._clock = clock
        self._retry_delays = tuple(retry_delays)
        self._queue: SimpleQueue[tuple[Delivery, float] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Queue deliveries. Call this after the change is committed."""
        if not deliveries or self._closed.is_set():
            return
        with self._lock:
            self._pending += len(deliveries)
            self._start_threads()
        for delivery in deliveries:
            self._queue.put((delivery, time.monotonic()))

    def log(self, limit: int = 200) -> dict[str, Any]:
        """How many deliveries wait, and the latest ones, newest first."""
        page = self._state.page("delivery", sort="created", descending=True, limit=limit)
        return {"pending": self._pending, "deliveries": page}

    def close(self) -> None:
        """Stop; what still waits is not sent."""
        self._closed.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=0.5)

    def _start_threads(self) -> None:
        while len(self._threads) < _THREADS and len(self._threads) < self._pending:
            thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (item := self._queue.get()) is not None and not self._closed.is_set():
                self._attempt(session, *item)

    def _attempt(self, session: requests.Session, delivery: Delivery, queued: float) -> None:
        status, error = self._post(session, delivery)
        attempt = {
            "at": self._clock.stamp(),
            "status": status,
            "error": error,
            "seconds_after_change": round(time.monotonic() - queued, 4),
        }
        tried = replace(delivery, attempts=(*delivery.attempts, attempt))
        done = status is not None and 200 <= status < 300
        again = not done and _worth_retrying(status) and self._retries_left(tried)
        if again:
            self._later(tried)
        else:
            with self._lock:
                self._pending -= 1
        self._write(tried, "success" if done else "retrying" if again else "failed")

    def _post(self, session: requests.Session, delivery: Delivery) -> tuple[int | None, str | None]:
        try:
            response = session.post(
                delivery.url,
                data=delivery.body,
                headers=dict(delivery.headers),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return None, type(error).__name__
        return response.status_code, None

    def _retries_left(self, delivery: Delivery) -> bool:
        return len(delivery.attempts) <= len(self._retry_delays)

    def _later(self, delivery: Delivery) -> None:
        delay = self._retry_delays[len(delivery.attempts) - 1]
        timer = threading.Timer(delay, self._queue.put, [(delivery, time.monotonic() + delay)])
        timer.daemon = True
        timer.start()

    def _write(self, delivery: Delivery, outcome: str) -> None:
        if self._closed.is_set():
            return
        number = self._state.next_id("delivery")
        doc = {
            "id": delivery.id,
            "outcome": outcome,
            "webhook_id": delivery.webhook_id,
            "url": delivery.url,
            "event": delivery.event,
            "ticket_id": delivery.ticket_id,
            "queued_at": delivery.queued_at,
            "attempts": list(delivery.attempts),
            "headers": dict(delivery.headers),
            "body": _readable(delivery.body),
        }
        with self._state.writing():
            self._state.put(Row(kind="delivery", id=number, doc=doc, created=number, moved=number))
            self._state.remove("delivery", number - _KEPT)


def _worth_retrying(status: int | None) -> bool:
    return status is None or status in (409, 429) or status >= 500


def _readable(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")

"""Sends webhooks as real HTTP requests from a small pool of threads, and keeps the log."""

import json
import math
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from queue import SimpleQueue
from typing import Any, Protocol

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


class Manners(Protocol):
    """How a vendor delivers; set `Sender.manners` to replace the plain ones."""

    def pause(self, webhook_id: str) -> float:
        """Seconds for which nothing is sent to this webhook (its circuit is broken); 0 is none."""

    def note(self, webhook_id: str, *, done: bool) -> None:
        """An attempt was answered with success, or it failed."""

    def retry(self, attempts: Sequence[Mapping[str, Any]]) -> float | None:
        """Seconds until a delivery is tried again after these attempts; None gives it up.

        Each holds `status` (None without an answer), `error` (the name of the exception, such as
        `ReadTimeout`) and `retry_after` (the header's text, or None).
        """


class PlainManners:
    """Tries again after each of `delays` seconds what failed for a reason that may pass."""

    def __init__(self, delays: Sequence[float]) -> None:
        self._delays = tuple(delays)

    def pause(self, webhook_id: str) -> float:  # noqa: ARG002 - there is no circuit to break
        """None."""
        return 0.0

    def note(self, webhook_id: str, *, done: bool) -> None:
        """Nothing to remember."""

    def retry(self, attempts: Sequence[Mapping[str, Any]]) -> float | None:
        """The next delay, if any is left."""
        status = attempts[-1]["status"]
        passing = status is None or status in (409, 429) or status >= 500
        return (
            self._delays[len(attempts) - 1]
            if passing and len(attempts) <= len(self._delays)
            else None
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturbance:
    """What goes wrong with webhooks. Raises ValueError for a share outside 0 to 1.

    `off` drops all of them, `duplicate` is the share that is sent twice, `reorder` the share that
    is held back for up to `reorder_seconds`, so that later ones overtake it.
    """

    off: bool = False
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_seconds: float = 1.0

    def __post_init__(self) -> None:
        """Check the shares."""
        if not (0 <= self.duplicate <= 1 and 0 <= self.reorder <= 1):
            raise ValueError("duplicate and reorder are shares between 0 and 1")
        if not 0 <= self.reorder_seconds < math.inf:
            raise ValueError("reorder_seconds is at least 0")

    def as_json(self) -> dict[str, Any]:
        """The disturbance as the controls show it."""
        return asdict(self)


def read_disturbance(document: Mapping[str, Any]) -> Disturbance:
    """A disturbance from the controls; what is absent is as usual.

    Raises ValueError for an unknown name or an impossible value.
    """
    known = {field.name for field in fields(Disturbance)}
    if set(document) - known:
        message = f"unknown: {sorted(set(document) - known)}; there are {sorted(known)}"
        raise ValueError(message)
    shares = {name: float(str(value)) for name, value in document.items() if name != "off"}
    return Disturbance(off=document.get("off", False) not in (False, "false", "0", ""), **shares)


class Sender:
    """Delivers at once, in the vendor's manners."""

    def __init__(self, state: State, clock: Clock, *, manners: Manners, seed: int = 1) -> None:
        self.manners = manners
        self.disturbance = Disturbance()
        self._random = random.Random(seed)  # noqa: S311
        self._state = state
        self._clock = clock
        self._queue: SimpleQueue[tuple[Delivery, float] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._dropped = 0
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Queue deliveries. Call this after the change is committed."""
        if not deliveries or self._closed.is_set():
            return
        with self._lock:
            planned = [self._delays() for _ in deliveries]
            self._dropped += planned.count(())
            self._pending += sum(map(len, planned))
            self._start_threads()
        for delivery, delays in zip(deliveries, planned, strict=True):
            for delay in delays:
                self._later(delivery, delay)

    def log(self, limit: int = 200) -> dict[str, Any]:
        """How many deliveries wait, how many were dropped, and the latest ones, newest first."""
        page = self._state.page("delivery", sort="created", descending=True, limit=limit)
        return {"pending": self._pending, "dropped": self._dropped, "deliveries": page}

    def close(self) -> None:
        """Stop; what still waits is not sent."""
        self._closed.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=0.5)

    def _delays(self) -> tuple[float, ...]:
        """After how many seconds a delivery leaves: once, twice or not at all."""
        disturbed, draw = self.disturbance, self._random
        if disturbed.off:
            return ()
        held = draw.random() < disturbed.reorder
        delay = disturbed.reorder_seconds * draw.random() if held else 0.0
        return (delay, 0.0) if draw.random() < disturbed.duplicate else (delay,)

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
        pause = self.manners.pause(delivery.webhook_id)
        if pause > 0:
            self._later(delivery, pause)
            return
        answer = self._post(session, delivery)
        attempt = {
            "at": self._clock.stamp(),
            **answer,
            "seconds_after_change": round(time.monotonic() - queued, 4),
        }
        tried = replace(delivery, attempts=(*delivery.attempts, attempt))
        done = answer["status"] is not None and 200 <= answer["status"] < 300
        self.manners.note(delivery.webhook_id, done=done)
        again = None if done else self.manners.retry(tried.attempts)
        if again is not None:
            self._later(tried, again)
        else:
            with self._lock:
                self._pending -= 1
        self._write(tried, "success" if done else "failed" if again is None else "retrying")

    def _post(self, session: requests.Session, delivery: Delivery) -> dict[str, Any]:
        try:
            response = session.post(
                delivery.url,
                data=delivery.body,
                headers=dict(delivery.headers),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return {"status": None, "error": type(error).__name__, "retry_after": None}
        wait = response.headers.get("Retry-After")
        return {"status": response.status_code, "error": None, "retry_after": wait}

    def _later(self, delivery: Delivery, delay: float) -> None:
        item = (delivery, time.monotonic() + delay)
        if delay <= 0:
            self._queue.put(item)
            return
        timer = threading.Timer(delay, self._queue.put, [item])
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


def _readable(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")

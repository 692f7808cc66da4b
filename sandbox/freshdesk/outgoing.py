"""Lets webhooks leave within the account's limit: what is too much waits for the next hour."""

import threading
from collections.abc import Callable, Sequence

from sandbox.core import Core
from sandbox.deliveries import Delivery
from sandbox.freshdesk.gate import Meter
from sandbox.freshdesk.switches import Switches


class Outgoing:
    """Sends deliveries, or keeps them until there is room; what is kept is lost at a restart."""

    def __init__(self, core: Core, meter: Meter, switches: Callable[[], Switches]) -> None:
        self._core = core
        self._meter = meter
        self._switches = switches
        self._lock = threading.Lock()
        self._postponed: list[tuple[Delivery, int]] = []
        self._timer: threading.Timer | None = None
        self._closed = False

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send deliveries of a committed save."""
        self._send([(delivery, 0) for delivery in deliveries])

    @property
    def postponed(self) -> int:
        """How many deliveries wait for the next hour."""
        return len(self._postponed)

    def close(self) -> None:
        """Stop; what waits is not sent."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()

    def _send(self, deliveries: Sequence[tuple[Delivery, int]]) -> None:
        switches = self._switches()
        leaving, late = [], []
        for delivery, times in deliveries:
            if not switches.webhooks_count or self._meter.take(1).allowed:
                leaving.append(delivery)
            elif times < switches.postponed_times:
                late.append((delivery, times + 1))
        self._core.sender.send(leaving)
        if late:
            self._postpone(late, switches.postponed_minutes)

    def _postpone(self, late: Sequence[tuple[Delivery, int]], minutes: float) -> None:
        with self._lock:
            self._postponed += late
            if self._timer is not None or self._closed:
                return
            seconds = minutes * self._core.limiter.minute_seconds
            self._timer = threading.Timer(seconds, self._again)
            self._timer.daemon = True
            self._timer.start()

    def _again(self) -> None:
        with self._lock:
            self._timer = None
            waiting, self._postponed = self._postponed, []
        if not self._closed:
            self._send(waiting)

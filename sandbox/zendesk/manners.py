"""How Zendesk delivers webhooks: which answers it tries again, and when it breaks the circuit."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.bodies import object_id
from sandbox.zendesk.switches import Switches

_DELAYS = (1 / 60, 5 / 60, 30 / 60, 1.0, 1.0)  # minutes
_RETRIES, _RETRIES_AFTER_TIMEOUT = 3, 5
_LONGEST_WAIT = 60  # seconds of Retry-After; whoever asks for more gets nothing more
_WINDOW_MINUTES = 5
_SHARE_OF_ERRORS, _FEWEST, _MOST_ERRORS = 0.7, 10, 1000
_TIMEOUTS = ("ReadTimeout", "ConnectTimeout", "Timeout")


class ZendeskManners:
    """Implements `sandbox.deliveries.Manners`. `minute` is the length of a minute in seconds."""

    def __init__(self, minute: Callable[[], float], switches: Callable[[], Switches]) -> None:
        self._minute = minute
        self._switches = switches
        self._lock = threading.Lock()
        self._attempts: dict[str, deque[tuple[float, bool]]] = {}
        self._closed_until: dict[str, float] = {}

    def pause(self, webhook_id: str) -> float:
        """Seconds until the circuit of a webhook closes again."""
        with self._lock:
            return max(0.0, self._closed_until.get(webhook_id, 0.0) - time.monotonic())

    def note(self, webhook_id: str, *, done: bool) -> None:
        """Count an attempt of the last five minutes, and break the circuit when most fail."""
        now, minute = time.monotonic(), self._minute()
        with self._lock:
            attempts = self._attempts.setdefault(webhook_id, deque())
            attempts.append((now, done))
            while attempts[0][0] < now - _WINDOW_MINUTES * minute:
                attempts.popleft()
            errors = sum(1 for _, fine in attempts if not fine)
            often = len(attempts) >= _FEWEST and errors >= _SHARE_OF_ERRORS * len(attempts)
            if often or errors > _MOST_ERRORS:
                seconds = self._switches().circuit_pause_seconds
                self._closed_until[webhook_id] = now + seconds * minute / 60
                attempts.clear()

    def retry(self, attempts: Sequence[Mapping[str, Any]]) -> float | None:
        """Seconds until the next attempt; None when there is none."""
        last, minute = attempts[-1], self._minute()
        if last["error"] is not None:
            timed_out = last["error"] in _TIMEOUTS
            if not timed_out and not self._switches().webhooks_retry_unreachable:
                return None
            return _delay(len(attempts), _RETRIES_AFTER_TIMEOUT) * minute or None
        if len(attempts) > _RETRIES:
            return None
        delay = _delay(len(attempts), _RETRIES) * minute
        status = last["status"]
        if status == 409 or (status >= 500 and self._switches().webhooks_retry == "5xx"):
            return delay
        return self._as_asked(last["retry_after"], minute) if status in (429, 503) else None

    def _as_asked(self, retry_after: str | None, minute: float) -> float | None:
        seconds = object_id(retry_after)
        if seconds is None or seconds >= _LONGEST_WAIT:
            return None
        return seconds * minute / 60


def _delay(attempts: int, most: int) -> float:
    return _DELAYS[attempts - 1] if attempts <= most else 0.0

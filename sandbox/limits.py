"""Rate limits: fixed windows of one (configurable) minute, counted per bucket."""

import threading
import time
from dataclasses import dataclass

UNLIMITED = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A bucket after one call: calls per window, calls left, seconds until it is full again."""

    limit: int
    remaining: int
    reset_seconds: int
    allowed: bool


class Limiter:
    """Counts calls per bucket. `minute_seconds` is the length of a limit's minute."""

    def __init__(self, minute_seconds: float) -> None:
        self.minute_seconds = minute_seconds
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, bucket: str, limit: int, *, cost: int = 1, minutes: int = 1) -> Window:
        """Count `cost` calls in a bucket; a refused call counts nothing."""
        now, length = time.monotonic(), self.minute_seconds * minutes
        with self._lock:
            start, used = self._windows.get(bucket, (now, 0))
            if now - start >= length:
                start, used = now, 0
            allowed = used + cost <= limit
            used += cost if allowed else 0
            self._windows[bucket] = (start, used)
        left = max(1, round(start + length - now + 0.499))
        return Window(
            limit=limit, remaining=max(0, limit - used), reset_seconds=left, allowed=allowed
        )

    def reset(self) -> None:
        """Empty all buckets."""
        with self._lock:
            self._windows.clear()

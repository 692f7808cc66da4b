"""Rate limits: calls per bucket and (configurable) minute, counted in windows of three kinds."""

import math
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.clock import wall_seconds

UNLIMITED = 1_000_000
_SLOTS = 120  # a sliding window is exact to this share of its length
_FIRST_SWEEP = 1024


class Windows(StrEnum):
    """When a bucket's minute begins: with its first call, at the full minute, or at every call."""

    FIXED = "fixed"
    ALIGNED = "aligned"
    SLIDING = "sliding"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A bucket after one call: calls per window and calls left.

    `reset_seconds` is the time until the bucket is full again; for a refused call, the time until
    that call would be let in.
    """

    limit: int
    remaining: int
    reset_seconds: int
    allowed: bool


@dataclass(kw_only=True, slots=True)
class _Bucket:
    """Calls by the slot in which they came, oldest first; a fixed window is a single slot."""

    length: float
    slot: float
    origin: float
    used: int = 0
    slots: dict[int, int] = field(default_factory=dict)

    def forget(self, now: float) -> None:
        """Drop the slots that no longer count."""
        while self.slots and self.ends(oldest := next(iter(self.slots))) <= now:
            self.used -= self.slots.pop(oldest)

    def ends(self, number: int) -> float:
        """The instant at which a slot's calls no longer count."""
        span = self.length + (self.slot if self.slot < self.length else 0.0)
        return self.origin + number * self.slot + span

    def add(self, now: float, cost: int) -> None:
        number = int((now - self.origin) // self.slot)
        self.slots[number] = self.slots.get(number, 0) + cost
        self.used += cost

    def empty_at(self, now: float) -> float:
        """The instant at which nothing counts any more."""
        return self.ends(next(reversed(self.slots))) if self.slots else now

    def free_at(self, now: float, excess: int) -> float:
        """The instant at which `excess` calls less count."""
        for number, calls in self.slots.items():
            excess -= calls
            if excess <= 0:
                return self.ends(number)
        return now + self.length


class Limiter:
    """Counts calls per bucket. `minute_seconds` is the length of a limit's minute."""

    def __init__(self, minute_seconds: float, windows: Windows = Windows.FIXED) -> None:
        self.minute_seconds = minute_seconds
        self.windows = windows
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}
        self._sweep_at = _FIRST_SWEEP

    def take(self, bucket: str, limit: int, *, cost: int = 1, minutes: int = 1) -> Window:
        """Count `cost` calls in a bucket; a refused call counts nothing."""
        with self._lock:
            now = self._now()
            kept = self._bucket(bucket, self.minute_seconds * minutes, now)
            allowed = kept.used + cost <= limit
            if allowed:
                kept.add(now, cost)
                free = kept.empty_at(now)
            else:
                free = kept.free_at(now, kept.used + cost - limit)
            return Window(
                limit=limit,
                remaining=max(0, limit - kept.used),
                reset_seconds=max(1, math.ceil(free - now)),
                allowed=allowed,
            )

    def change(
        self, *, windows: Windows | None = None, minute_seconds: float | None = None
    ) -> None:
        """From now on count in other windows, beginning with empty buckets.

        Raises ValueError for a minute that does not last.
        """
        if minute_seconds is not None and not 0 < minute_seconds < math.inf:
            raise ValueError("minute_seconds must be above 0")
        with self._lock:
            self.windows = self.windows if windows is None else windows
            self.minute_seconds = self.minute_seconds if minute_seconds is None else minute_seconds
            self._buckets.clear()

    def reset(self) -> None:
        """Empty all buckets."""
        with self._lock:
            self._buckets.clear()

    def _now(self) -> float:
        # full minutes are those of the wall clock; the others must not follow its corrections
        return wall_seconds() if self.windows is Windows.ALIGNED else time.monotonic()

    def _bucket(self, name: str, length: float, now: float) -> _Bucket:
        kept = self._buckets.get(name)
        if kept is None or kept.length != length:
            self._sweep(now)
            kept = self._buckets[name] = self._new_bucket(length, now)
        kept.forget(now)
        if not kept.slots and self.windows is Windows.FIXED:
            kept.origin = now
        return kept

    def _new_bucket(self, length: float, now: float) -> _Bucket:
        match self.windows:
            case Windows.FIXED:
                return _Bucket(length=length, slot=length, origin=now)
            case Windows.ALIGNED:
                return _Bucket(length=length, slot=length, origin=0.0)
        return _Bucket(length=length, slot=length / _SLOTS, origin=0.0)

    def _sweep(self, now: float) -> None:
        """Some vendors count per ticket: without this, a long run would keep every ticket."""
        if len(self._buckets) < self._sweep_at:
            return
        for name, kept in list(self._buckets.items()):
            if kept.empty_at(now) <= now:
                del self._buckets[name]
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._buckets))

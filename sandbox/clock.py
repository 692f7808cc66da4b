"""The sandbox's clock, which runs with an offset or stands still; and how instants are written."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any


def wall_seconds() -> float:
    """Real seconds since 1970, for what must not follow the moved clock (tokens, retries)."""
    return time.time()


def from_epoch(seconds: float) -> datetime:
    """The UTC instant that lies `seconds` after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(instant: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, as both vendors write instants."""
    plain = instant.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return plain.isoformat() + "Z"


def http_date(instant: datetime) -> str:
    """An instant as the `Date` response header writes it."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def parse_instant(text: str) -> datetime:
    """Read an ISO instant; without an offset it is UTC.

    Raises ValueError when the text is no instant.
    """
    try:
        instant = datetime.fromisoformat(text.strip())
        if instant.tzinfo is None:
            return instant.replace(tzinfo=UTC)
        return instant.astimezone(UTC)
    except (ValueError, AttributeError, OverflowError) as error:
        message = f"{text!r} is no instant; write one like 2026-03-06T18:45:00Z"
        raise ValueError(message) from error


def epoch(text: str) -> int:
    """Whole seconds since 1970 of an ISO instant."""
    return int(parse_instant(text).timestamp())


EARLIEST, LATEST = 0.0, 7_258_118_400.0  # 1970 to 2199, epoch seconds


class Clock:
    """Movable time. Every change is handed to `save`, so that a restart continues it."""

    def __init__(
        self,
        saved: Mapping[str, Any] | None = None,
        save: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        saved = saved or {}
        self._lock = threading.Lock()
        self._offset = float(saved.get("offset_seconds", 0.0))
        self._frozen_at: float | None = saved.get("frozen_at")
        self._save = save

    def now(self) -> datetime:
        """The helpdesk's present instant, in UTC."""
        return from_epoch(self._seconds())

    def stamp(self) -> str:
        """The present instant in the vendors' notation, to the second."""
        return iso(self.now())

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen_at is not None

    @property
    def offset_seconds(self) -> float:
        """How far the helpdesk's time is ahead of real time, in seconds."""
        return self._seconds() - wall_seconds()

    def move_to(self, instant: datetime) -> None:
        """Let it be `instant` now."""
        self._place(instant.timestamp())

    def advance(self, seconds: float) -> None:
        """Move forward (or back, with a negative number) by `seconds`."""
        self._place(self._seconds() + seconds)

    def set_offset(self, seconds: float) -> None:
        """Let the clock be `seconds` ahead of real time."""
        self._place(wall_seconds() + seconds)

    def freeze(self, frozen: bool) -> None:
        """Stand still, or run on from the instant shown now."""
        seconds = self._seconds()
        self._frozen_at = seconds if frozen else None
        self._place(seconds)

    def as_json(self) -> dict[str, Any]:
        """The clock as the controls show it."""
        return {
            "now": iso(self.now()),
            "offset_seconds": round(self.offset_seconds, 3),
            "frozen": self.frozen,
        }

    def _seconds(self) -> float:
        frozen_at = self._frozen_at
        return wall_seconds() + self._offset if frozen_at is None else frozen_at

    def _place(self, seconds: float) -> None:
        if not EARLIEST <= seconds <= LATEST:  # also false for what is no number
            raise ValueError("the clock goes from 1970 to 2199")
        with self._lock:
            self._offset = seconds - wall_seconds()
            if self._frozen_at is not None:
                self._frozen_at = seconds
            self._save({"offset_seconds": self._offset, "frozen_at": self._frozen_at})

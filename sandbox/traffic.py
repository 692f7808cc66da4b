"""Counts and remembers the API calls that a local helpdesk answered."""

import threading
from collections import Counter, deque
from typing import Any

_RECENT = 1000


class Traffic:
    """Calls by method and endpoint, and a log of the latest thousand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._recent: deque[dict[str, Any]] = deque(maxlen=_RECENT)

    def note(self, endpoint: str, entry: dict[str, Any]) -> None:
        """Remember one call; `endpoint` is its method and route, such as `GET /tickets/{id}`."""
        with self._lock:
            self._counts[endpoint] += 1
            self._statuses[str(entry["status"])] += 1
            self._recent.append({"endpoint": endpoint, **entry})

    def reset(self) -> None:
        """Begin counting at zero."""
        with self._lock:
            self._counts.clear()
            self._statuses.clear()
            self._recent.clear()

    def as_json(self) -> dict[str, Any]:
        """Totals, counts by endpoint and status, and the latest calls, newest last."""
        with self._lock:
            return {
                "total": self._counts.total(),
                "counts": dict(sorted(self._counts.items())),
                "statuses": dict(sorted(self._statuses.items())),
                "recent": list(self._recent),
            }

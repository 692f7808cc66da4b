"""Counts and remembers the API calls that a local helpdesk answered."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

_RECENT = 1000
_REFUSALS = 1000
_NEVER = float("-inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One answered call. `began` and `ended` are seconds of the monotonic clock.

    `endpoint` is its method and route, such as `GET /tickets/{id}`; `retry_after` is what a 429
    said, in seconds; `at` is the helpdesk's time.
    """

    endpoint: str
    method: str
    path: str
    status: int
    at: str
    began: float
    ended: float
    retry_after: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The call as the list of the latest ones shows it."""
        return {
            "endpoint": self.endpoint,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "seconds": round(self.ended - self.began, 4),
        }


@dataclass(kw_only=True, slots=True)
class _Endpoint:
    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    refused_at: deque[str] = field(default_factory=lambda: deque(maxlen=_REFUSALS))
    after_refusal: int = 0


class Traffic:
    """Calls by endpoint, the latest thousand, and those that came though told to wait.

    A refusal is a 429 with a Retry-After. It opens a window from its answer until that time is
    over; a call that begins within is one "after a refusal". A call that was under way is not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endpoints: dict[str, _Endpoint] = {}
        self._recent: deque[Call] = deque(maxlen=_RECENT)
        self._disobeyed: deque[dict[str, Any]] = deque(maxlen=_REFUSALS)
        self._refused_at = _NEVER
        self._closed_until = _NEVER

    def note(self, call: Call) -> None:
        """Remember one call, when its answer leaves."""
        with self._lock:
            endpoint = self._endpoints.setdefault(call.endpoint, _Endpoint())
            endpoint.count += 1
            endpoint.statuses[str(call.status)] += 1
            if self._refused_at < call.began < self._closed_until:
                endpoint.after_refusal += 1
                late = round(call.began - self._refused_at, 4)
                self._disobeyed.append({**call.as_json(), "seconds_after_refusal": late})
            if call.status == 429:
                self._note_refusal(endpoint, call)
            self._recent.append(call)

    def reset(self) -> None:
        """Begin counting at zero."""
        with self._lock:
            self._endpoints.clear()
            self._recent.clear()
            self._disobeyed.clear()
            self._refused_at = self._closed_until = _NEVER

    def as_json(self) -> dict[str, Any]:
        """Totals, counts by endpoint and status, the latest calls, newest last, and disobedience.

        Under `endpoints` stand the instants of the latest refusals, in the helpdesk's time.
        """
        with self._lock:
            known = dict(sorted(self._endpoints.items()))
            statuses: Counter[str] = Counter()
            for one in known.values():
                statuses.update(one.statuses)
            return {
                "total": sum(one.count for one in known.values()),
                "counts": {name: one.count for name, one in known.items()},
                "statuses": dict(sorted(statuses.items())),
                "endpoints": {name: _shown(one) for name, one in known.items()},
                "after_refusal": {
                    "count": sum(one.after_refusal for one in known.values()),
                    "latest": list(self._disobeyed),
                },
                "recent": [call.as_json() for call in self._recent],
            }

    def _note_refusal(self, endpoint: _Endpoint, call: Call) -> None:
        endpoint.refused_at.append(call.at)
        if call.retry_after is None:
            return
        if call.ended >= self._closed_until:
            self._refused_at = call.ended
        self._closed_until = max(self._closed_until, call.ended + call.retry_after)


def _shown(endpoint: _Endpoint) -> dict[str, Any]:
    return {
        "count": endpoint.count,
        "statuses": dict(sorted(endpoint.statuses.items())),
        "refused_at": list(endpoint.refused_at),
        "after_refusal": endpoint.after_refusal,
    }

"""The calls that a sandbox received during a measurement: how many, of what kind, when."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.running import BenchmarkError
from benchmarks.stage import Helpdesk
from connector.settings import RESERVE
from sandbox.freshdesk.gate import PLANS as FRESHDESK_PLANS
from sandbox.zendesk import quotas

WATCH_SECONDS = 0.25
FEWEST_SHARES = 3  # a share of a limit that was used less often tells nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One call, as the sandbox lists it. `at` is when we saw it, seconds of the monotonic clock."""

    at: float
    endpoint: str
    path: str
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A limit of the helpdesk, and what of it is ours after the reserve for other tools."""

    name: str
    #: calls or credits per minute
    ours: int
    #: what a call costs in it; 0: it does not count there
    cost: Callable[[Received], int]


def buckets(kind: str, plan: str) -> list[Bucket]:
    """The limits of a plan that a backfill can come up against."""
    left = 1.0 - RESERVE[kind]

    def ours(allowance: int) -> int:
        return int(allowance * left + 1e-9)

    if kind == "zendesk":
        exports = quotas.quota_of("GET", "/api/v2/incremental/tickets/cursor")
        allowed = exports.on(plan) if exports else 0
        return [
            Bucket(name="exports", ours=ours(allowed), cost=_starting("GET /incremental/")),
            Bucket(name="account", ours=ours(quotas.PLANS[plan]), cost=_starting("")),
        ]
    known = FRESHDESK_PLANS[plan]
    return [
        Bucket(name="updates", ours=ours(known.update), cost=_starting("PUT /tickets/{")),
        Bucket(name="lists", ours=ours(known.tickets), cost=_exactly("GET /tickets")),
        Bucket(name="credits", ours=ours(known.total), cost=credits_of),
    ]


def _starting(text: str) -> Callable[[Received], int]:
    return lambda call: int(call.endpoint.startswith(text))


def _exactly(text: str) -> Callable[[Received], int]:
    return lambda call: int(call.endpoint == text)


def credits_of(call: Received) -> int:
    """What Freshdesk charges: one, and for each include one more, two in a list."""
    asked = parse_qs(urlsplit(call.path).query).get("include", [""])[0]
    included = len([part for part in asked.split(",") if part])
    return 1 + included * (2 if call.endpoint == "GET /tickets" else 1)


def share_used(calls: Sequence[Received], bucket: Bucket, minute_seconds: float) -> float | None:
    """The part of our share of a limit that was used: shares used up, over the minutes it took.

    Counted from the first call to the one that followed the last share that was used up, so that
    bursts at the beginning of a minute count neither twice nor not at all. None: too few calls.
    """
    costs = [(one.at, cost) for one in calls if (cost := bucket.cost(one))]
    if not costs or not bucket.ours:
        return None
    shares = (sum(cost for _, cost in costs) - costs[-1][1]) // bucket.ours
    if shares < FEWEST_SHARES:
        return None
    used = 0
    for at, cost in costs:
        used += cost
        if used > shares * bucket.ours:
            return shares * minute_seconds / max(at - costs[0][0], 1e-9)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The calls of one measurement."""

    calls: Sequence[Received]
    #: those that began after a 429 and before the end of its Retry-After
    after_refusal: int

    @property
    def endpoints(self) -> Mapping[str, int]:
        """Calls by method and route, the most frequent first."""
        return dict(Counter(one.endpoint for one in self.calls).most_common())

    @property
    def refused(self) -> int:
        """Answers of 429."""
        return sum(one.status == 429 for one in self.calls)

    @property
    def failed(self) -> int:
        """Other answers that are no success."""
        return sum(one.status >= 400 and one.status != 429 for one in self.calls)

    @property
    def credits(self) -> int:
        """What they cost on Freshdesk."""
        return sum(map(credits_of, self.calls))


class Watch(threading.Thread):
    """Keeps every call that the sandbox receives from now on; its list holds the latest only."""

    def __init__(self, helpdesk: Helpdesk) -> None:
        super().__init__(name="traffic", daemon=True)
        self._helpdesk = helpdesk
        self._ended = threading.Event()
        self._calls: list[Received] = []
        self._failed: BaseException | None = None
        self._after_refusal = 0
        helpdesk.control("DELETE", "requests")

    def end(self) -> Counts:
        """Stop watching. Raises `BenchmarkError` when calls were missed."""
        self._ended.set()
        self.join()
        if self._failed is not None:
            raise BenchmarkError(f"the calls could not be counted: {self._failed}")
        return Counts(calls=tuple(self._calls), after_refusal=self._after_refusal)

    def run(self) -> None:
        """Watch until the end."""
        try:
            while not self._ended.wait(WATCH_SECONDS):
                self._take(self._helpdesk.control("GET", "requests"))
            self._take(self._helpdesk.control("GET", "requests"))
        except Exception as error:  # told by `end`
            self._failed = error

    def _take(self, document: Mapping[str, Any]) -> None:
        at, new = time.monotonic(), document["total"] - len(self._calls)
        if new > len(document["recent"]):
            raise BenchmarkError(f"{new} calls came within {WATCH_SECONDS} s")
        self._after_refusal = document["after_refusal"]["count"]
        self._calls += [
            Received(at=at, endpoint=one["endpoint"], path=one["path"], status=one["status"])
            for one in document["recent"][len(document["recent"]) - new :]
        ]

"""Freshdesk's rate limits: credits, endpoint limits by plan, and the headers. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector.helpdesks.base import Room
from connector.http import ACCOUNT, Answer, Budget, Charge, Figure

CREDITS_PER_TICKET = 3  # a read with its figures, and a write
WITHOUT_BUDGET = 8  # tickets
CREATES = "tickets-create"
UPDATES = "tickets-update"
LISTS = "tickets-list"
CONTACTS = "contacts-list"
HOURLY = 3000  # calls; from here on an allowance is one by the hour, of an old plan

_ENDPOINTS: Mapping[tuple[str, str], str] = {
    ("POST", "/api/v2/tickets"): CREATES,
    ("PUT", "/api/v2/tickets/{id}"): UPDATES,
    ("GET", "/api/v2/tickets"): LISTS,
    ("GET", "/api/v2/contacts"): CONTACTS,
}
# calls per minute: the account's -> those of each endpoint
_PLANS: Mapping[int, Mapping[str, int]] = {
    200: {CREATES: 80, UPDATES: 80, LISTS: 20, CONTACTS: 20},
    400: {CREATES: 160, UPDATES: 160, LISTS: 100, CONTACTS: 100},
    700: {CREATES: 280, UPDATES: 280, LISTS: 200, CONTACTS: 200},
    1000: {CREATES: 400, UPDATES: 400, LISTS: 300, CONTACTS: 300},
    2000: {CREATES: 800, UPDATES: 800, LISTS: 400, CONTACTS: 400},
}
_MINUTES_PER_HOUR = 60
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,6})?")


class FreshdeskLimits:
    """The account's credits, and the calls of the endpoints that have a limit of their own.

    Whether an endpoint's limit counts calls or credits is not documented. It is taken to count
    calls until a call of several credits is refused, and then credits, for good.
    """

    def __init__(self) -> None:
        self._by_credits: frozenset[str] = frozenset()

    def charges(
        self,
        method: str,
        path: str,  # noqa: ARG002
        template: str,
        params: Mapping[str, str],
        body: Any,  # noqa: ARG002
        /,
    ) -> tuple[Charge, ...]:
        """What a call costs: credits of the account, and a call of its endpoint."""
        credits = Charge(bucket=ACCOUNT, cost=_credits(method, template, params))
        endpoint = _ENDPOINTS.get((method, template))
        if endpoint is None:
            return (credits,)
        cost = credits.cost if endpoint in self._by_credits else 1
        return (credits, Charge(bucket=endpoint, cost=cost))

    def figures(
        self, headers: Mapping[str, str], charges: Sequence[Charge], /
    ) -> tuple[Figure, ...]:
        """What the headers say of the account, and what its plan says of the endpoints."""
        lower = {name.lower(): value for name, value in headers.items()}
        total = _whole(lower.get("x-ratelimit-total")) or None
        remaining = _whole(lower.get("x-ratelimit-remaining"))
        if total is None and remaining is None:
            return ()
        minutes = None if total is None else (_MINUTES_PER_HOUR if total >= HOURLY else 1)
        account = Figure(bucket=ACCOUNT, allowance=total, remaining=remaining, minutes=minutes)
        return (account, *_of_endpoints(total, charges))

    def refused(self, answer: Answer, charges: Sequence[Charge], /) -> tuple[str, ...]:
        """The endpoint's limit when the account has credits left, else the account's."""
        lower = {name.lower(): value for name, value in answer.headers.items()}
        remaining = _whole(lower.get("x-ratelimit-remaining"))
        cost = max((one.cost for one in charges if one.bucket == ACCOUNT), default=1)
        endpoints = tuple(one.bucket for one in charges if one.bucket != ACCOUNT)
        if remaining is None or remaining < cost or not endpoints:
            return (ACCOUNT,)
        if cost > 1:
            self._by_credits |= frozenset(endpoints)
        return endpoints


def room(budget: Budget | None) -> Room:
    """How many tickets can be read and written now. Makes no call."""
    if budget is None:
        return Room(tickets=WITHOUT_BUDGET)
    tickets, wait = budget.room(
        (Charge(bucket=ACCOUNT, cost=CREDITS_PER_TICKET), Charge(bucket=UPDATES))
    )
    return Room(tickets=tickets, wait=wait)


def _credits(method: str, template: str, params: Mapping[str, str]) -> int:
    included = [part for part in params.get("include", "").split(",") if part.strip()]
    of_list = method == "GET" and template == "/api/v2/tickets"
    return 1 + len(included) * (2 if of_list else 1)


def _of_endpoints(total: int | None, charges: Sequence[Charge]) -> Iterator[Figure]:
    """No header tells of them; where the plan is not known, the next smaller one is assumed."""
    known = [plan for plan in _PLANS if total is not None and plan <= total < HOURLY]
    for charge in charges:
        if known and charge.bucket in _PLANS[max(known)]:
            yield Figure(bucket=charge.bucket, allowance=_PLANS[max(known)][charge.bucket])


def _whole(text: str | None) -> int | None:
    """A number that is not negative; None when it is missing or nonsense."""
    stripped = (text or "").strip()
    return int(float(stripped)) if _NUMBER.fullmatch(stripped) else None

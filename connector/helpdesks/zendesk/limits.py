"""Zendesk's rate limits: which calls count where, and what the headers say of it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.helpdesks.base import Room
from connector.http import ACCOUNT, Answer, Budget, Charge, Figure

BATCH = 100  # tickets that one read and one bulk write take
CALLS_PER_BATCH = 3  # a read, a bulk write, a look at its job
UPDATES = "tickets-update"
EXPORTS = "incremental-exports"
JOBS = "inflight-jobs"
#: whether bulk writes count as updates, once or by the row, is not documented: answers tell
BULK_CALLS = "bulk-calls"
BULK_ROWS = "bulk-rows"
ONE_TICKET = "one-ticket"
NOTES = "notes"  #: those of the updates that write a note, so that dates have theirs
NOTES_SHARE = 0.15
AGENTS_SHARE = 0.25  # agents save tickets within the same limit, and must not notice us
JOB_WAIT = 5.0  # seconds; a place becomes free when a job ends, not when a minute does
JOB_RESERVE = 0.2  # share of the account's jobs that is left to others

_FAMILY = "zendesk-ratelimit-"
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,6})?")
_TICKET = re.compile(r"/tickets/([0-9]+)")
_ONE_TICKET_TEXT = re.compile(
    r"single unique|per user|updating a (?:single )?ticket", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Limit:
    """A limit of some endpoints, as it stands in the documentation."""

    bucket: str
    methods: frozenset[str]
    path: re.Pattern[str]
    allowance: int
    #: the words by which a refusal names it
    words: str


def _limit(bucket: str, methods: str, path: str, allowance: int, words: str) -> _Limit:
    return _Limit(
        bucket=bucket,
        methods=frozenset(methods.split()),
        path=re.compile(rf"/api/v2/{path}(?:\.json)?"),
        allowance=allowance,
        words=words,
    )


_LIMITS = (
    _limit(EXPORTS, "GET", r"incremental/.+", 10, "incremental export"),
    _limit(UPDATES, "PUT", r"tickets/\{id\}", 100, "ticket update"),
    _limit(UPDATES, "PUT POST DELETE", r"tickets/\{id\}/tags", 100, "ticket update"),
    _limit("ticket-audits", "GET", r"tickets/\{id\}/audits", 500, "audit"),
    _limit("ticket-fields-index", "GET", r"ticket_fields", 300, "ticket field"),
    _limit("ticket-fields-update", "PUT", r"ticket_fields/\{id\}", 75, "ticket field update"),
    _limit("search-export", "GET", r"search/export", 100, "search export"),
    _limit("search-index", "GET", r"search(?:/count)?", 2500, "search"),
    _limit("deleted-tickets-index", "GET", r"deleted_tickets", 10, "deleted ticket"),
)


class ZendeskLimits:
    """The account's limit and those of single endpoints."""

    def charges(
        self,
        method: str,
        path: str,
        template: str,
        params: Mapping[str, str],  # noqa: ARG002 - sideloads cost nothing
        body: Any,
        /,
    ) -> tuple[Charge, ...]:
        """What a call costs, in every limit that it is known to count in."""
        found = [Charge(bucket=ACCOUNT)]
        for limit in _LIMITS:
            if method in limit.methods and limit.path.fullmatch(template):
                share = AGENTS_SHARE if limit.bucket == UPDATES else 1.0
                found.append(Charge(bucket=limit.bucket, allowance=limit.allowance, share=share))
                if limit.bucket == UPDATES:
                    found += _of_ticket(path)
                    found += _of_note(body, limit.allowance)
        if method == "PUT" and template.endswith("/tickets/update_many"):
            found += _of_bulk(_rows(body))
        return tuple(found)

    def figures(
        self, headers: Mapping[str, str], charges: Sequence[Charge], /
    ) -> tuple[Figure, ...]:
        """What the headers say of the account and of every family that they name."""
        lower = {name.lower(): value for name, value in headers.items()}
        found = {one.bucket: one for one in _families(lower, charges)}
        account = _of_account(lower)
        return (*([account] if account else []), *found.values())

    def refused(self, answer: Answer, charges: Sequence[Charge], /) -> tuple[str, ...]:
        """The limits that an answer of 429 names; the account's when it names none."""
        text = _text(answer)
        own = [one.bucket for one in charges if one.bucket.startswith(ONE_TICKET)]
        if own and _ONE_TICKET_TEXT.search(text):
            return tuple(own)
        charged = {one.bucket for one in charges}
        words = text.lower().replace("-", " ").replace("_", " ")
        named = [
            one.bucket
            for one in _LIMITS
            if one.bucket in charged and (one.words in words or one.bucket in text.lower())
        ]
        empty = [
            one.bucket
            for one in self.figures(answer.headers, charges)
            if one.remaining == 0 and one.bucket in charged and one.bucket != JOBS
        ]
        if "allowed api requests" in words:
            named.append(ACCOUNT)
        if "toomanyjobs" in words.replace(" ", ""):
            named.append(JOBS)
        return tuple(sorted({*named, *empty})) or (ACCOUNT,)


def room(budget: Budget | None) -> Room:
    """How many tickets can be read and written in bulk now. Makes no call."""
    if budget is None:
        return Room(tickets=BATCH)
    calls, wait = budget.room(
        (
            Charge(bucket=ACCOUNT, cost=CALLS_PER_BATCH),
            Charge(bucket=BULK_CALLS, share=AGENTS_SHARE),
            Charge(bucket=JOBS),
        )
    )
    rows, longer = budget.room((Charge(bucket=BULK_ROWS, share=AGENTS_SHARE),))
    return Room(tickets=min(calls * BATCH, rows), wait=max(wait, longer))


def _of_ticket(path: str) -> Iterator[Charge]:
    found = _TICKET.search(path)
    if found:
        yield Charge(bucket=f"{ONE_TICKET}:{found[1]}", allowance=30, minutes=10)


def _of_note(body: Any, allowance: int) -> Iterator[Charge]:
    ticket = body.get("ticket") if isinstance(body, dict) else None
    if isinstance(ticket, dict) and "comment" in ticket:
        yield Charge(bucket=NOTES, allowance=allowance, share=NOTES_SHARE)


def _of_bulk(rows: int) -> Iterator[Charge]:
    yield Charge(bucket=JOBS)
    yield Charge(bucket=BULK_CALLS, share=AGENTS_SHARE)
    yield Charge(bucket=BULK_ROWS, cost=rows, share=AGENTS_SHARE)


def _rows(body: Any) -> int:
    tickets = body.get("tickets") if isinstance(body, dict) else None
    return max(1, len(tickets)) if isinstance(tickets, list) else BATCH


def _of_account(headers: Mapping[str, str]) -> Figure | None:
    """The older and the newer names are twins; of two figures the smaller one is believed."""
    allowance = _least(headers, "x-rate-limit", "ratelimit-limit")
    remaining = _least(headers, "x-rate-limit-remaining", "ratelimit-remaining")
    if allowance is None and remaining is None:
        return None
    return Figure(
        bucket=ACCOUNT,
        allowance=_positive(allowance),
        remaining=remaining,
        resets=_seconds(headers.get("ratelimit-reset")),
    )


def _families(headers: Mapping[str, str], charges: Sequence[Charge]) -> Iterator[Figure]:
    for name, value in headers.items():
        if not name.startswith(_FAMILY):
            continue
        parts = dict(_pair(part) for part in value.split(";"))
        figure = Figure(
            bucket=name.removeprefix(_FAMILY),
            allowance=_positive(_whole(parts.get("total"))),
            remaining=_whole(parts.get("remaining")),
            resets=_seconds(parts.get("resets")),
        )
        if figure.allowance is not None or figure.remaining is not None:
            yield from _told(figure, charges)


def _told(figure: Figure, charges: Sequence[Charge]) -> Iterator[Figure]:
    """The same figure by the names under which we count."""
    costs = {one.bucket: one.cost for one in charges}
    if "-per-" in figure.bucket:  # of one user and ticket: nothing that other calls share
        own = [bucket for bucket in costs if bucket.startswith(ONE_TICKET)]
        yield from (_renamed(figure, bucket, minutes=10) for bucket in own)
    elif figure.bucket == JOBS:
        yield from [_of_jobs(figure)] if JOBS in costs else []
    elif figure.bucket == UPDATES and BULK_CALLS in costs:
        yield _renamed(figure, BULK_CALLS)
        yield _of_rows(figure, costs.get(BULK_ROWS, BATCH))
    else:
        yield figure


def _renamed(figure: Figure, bucket: str, minutes: int | None = None) -> Figure:
    return Figure(
        bucket=bucket,
        allowance=figure.allowance,
        remaining=figure.remaining,
        resets=figure.resets,
        minutes=minutes,
    )


def _of_jobs(figure: Figure) -> Figure:
    """Places for jobs are no calls per minute: what is left counts, and a part is for others."""
    reserve = int((figure.allowance or 0) * JOB_RESERVE)
    left = None if figure.remaining is None else max(0, figure.remaining - reserve)
    return Figure(bucket=JOBS, remaining=left, resets=JOB_WAIT)


def _of_rows(figure: Figure, rows: int) -> Figure:
    """Whether rows count shows after a large batch; after a small one agents may have saved."""
    total, left = figure.allowance, figure.remaining
    if total is None or left is None:
        return Figure(bucket=BULK_ROWS)
    if left > total - rows:
        return Figure(bucket=BULK_ROWS, allowance=total * BATCH)
    allowance = total if 2 * rows >= total else None
    return Figure(bucket=BULK_ROWS, allowance=allowance)


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), value


def _least(headers: Mapping[str, str], *names: str) -> int | None:
    found = [_whole(headers.get(name)) for name in names]
    return min((one for one in found if one is not None), default=None)


def _positive(number: int | None) -> int | None:
    return number or None


def _whole(text: str | None) -> int | None:
    """A number that is not negative; None when it is missing or nonsense."""
    found = _seconds(text)
    return None if found is None else int(found)


def _seconds(text: str | None) -> float | None:
    stripped = (text or "").strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def _text(answer: Answer) -> str:
    data = answer.data if isinstance(answer.data, dict) else {}
    parts = [data.get("error"), data.get("description"), answer.text]
    if isinstance(parts[0], dict):
        parts += [parts[0].get("title"), parts[0].get("message")]
    return " ".join(part for part in parts if isinstance(part, str))

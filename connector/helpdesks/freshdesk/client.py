"""Freshdesk's endpoints and paging: dict in, dict out."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connector.errors import (
    HelpdeskUnreachable,
    RateLimited,
    RoleMissing,
    SignInRefused,
    TicketError,
    TicketNotFound,
    WriteRefused,
)
from connector.helpdesks.base import JSONObject
from connector.helpdesks.freshdesk.changes import CHANGED, Listed
from connector.helpdesks.freshdesk.refusals import reason, refused_write
from connector.http import Answer, Session
from mappings.field_mapping import plain

PAGE = 100
MAX_PAGES = 100  # 10,000 conversations on one ticket
INCLUDE = "stats"  # one credit; `company` would tell no more than its id and its name
ALWAYS = "2000-01-01T00:00:00Z"  # without updated_since, lists end 30 days ago
LIST_PAUSE = 60.0  # seconds; a list that is refused for a moment
# `< https://x.freshdesk.com/api/v2/tickets?page=2>;rel="next"`, with and without the blank
NEXT = re.compile(r"""<\s*[^>]*>\s*;\s*rel\s*=\s*["']?next\b""", re.IGNORECASE)


class Client:
    """One account's endpoints. Raises `connector.errors`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._has_listed = False

    def _call(self, method: str, path: str, **more: Any) -> Answer:
        """As `Session.call`; a refusal that `classify` named lacks the call."""
        try:
            return self._session.call(method, path, **more)
        except (SignInRefused, WriteRefused) as error:
            call = f"{method} {more.get('template') or path}"
            raise type(error)(f"{call}: {error}", retry_after=error.retry_after) from None

    def me(self) -> JSONObject:
        """The agent whose key we use."""
        path = "/api/v2/agents/me"
        agent = _ok(self._call("GET", path), f"GET {path}").data
        if not isinstance(agent, dict) or agent.get("id") is None:
            raise HelpdeskUnreachable(f"GET {path}: the answer holds no agent")
        return agent

    def ticket_fields(self) -> list[JSONObject]:
        """All ticket fields of the account."""
        path = "/api/v2/ticket_fields"
        return _rows(_ok(self._call("GET", path), f"GET {path}").data)

    def ticket(self, ticket_id: str, include: str | None = INCLUDE) -> JSONObject:
        """One ticket, with its figures unless `include` is None. Raises `TicketNotFound`.

        An archived one bears `archived`; it is found by a second call.
        """
        params = None if include is None else {"include": include}
        ticket = self._ticket("/api/v2/tickets/{id}", ticket_id, params)
        if ticket is None:
            ticket = self._ticket("/api/v2/tickets/archived/{id}", ticket_id, params)
            if ticket is None:
                raise _missing(ticket_id)
            ticket |= {"archived": True}
        return ticket

    def _ticket(
        self, template: str, ticket_id: str, params: dict[str, str] | None
    ) -> JSONObject | None:
        path = template.format(id=ticket_id)
        answer = self._call("GET", path, template=template, params=params)
        if answer.status == 404:  # without a body
            return None
        ticket = _ok(answer, f"GET {template}").data
        if not isinstance(ticket, dict) or ticket.get("id") is None:
            raise HelpdeskUnreachable(f"GET {template}: the answer holds no ticket")
        return ticket

    def changed(self, name: str, since: str, page: int, include: str) -> Listed:
        """One page of the tickets that were updated since an instant, the oldest update first.

        `name`: one of `changes.PASSES`.
        """
        params = {
            "updated_since": since,
            "order_by": "updated_at",
            "order_type": "asc",
            "per_page": str(PAGE),
            "page": str(page),
            "include": include,
        }
        answer = self._list(params if name == CHANGED else params | {"filter": name})
        rows = _rows(answer.data)
        # a page may lack rows and still not be the last; a full one is asked behind in any case
        more = len(rows) >= PAGE or _has_next(answer)
        marks = {} if name == CHANGED else {name: True}
        return Listed(rows=tuple(row | marks for row in rows), more=more, at=_date(answer))

    def newest(self) -> JSONObject | None:
        """The ticket that was created last; None when there is none."""
        params = {"order_by": "created_at", "order_type": "desc", "per_page": "1"}
        rows = _rows(self._list(params | {"updated_since": ALWAYS}).data)
        return rows[0] if rows else None

    def _list(self, params: dict[str, str]) -> Answer:
        path = "/api/v2/tickets"
        try:
            answer = self._call("GET", path, params=params)
        except RoleMissing as error:
            if not self._has_listed:
                raise
            # seen in the wild under load, with a key that may
            raise RateLimited(
                f"GET {path}: refused (403) although the same key has listed before; Freshdesk "
                "does so under load",
                retry_after=LIST_PAUSE,
            ) from error
        _ok(answer, f"GET {path}")
        self._has_listed = True
        return answer

    def may_read_companies(self) -> bool:
        """Whether the key's agent may; asks for one company."""
        try:
            self._call("GET", "/api/v2/companies", params={"per_page": "1"})
        except RoleMissing:
            return False
        return True

    def company(self, company_id: str) -> JSONObject | None:
        """One company with all its fields; None when there is none."""
        template = "/api/v2/companies/{id}"
        answer = self._call("GET", f"/api/v2/companies/{company_id}", template=template)
        if answer.status == 404:
            return None
        company = _ok(answer, f"GET {template}").data
        if not isinstance(company, dict):
            raise HelpdeskUnreachable(f"GET {template}: the answer holds no company")
        return company

    def conversations(self, ticket_id: str, *, archived: bool = False) -> list[JSONObject]:
        """All conversations of a ticket, oldest first. Raises `TicketNotFound`."""
        template = f"/api/v2/tickets/{'archived/' if archived else ''}{{id}}/conversations"
        found: dict[Any, JSONObject] = {}
        for page in range(1, MAX_PAGES + 1):
            answer = self._call(
                "GET",
                template.format(id=ticket_id),
                template=template,
                params={"per_page": str(PAGE), "page": str(page)},
            )
            if answer.status == 404:
                raise _missing(ticket_id)
            rows = _rows(_ok(answer, f"GET {template}").data)
            before = len(found)
            found |= {plain(row.get("id")): row for row in rows}
            if len(found) == before and rows:
                break
            if len(rows) < PAGE and not _has_next(answer):
                return list(found.values())
        raise TicketError(f"GET {template}: the pages do not come to an end")

    def add_note(self, ticket_id: str, note: JSONObject) -> None:
        """Add a note to a ticket."""
        template = "/api/v2/tickets/{id}/notes"
        answer = self._call("POST", template.format(id=ticket_id), template=template, body=note)
        if not answer.ok:
            about, own = f"note of ticket {ticket_id}", frozenset(note)
            raise refused_write(answer, about, sent=note, own=own)

    def update(self, ticket_id: str, fields: JSONObject, own: frozenset[str]) -> None:
        """Write fields of one ticket; `own` are the names of our custom fields.

        The answer's values are not looked at: its due dates may be those from before.
        """
        answer = self._call(
            "PUT", f"/api/v2/tickets/{ticket_id}", template="/api/v2/tickets/{id}", body=fields
        )
        if not answer.ok:
            raise refused_write(answer, f"ticket {ticket_id}", sent=fields, own=own)


def _missing(ticket_id: str) -> TicketNotFound:
    return TicketNotFound(f"ticket {ticket_id}: Freshdesk does not know it")


def _has_next(answer: Answer) -> bool:
    return NEXT.search(answer.headers.get("link", "")) is not None


def _date(answer: Answer) -> datetime | None:
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _ok(answer: Answer, call: str) -> Answer:
    if not answer.ok:
        why = reason(answer.data) or "is the subdomain right?"
        raise HelpdeskUnreachable(f"{call}: answered {answer.status}; {why}")
    return answer


def _rows(data: Any) -> list[JSONObject]:
    if not isinstance(data, list):
        raise HelpdeskUnreachable("Freshdesk answered with something other than a list")
    return [row for row in data if isinstance(row, dict)]

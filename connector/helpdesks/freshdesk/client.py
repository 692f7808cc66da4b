"""Freshdesk's endpoints and paging: dict in, dict out."""

from typing import Any

from connector.errors import (
    ConnectorError,
    HelpdeskUnreachable,
    TicketError,
    TicketNotFound,
    TicketReadOnly,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import JSONObject
from connector.http import Answer, Session

PAGE = 100
MAX_PAGES = 100  # 10,000 conversations on one ticket
INCLUDE = "stats"  # one credit; `company` would tell no more than its id and its name
MAX_REASON = 300  # characters of a vendor's messages that we repeat


class Client:
    """One account's endpoints. Raises `connector.errors`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def me(self) -> JSONObject:
        """The agent whose key we use."""
        path = "/api/v2/agents/me"
        agent = _ok(self._session.call("GET", path), f"GET {path}").data
        if not isinstance(agent, dict) or agent.get("id") is None:
            raise HelpdeskUnreachable(f"GET {path}: the answer holds no agent")
        return agent

    def ticket_fields(self) -> list[JSONObject]:
        """All ticket fields of the account."""
        path = "/api/v2/ticket_fields"
        return _rows(_ok(self._session.call("GET", path), f"GET {path}").data)

    def ticket(self, ticket_id: str) -> JSONObject:
        """One ticket with its figures. Raises `TicketNotFound`."""
        answer = self._session.call(
            "GET",
            f"/api/v2/tickets/{ticket_id}",
            template="/api/v2/tickets/{id}",
            params={"include": INCLUDE},
        )
        _refuse_missing(answer, ticket_id)
        ticket = _ok(answer, "GET /api/v2/tickets/{id}").data
        if not isinstance(ticket, dict) or ticket.get("id") is None:
            raise HelpdeskUnreachable("GET /api/v2/tickets/{id}: the answer holds no ticket")
        return ticket

    def company(self, company_id: str) -> JSONObject | None:
        """One company with all its fields; None when there is none."""
        template = "/api/v2/companies/{id}"
        answer = self._session.call("GET", f"/api/v2/companies/{company_id}", template=template)
        if answer.status == 404:
            return None
        company = _ok(answer, f"GET {template}").data
        if not isinstance(company, dict):
            raise HelpdeskUnreachable(f"GET {template}: the answer holds no company")
        return company

    def conversations(self, ticket_id: str) -> list[JSONObject]:
        """All conversations of a ticket, oldest first."""
        template = "/api/v2/tickets/{id}/conversations"
        found: dict[Any, JSONObject] = {}
        for page in range(1, MAX_PAGES + 1):
            answer = self._session.call(
                "GET",
                f"/api/v2/tickets/{ticket_id}/conversations",
                template=template,
                params={"per_page": str(PAGE), "page": str(page)},
            )
            _refuse_missing(answer, ticket_id)
            rows = _rows(_ok(answer, f"GET {template}").data)
            before = len(found)
            found |= {row.get("id"): row for row in rows}
            if len(found) == before and rows:
                break
            if len(rows) < PAGE and 'rel="next"' not in answer.headers.get("link", ""):
                return list(found.values())
        raise TicketError(f"GET {template}: the pages do not come to an end")

    def update(self, ticket_id: str, fields: JSONObject) -> None:
        """Write fields of one ticket."""
        answer = self._session.call(
            "PUT", f"/api/v2/tickets/{ticket_id}", template="/api/v2/tickets/{id}", body=fields
        )
        if not answer.ok:
            raise refusal(answer.status, answer.data, f"ticket {ticket_id}")


def refusal(status: int, data: Any, about: str) -> ConnectorError:
    """The error of a 4xx answer to a write."""
    message = f"{about}: {_reason(data) or f'refused with status {status}'}"
    if status == 404:  # without a body
        return TicketNotFound(message)
    if status == 405:  # deleted, spam or blocked
        return TicketReadOnly(message)
    return WriteConflict(message) if status == 409 else WriteRefused(message)


def _reason(data: Any) -> str:
    """What Freshdesk says, field by field; never the values that were sent."""
    found = data if isinstance(data, dict) else {}
    errors = found.get("errors")
    lines = [
        f"{one.get('field')}: {one.get('message') or one.get('code')}"
        for one in (errors if isinstance(errors, list) else [])
        if isinstance(one, dict)
    ]
    parts = [found.get("description") or found.get("message"), "; ".join(lines)]
    return ": ".join(part for part in parts if isinstance(part, str) and part)[:MAX_REASON]


def _refuse_missing(answer: Answer, ticket_id: str) -> None:
    if answer.status == 404:
        raise TicketNotFound(f"ticket {ticket_id}: Freshdesk does not know it")


def _ok(answer: Answer, call: str) -> Answer:
    if not answer.ok:
        raise HelpdeskUnreachable(f"{call}: answered {answer.status}; is the subdomain right?")
    return answer


def _rows(data: Any) -> list[JSONObject]:
    if not isinstance(data, list):
        raise HelpdeskUnreachable("Freshdesk answered with something other than a list")
    return [row for row in data if isinstance(row, dict)]

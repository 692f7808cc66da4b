"""Zendesk's endpoints and paging: dict in, dict out."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.errors import (
    ConnectorError,
    HelpdeskUnreachable,
    OutcomeUnknown,
    RateLimited,
    SignInRefused,
    TicketError,
    TicketNotFound,
    TicketReadOnly,
    WriteConflict,
    WriteRefused,
)
from connector.helpdesks.base import JSONObject
from connector.http import Answer, Session

PAGE = 100
MAX_PAGES = 500  # 50,000 rows; nothing that we page through comes near
MAX_REASON = 300  # characters of a vendor's message that we repeat


class Client:
    """One account's endpoints. Raises `connector.errors`.

    `beside`: what is read with every ticket.
    """

    def __init__(self, session: Session, *, beside: Sequence[str] = ("metric_sets",)) -> None:
        self._session = session
        self._include = ",".join(beside)

    def me(self) -> JSONObject:
        """The signed-in user."""
        user = _object(self._get("/api/v2/users/me"), "user")
        if user.get("id") is None:  # Zendesk answers 200 "Anonymous user" without credentials
            raise SignInRefused("Zendesk takes us for an anonymous user; check the sign-in")
        return user

    def ticket_fields(self) -> list[JSONObject]:
        """All ticket fields of the account."""
        return [
            field
            for page in self._pages("/api/v2/ticket_fields", {}, HelpdeskUnreachable)
            for field in _objects(page, "ticket_fields")
        ]

    def tickets(self, ticket_ids: Sequence[str]) -> JSONObject:
        """Up to 100 tickets with their sideloads; those that are not there are missing."""
        params = {"ids": ",".join(ticket_ids), "include": self._include}
        return self._get("/api/v2/tickets/show_many", params)

    def ticket(self, ticket_id: str) -> JSONObject:
        """One ticket with its sideloads. Raises `TicketNotFound`."""
        answer = self._session.call(
            "GET",
            f"/api/v2/tickets/{ticket_id}",
            template="/api/v2/tickets/{id}",
            params={"include": self._include},
        )
        if answer.status == 404:
            raise TicketNotFound(f"ticket {ticket_id}: Zendesk does not know it")
        return _document(answer, "GET /api/v2/tickets/{id}")

    def audits(self, ticket_id: str) -> JSONObject:
        """All audits of a ticket, oldest first, with `users` beside them."""
        path = f"/api/v2/tickets/{ticket_id}/audits"
        audits: list[JSONObject] = []
        users: list[JSONObject] = []
        for page in self._pages(path, {"include": "users"}, TicketError):
            audits += _objects(page, "audits")
            users += _objects(page, "users")
        return {"audits": audits, "users": users}

    def users(self, user_ids: Sequence[str]) -> list[JSONObject]:
        """Up to 100 users; those that are not there are missing."""
        page = self._get("/api/v2/users/show_many", {"ids": ",".join(user_ids)})
        return _objects(page, "users")

    def update(self, ticket_id: str, fields: JSONObject) -> None:
        """Write fields of one ticket, whatever was changed since it was read."""
        self._write("PUT", ticket_id, "", {"ticket": fields})

    def add_tags(self, ticket_id: str, tags: Sequence[str]) -> None:
        """Add tags and leave the others."""
        self._write("PUT", ticket_id, "/tags", {"tags": list(tags)})

    def remove_tags(self, ticket_id: str, tags: Sequence[str]) -> None:
        """Remove tags and leave the others."""
        self._write("DELETE", ticket_id, "/tags", {"tags": list(tags)})

    def update_many(self, rows: Sequence[JSONObject]) -> JSONObject:
        """Start a bulk write; the job's status as it stands."""
        path = "/api/v2/tickets/update_many"
        answer = self._session.call(
            "PUT", path, body={"tickets": list(rows)}, did_nothing=_database_was_busy
        )
        if not answer.ok:
            raise refusal(answer.status, answer.data, "bulk write")
        status = answer.data.get("job_status") if isinstance(answer.data, dict) else None
        if not isinstance(status, dict) or not status.get("id"):
            raise OutcomeUnknown(f"PUT {path}: the answer names no job")
        return status

    def job_statuses(self, job_ids: Sequence[str]) -> list[JSONObject]:
        """How jobs stand; forgotten ones are missing."""
        path = "/api/v2/job_statuses/show_many"
        return _objects(self._get(path, {"ids": ",".join(job_ids)}), "job_statuses")

    def _get(self, path: str, params: dict[str, str] | None = None) -> JSONObject:
        return _document(self._session.call("GET", path, params=params), f"GET {path}")

    def _write(self, method: str, ticket_id: str, rest: str, body: JSONObject) -> None:
        answer = self._session.call(
            method,
            f"/api/v2/tickets/{ticket_id}{rest}",
            template=f"/api/v2/tickets/{{id}}{rest}",
            body=body,
            did_nothing=_database_was_busy,
        )
        if not answer.ok:
            raise refusal(answer.status, answer.data, f"ticket {ticket_id}")

    def _pages(
        self, path: str, params: dict[str, str], blame: type[ConnectorError]
    ) -> Iterator[JSONObject]:
        """Pages by cursor or by number; one that leads back ends in an error, not in a loop."""
        params = {"page[size]": str(PAGE), **params}
        seen = set()
        for _ in range(MAX_PAGES):
            seen.add(tuple(sorted(params.items())))
            answer = self._session.call("GET", path, template=_template(path), params=params)
            if answer.status == 404 and issubclass(blame, TicketError):
                raise TicketNotFound(f"{path}: Zendesk does not know it")
            page = _document(answer, f"GET {_template(path)}")
            yield page
            following = _next_params(page)
            if following is None:
                return
            params = {**params, **following}
            if tuple(sorted(params.items())) in seen:
                break
        raise blame(f"GET {_template(path)}: the pages do not come to an end")


def refusal(status: int, data: Any, about: str) -> ConnectorError:
    """The error of a 4xx answer to a write."""
    code, reason = _reason(data)
    message = f"{about}: {reason or f'refused with status {status}'}"
    if status == 404:
        return TicketNotFound(message)
    if status == 409 or code in ("UpdateConflict", "DatabaseConflict"):
        return WriteConflict(message)
    if code == "TooManyJobs":
        return RateLimited(message, retry_after=10)
    if "closed prevents" in reason or "ClosedTicket" in reason:
        return TicketReadOnly(message)
    return WriteRefused(message)


def _reason(data: Any) -> tuple[str, str]:
    """Code and text of any of Zendesk's error envelopes."""
    found = data if isinstance(data, dict) else {}
    error = found.get("error")
    if isinstance(error, dict):
        return "", _short(error.get("title"), error.get("message"))
    if isinstance(found.get("errors"), list):
        parts = [one for one in found["errors"] if isinstance(one, dict)]
        return "", _short(*(one.get("title") or one.get("code") for one in parts))
    details = found.get("details")
    groups = details.values() if isinstance(details, dict) else []
    lines = [line for group in groups if isinstance(group, list) for line in group]
    texts = [
        text
        for line in lines
        if isinstance(line, dict)
        for text in (line.get("error"), line.get("description"))
    ]
    code = error if isinstance(error, str) else ""
    return code, _short(code, found.get("description"), *texts)


def _short(*parts: Any) -> str:
    text = ": ".join(part for part in parts if isinstance(part, str) and part)
    return text[:MAX_REASON]


def _database_was_busy(answer: Answer) -> bool:
    return answer.status == 409 and _reason(answer.data)[0] == "DatabaseConflict"


def _next_params(page: JSONObject) -> dict[str, str] | None:
    """Only the query of the next address is used, so that no answer can send us elsewhere."""
    meta, links = page.get("meta"), page.get("links")
    if isinstance(meta, dict):
        if not meta.get("has_more"):
            return None
        if meta.get("after_cursor"):
            return {"page[after]": str(meta["after_cursor"])}
    address = links.get("next") if isinstance(links, dict) else page.get("next_page")
    return dict(parse_qsl(urlsplit(address).query)) if isinstance(address, str) else None


def _template(path: str) -> str:
    return "/".join("{id}" if part.isdigit() else part for part in path.split("/"))


def _document(answer: Answer, call: str) -> JSONObject:
    if not answer.ok:
        raise HelpdeskUnreachable(f"{call}: answered {answer.status}; is the subdomain right?")
    if not isinstance(answer.data, dict):
        raise HelpdeskUnreachable(f"{call}: answered with something other than an object")
    return answer.data


def _object(document: JSONObject, key: str) -> JSONObject:
    found = document.get(key)
    if not isinstance(found, dict):
        raise HelpdeskUnreachable(f"the answer holds no '{key}'")
    return found


def _objects(document: JSONObject, key: str) -> list[JSONObject]:
    found = document.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

"""Zendesk's endpoints and paging: dict in, dict out."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connector.errors import (
    ConnectorError,
    HelpdeskUnreachable,
    OutcomeUnknown,
    SignInRefused,
    TicketError,
    TicketNotFound,
)
from connector.helpdesks.base import JSONObject
from connector.helpdesks.zendesk.refusals import NO_SUCH_CALL, reason_of, refusal
from connector.http import Answer, Session

PAGE = 100
MAX_PAGES = 500  # 50,000 rows; nothing that we page through comes near
UNSOLVED = "type:ticket status<solved"


class Client:
    """One account's endpoints. Raises `connector.errors`.

    `beside`: what is read with every ticket.
    """

    def __init__(self, session: Session, *, beside: str = "metric_sets") -> None:
        self._session = session
        self._include = beside

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

    def custom_statuses(self) -> list[JSONObject]:
        """The account's ticket statuses; none where it has no such thing."""
        answer = self._session.call("GET", "/api/v2/custom_statuses")
        return _objects(answer.data, "custom_statuses") if answer.ok else []

    def ticket_forms(self) -> list[JSONObject]:
        """The account's ticket forms; none where it has no such thing."""
        answer = self._session.call("GET", "/api/v2/ticket_forms")
        return _objects(answer.data, "ticket_forms") if answer.ok else []

    def oldest_unsolved(self) -> JSONObject | None:
        """About the oldest ticket that is not solved; the search lags behind by minutes."""
        params = {"query": UNSOLVED, "sort_by": "created_at", "sort_order": "asc", "per_page": "1"}
        found = _objects(self._get("/api/v2/search", params), "results")
        return found[0] if found else None

    def count(self) -> JSONObject | None:
        """About how many tickets there are; None where the account does not tell."""
        answer = self._session.call("GET", "/api/v2/tickets/count")
        if answer.status == 404:
            return None
        return _document(answer, "GET /api/v2/tickets/count")

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
        _check_found(answer, f"ticket {ticket_id}")
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
        sent = frozenset(str(one["id"]) for one in fields.get("custom_fields") or ())
        self._write("PUT", ticket_id, "", {"ticket": fields}, sent=sent)

    def add_comment(self, ticket_id: str, comment: JSONObject) -> None:
        """Add a comment, whatever was changed since the ticket was read."""
        self._write("PUT", ticket_id, "", {"ticket": {"comment": comment}})

    def comments(self, ticket_id: str) -> Iterator[list[JSONObject]]:
        """All comments of a ticket page by page, the newest first. Raises `TicketNotFound`."""
        path = f"/api/v2/tickets/{ticket_id}/comments"
        for page in self._pages(path, {"sort": "-created_at"}, TicketError):
            yield _objects(page, "comments")

    def add_tags(self, ticket_id: str, tags: Sequence[str]) -> None:
        """Add tags and leave the others."""
        self._write("PUT", ticket_id, "/tags", {"tags": list(tags)})

    def remove_tags(self, ticket_id: str, tags: Sequence[str]) -> None:
        """Remove tags and leave the others."""
        # by what was documented first and by what is documented now
        also = {"tags": ",".join(tags)}
        self._write("DELETE", ticket_id, "/tags", {"tags": list(tags)}, params=also)

    def update_many(self, rows: Sequence[JSONObject]) -> JSONObject:
        """Start a bulk write; the job's status as it stands."""
        path = "/api/v2/tickets/update_many"
        answer = self._session.call(
            "PUT", path, body={"tickets": list(rows)}, did_nothing=_database_was_busy
        )
        if not answer.ok:
            raise refusal(answer, "bulk write")
        status = answer.data.get("job_status") if isinstance(answer.data, dict) else None
        if not isinstance(status, dict) or not status.get("id"):
            raise OutcomeUnknown(f"PUT {path}: the answer names no job")
        return status

    def job_statuses(self, job_ids: Sequence[str]) -> list[JSONObject]:
        """How jobs stand; forgotten ones are missing.

        A job that does not answer by its id can still stand in the list of all.
        """
        path = "/api/v2/job_statuses"
        params = {"ids": ",".join(job_ids)}
        answer = self._session.call("GET", f"{path}/show_many", params=params)
        found = _objects(answer.data, "job_statuses") if answer.ok else []
        missing = set(job_ids) - {str(one.get("id")) for one in found}
        if missing:
            listed = _objects(self._get(path), "job_statuses")
            found += [one for one in listed if str(one.get("id")) in missing]
        return found

    def _get(self, path: str, params: dict[str, str] | None = None) -> JSONObject:
        return _document(self._session.call("GET", path, params=params), f"GET {path}")

    def _write(
        self,
        method: str,
        ticket_id: str,
        rest: str,
        body: JSONObject,
        *,
        params: dict[str, str] | None = None,
        sent: frozenset[str] = frozenset(),
    ) -> None:
        answer = self._session.call(
            method,
            f"/api/v2/tickets/{ticket_id}{rest}",
            template=f"/api/v2/tickets/{{id}}{rest}",
            params=params,
            body=body,
            did_nothing=_database_was_busy,
        )
        if not answer.ok:
            raise refusal(answer, f"ticket {ticket_id}", sent=sent)

    def _pages(
        self, path: str, params: dict[str, str], blame: type[ConnectorError]
    ) -> Iterator[JSONObject]:
        """Pages by cursor or by number; one that leads back ends in an error, not in a loop."""
        params = {"page[size]": str(PAGE), **params}
        seen = set()
        for _ in range(MAX_PAGES):
            seen.add(tuple(sorted(params.items())))
            answer = self._session.call("GET", path, template=_template(path), params=params)
            if issubclass(blame, TicketError):
                _check_found(answer, path)
            page = _document(answer, f"GET {_template(path)}")
            yield page
            following = _next_params(page)
            if following is None:
                return
            params = {**params, **following}
            if tuple(sorted(params.items())) in seen:
                break
        raise blame(f"GET {_template(path)}: the pages do not come to an end")


def _database_was_busy(answer: Answer) -> bool:
    return answer.status == 409 and reason_of(answer).code == "DatabaseConflict"


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


def _check_found(answer: Answer, about: str) -> None:
    """404 has two meanings: a record that is not there, and a call that the account lacks."""
    if answer.status == 404 and reason_of(answer).code != NO_SUCH_CALL:
        raise TicketNotFound(f"{about}: Zendesk does not know it")


def _document(answer: Answer, call: str) -> JSONObject:
    if not answer.ok:
        why = reason_of(answer).message or "is the subdomain right?"
        raise HelpdeskUnreachable(f"{call}: answered {answer.status}: {why}")
    if not isinstance(answer.data, dict):
        raise HelpdeskUnreachable(f"{call}: answered with something other than an object")
    return answer.data


def _object(document: JSONObject, key: str) -> JSONObject:
    found = document.get(key)
    if not isinstance(found, dict):
        raise HelpdeskUnreachable(f"the answer holds no '{key}'")
    return found


def _objects(document: Any, key: str) -> list[JSONObject]:
    found = document.get(key) if isinstance(document, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

"""How Zendesk's API reads requests: paging, lists of ids, bodies, and what is sideloaded."""

from collections.abc import Sequence
from typing import Any

from flask import g, request

from sandbox.state import Doc, Key
from sandbox.zendesk.account import Account
from sandbox.zendesk.audits import authors_of
from sandbox.zendesk.errors import ZendeskError, bad_page, bad_request
from sandbox.zendesk.metrics import metric_row
from sandbox.zendesk.render import cursor_page, offset_page, shown_organization, shown_user

_MOST = 100


def base_url() -> str:
    """Scheme, host and port as the caller knows them."""
    return request.host_url.rstrip("/")


def signed_in() -> Doc:
    """The user who makes the call."""
    return dict(g.user)


def json_body() -> Doc:
    """The request's JSON object. Raises ZendeskError 415 or 400 for anything else."""
    if not request.is_json:
        raise ZendeskError(
            415, {"error": "UnsupportedMediaType", "description": "Use application/json"}
        )
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise bad_request("Unparseable", "The request body is no JSON object")
    return body


def ids_asked(name: str = "ids", *, most: int = _MOST) -> list[int]:
    """Ids separated by commas. Raises ZendeskError when there are none or too many."""
    text = request.args.get(name, "")
    try:
        ids = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise bad_request("InvalidValue", f"{name} must be numbers separated by commas") from error
    if not ids:
        raise bad_request("MissingParameter", f"{name} is required")
    if len(ids) > most:
        raise bad_request("TooManyValues", f"{name}: at most {most} at once")
    return ids


def included() -> set[str]:
    """What `include=` asks for."""
    return set(filter(None, request.args.get("include", "").split(",")))


def paged(name: str, docs: Sequence[Doc]) -> tuple[list[Doc], Doc]:
    """One page of a list as asked for, by cursor or by number, and what stands beside it."""
    url, size = request.base_url, request.args.get("page[size]")
    try:
        if size is not None:
            after = request.args.get("page[after]")
            page, rest = cursor_page(docs, size=_size(size), after=after, url=url)
        else:
            number = int(request.args.get("page", 1))
            page, rest = offset_page(
                docs,
                page=_depth(number),
                per_page=_size(request.args.get("per_page", 100)),
                url=url,
            )
    except ValueError as error:
        raise bad_page("InvalidPaginationParameter", f"{name}: {error}") from error
    return list(page), rest


def _size(value: Any) -> int:
    return max(1, min(_MOST, int(value)))


def _depth(number: int) -> int:
    if number > 100:
        raise bad_page("InvalidPaginationDepth", "Page number must not exceed 100")
    return max(1, number)


def sideloads(account: Account, tickets: Sequence[Doc], wanted: set[str]) -> Doc:
    """What `include` puts beside tickets."""
    base, beside = base_url(), {}
    if "users" in wanted:
        names = ("requester_id", "submitter_id", "assignee_id")
        ids = [ticket[name] for ticket in tickets for name in names]
        beside["users"] = users_beside(account, ids)
    if "organizations" in wanted:
        ids = list(dict.fromkeys(t["organization_id"] for t in tickets))
        known = account.people.organizations
        beside["organizations"] = [shown_organization(known[i], base) for i in ids if i in known]
    if "metric_sets" in wanted:
        beside["metric_sets"] = [metric_row(ticket, base) for ticket in tickets]
    if "groups" in wanted:
        beside["groups"] = []
    return beside


def users_beside(account: Account, ids: Sequence[Key]) -> list[Doc]:
    """Sideloaded users, without doubles."""
    known = account.people.users
    found = (known[i] for i in dict.fromkeys(ids) if isinstance(i, int) and i in known)
    return [shown_user(user, base_url()) for user in found]


def authors_beside(account: Account, docs: Sequence[Doc]) -> Doc:
    """The `users` sideload of comments and audits, if asked for."""
    if "users" not in included():
        return {}
    return {"users": users_beside(account, authors_of(docs))}

"""How Zendesk's API reads requests: paging, lists of ids, bodies, and what is sideloaded."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import g, request

from sandbox.bodies import strict_json
from sandbox.clock import epoch
from sandbox.state import Doc, Key, State
from sandbox.zendesk.account import Account
from sandbox.zendesk.audits import authors_of
from sandbox.zendesk.errors import ZendeskError, bad_page, bad_request
from sandbox.zendesk.metrics import metric_row
from sandbox.zendesk.native import policy_metrics
from sandbox.zendesk.people import custom_statuses
from sandbox.zendesk.render import (
    by_cursor,
    cursor_page,
    numbered,
    offset_page,
    read_mark,
    shown_group,
    shown_organization,
    shown_ticket,
    shown_user,
    write_mark,
)

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
    return _object()


def json_body_if_any() -> Doc:
    """The request's JSON object, which may be left out.

    Raises ZendeskError 400 for one that cannot be read.
    """
    return _object() if request.is_json and request.get_data() else {}


def _object() -> Doc:
    try:
        body = strict_json(request.get_data())
    except ValueError as error:
        text = "Server could not parse JSON"
        raise ZendeskError(400, {"error": "Unparseable", "description": text}) from error
    if not isinstance(body, dict):
        raise bad_request("Unparseable", "The request body is no JSON object")
    return body


def page_link(changes: Mapping[str, Any]) -> str:
    """The address that was asked for, with other values of some parameters."""
    kept = [pair for pair in request.args.items(multi=True) if pair[0] not in changes]
    return f"{request.base_url}?{urlencode([*kept, *changes.items()])}"


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
    size = request.args.get("page[size]")
    try:
        if size is not None:
            after = request.args.get("page[after]")
            page, rest = cursor_page(docs, size=_size(size), after=after, link=page_link)
        else:
            number = int(request.args.get("page", 1))
            page, rest = offset_page(
                docs,
                page=_depth(number),
                per_page=_size(request.args.get("per_page", 100)),
                link=page_link,
            )
    except ValueError as error:
        raise bad_page("InvalidPaginationParameter", f"{name}: {error}") from error
    return list(page), rest


def whole(docs: Sequence[Doc]) -> Doc:
    """What stands beside a list that comes at once, however long it is."""
    return {"next_page": None, "previous_page": None, "count": len(docs)}


def stored_page(state: State, kind: str) -> tuple[list[Doc], Doc]:
    """One page of stored objects in the order of their creation, without reading all of them."""
    size = request.args.get("page[size]")
    try:
        if size is not None:
            return _stored_by_cursor(state, kind, _size(size))
        number = _depth(int(request.args.get("page", 1)))
        per_page = _size(request.args.get("per_page", 100))
    except ValueError as error:
        raise bad_page("InvalidPaginationParameter", str(error)) from error
    offset = (number - 1) * per_page
    docs = state.page(kind, sort="created", limit=per_page + 1, offset=offset)
    return docs[:per_page], numbered(page_link, number, per_page, more=len(docs) > per_page)


def _stored_by_cursor(state: State, kind: str, size: int) -> tuple[list[Doc], Doc]:
    # The mark is the second in which the last object was created, and how many of that second
    # were shown: an offset alone would read everything before it.
    second, shown = read_mark(request.args.get("page[after]"))
    docs = state.page(kind, sort="created", created_from=second, limit=size + 1, offset=shown)
    page = docs[:size]
    mark = None
    if page:
        last = epoch(page[-1]["created_at"])
        same = sum(1 for doc in page if epoch(doc["created_at"]) == last)
        mark = write_mark(last, same + (shown if last == second else 0))
    return page, by_cursor(page_link, size, mark, more=len(docs) > size)


def _size(value: Any) -> int:
    return max(1, min(_MOST, int(value)))


def _depth(number: int) -> int:
    if number > 100:
        raise bad_page("InvalidPaginationDepth", "Page number must not exceed 100")
    return max(1, number)


def shown_tickets(account: Account, tickets: Sequence[Doc], wanted: set[str]) -> list[Doc]:
    """Tickets as the API shows them, with what `include` puts into each."""
    numbers = account.book.switches.number_values == "number"
    base = base_url()
    shown = [shown_ticket(t, base, account.fields, numbers=numbers) for t in tickets]
    _leave_out(shown, custom_statuses=account.book.switches.custom_statuses)
    for doc, ticket in zip(shown, tickets, strict=True):
        if "slas" in wanted:
            doc["slas"] = {"policy_metrics": policy_metrics(ticket)}
        if "comment_count" in wanted:
            doc["comment_count"] = ticket["_metrics"]["comments"]
    return shown


def _leave_out(shown: Sequence[Doc], *, custom_statuses: bool) -> None:
    """Take away what the caller asks not to see, and what the account does not have."""
    unwanted = set() if custom_statuses else {"custom_status_id"}
    if request.args.get("remove_duplicate_fields") == "true":
        unwanted.add("fields")
    for doc in shown:
        if request.args.get("reduced_payload_size") == "true":
            filled = [field for field in doc["custom_fields"] if field["value"] is not None]
            doc |= {"custom_fields": filled, "fields": filled}
        for name in unwanted:
            del doc[name]


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
        beside["groups"] = [shown_group(base)]
    if "ticket_forms" in wanted:
        beside["ticket_forms"] = [account.form.shown(base)]
    if "custom_statuses" in wanted and account.book.switches.custom_statuses:
        beside["custom_statuses"] = custom_statuses()
    if "last_audits" in wanted:
        trails = (account.core.state.children("audit", ticket["id"]) for ticket in tickets)
        beside["last_audits"] = [trail[-1] for trail in trails if trail]
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

"""Zendesk's objects as its API shows them."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.state import Doc
from sandbox.zendesk.fields import FieldBook
from sandbox.zendesk.people import GROUP_ID

#: An address of a page: the one that was asked for, with other values of some parameters.
Link = Callable[[Mapping[str, Any]], str]
_GROUP: Doc = {
    "id": GROUP_ID, "name": "Support", "description": "", "default": True, "is_public": True,
    "deleted": False, "created_at": "2026-01-05T09:00:00Z", "updated_at": "2026-01-05T09:00:00Z",
}  # fmt: skip
# What every ticket and every user has, and nothing here ever sets.
_TICKET: Doc = {"satisfaction_probability": None, "support_type": "agent"}
_USER: Doc = {
    "shared_phone_number": None, "two_factor_auth_enabled": False, "is_billing_admin": False,
    "report_csv": False,
}  # fmt: skip
_SYSTEM_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "tickettype": ("Question", "Incident", "Problem", "Task"),
    "priority": ("Low", "Normal", "High", "Urgent"),
    "status": ("New", "Open", "Pending", "On-hold", "Solved", "Closed"),
}
_SUB_TYPES = {"priority": 0, "status": 1}


def shown_ticket(ticket: Doc, base: str, book: FieldBook, *, numbers: bool = False) -> Doc:
    """A ticket with all custom fields, and their twin `fields`; `numbers` lets numbers be such."""
    doc = {key: value for key, value in ticket.items() if not key.startswith("_")}
    values = ticket["_values"]
    custom = [{"id": key, "value": values.get(text, none)} for key, text, none in book.empty]
    if numbers:
        _make_numbers(custom, book)
    url = f"{base}/api/v2/tickets/{ticket['id']}.json"
    code = {"encoded_id": _encoded(ticket["id"]), **_TICKET}
    return {"url": url, **doc, **code, "custom_fields": custom, "fields": custom}


def _encoded(ticket_id: int) -> str:
    digest = hashlib.blake2b(str(ticket_id).encode(), digest_size=10).digest()
    text = base64.b32encode(digest).decode()
    return f"{text[:6]}-{text[6:10]}"


def _make_numbers(custom: Sequence[Doc], book: FieldBook) -> None:
    for entry in custom:
        kind = book.by_id[entry["id"]]["type"]
        if entry["value"] is not None and kind in _NUMERIC:
            entry["value"] = _NUMERIC[kind](entry["value"])


_NUMERIC: Mapping[str, Callable[[str], Any]] = {"integer": int, "decimal": float}


def shown_user(user: Doc, base: str) -> Doc:
    """A user."""
    return {**_USER, **user, "url": f"{base}/api/v2/users/{user['id']}.json"}


def shown_organization(organization: Doc, base: str) -> Doc:
    """An organization."""
    return {**organization, "url": f"{base}/api/v2/organizations/{organization['id']}.json"}


def shown_field(field: Doc, base: str) -> Doc:
    """A ticket field."""
    system: Doc = {}
    if field["type"] in _SYSTEM_OPTIONS:
        names = _SYSTEM_OPTIONS[field["type"]]
        options = [{"name": name, "value": _option_value(name)} for name in names]
        system["system_field_options"] = options
    if field["type"] in _SUB_TYPES:
        system["sub_type_id"] = _SUB_TYPES[field["type"]]
    return {**field, **system, "url": f"{base}/api/v2/ticket_fields/{field['id']}.json"}


def _option_value(name: str) -> str:
    return "hold" if name == "On-hold" else name.lower()


def shown_group(base: str) -> Doc:
    """The account's one group of agents."""
    return {**_GROUP, "url": f"{base}/api/v2/groups/{GROUP_ID}.json"}


ANONYMOUS: Doc = {
    "id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user",
    "active": False, "verified": False, "locale": "en-US", "time_zone": None, "tags": [],
    "organization_id": None, "url": None, "user_fields": {},
}  # fmt: skip


def cursor_page(
    docs: Sequence[Doc], *, size: int, after: str | None, link: Link
) -> tuple[Sequence[Doc], Doc]:
    """One cursor page of a list, and its `meta` and `links`. Raises ValueError for a bad cursor."""
    start, _ = read_mark(after)
    page = docs[start : start + size]
    mark = write_mark(start + len(page), 0) if page else None
    return page, by_cursor(link, size, mark, more=start + size < len(docs))


def by_cursor(link: Link, size: int, mark: str | None, *, more: bool) -> Doc:
    """What stands beside a page by cursor."""
    follow = link({"page[after]": mark, "page[size]": size}) if more else None
    meta = {"has_more": more, "after_cursor": mark, "before_cursor": None}
    return {"meta": meta, "links": {"next": follow, "prev": None}}


def write_mark(place: int, beyond: int) -> str:
    """The opaque mark of a place in a list."""
    return base64.urlsafe_b64encode(f"{place}-{beyond}".encode()).decode()


def read_mark(mark: str | None) -> tuple[int, int]:
    """The place of a mark, or the beginning. Raises ValueError for a made-up one."""
    if not mark:
        return 0, 0
    place, _, beyond = base64.urlsafe_b64decode(mark).decode().partition("-")
    if not (place.isascii() and place.isdigit() and beyond.isascii() and beyond.isdigit()):
        message = "the cursor is not valid"
        raise ValueError(message)
    return int(place), int(beyond)


def offset_page(
    docs: Sequence[Doc], *, page: int, per_page: int, link: Link
) -> tuple[Sequence[Doc], Doc]:
    """One numbered page of a list, with `next_page`, `previous_page` and `count`."""
    start = (page - 1) * per_page
    rest = numbered(link, page, per_page, more=start + per_page < len(docs))
    return docs[start : start + per_page], {**rest, "count": len(docs)}


def numbered(link: Link, page: int, per_page: int, *, more: bool) -> Doc:
    """The links of a numbered page."""

    def numbered_link(number: int) -> str:
        return link({"page": number, "per_page": per_page})

    return {
        "next_page": numbered_link(page + 1) if more else None,
        "previous_page": numbered_link(page - 1) if page > 1 else None,
    }

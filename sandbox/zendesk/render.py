"""Zendesk's objects as its API shows them."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.state import Doc
from sandbox.zendesk.fields import FieldBook


def shown_ticket(ticket: Doc, base: str, book: FieldBook, *, numbers: bool = False) -> Doc:
    """A ticket with all custom fields, and their twin `fields`; `numbers` lets numbers be such."""
    doc = {key: value for key, value in ticket.items() if not key.startswith("_")}
    values = ticket["_values"]
    custom = [{"id": key, "value": values.get(text, none)} for key, text, none in book.empty]
    if numbers:
        _make_numbers(custom, book)
    url = f"{base}/api/v2/tickets/{ticket['id']}.json"
    return {"url": url, **doc, "custom_fields": custom, "fields": custom}


def _make_numbers(custom: Sequence[Doc], book: FieldBook) -> None:
    for entry in custom:
        kind = book.by_id[entry["id"]]["type"]
        if entry["value"] is not None and kind in _NUMERIC:
            entry["value"] = _NUMERIC[kind](entry["value"])


_NUMERIC: Mapping[str, Callable[[str], Any]] = {"integer": int, "decimal": float}


def shown_user(user: Doc, base: str) -> Doc:
    """A user."""
    return {**user, "url": f"{base}/api/v2/users/{user['id']}.json"}


def shown_organization(organization: Doc, base: str) -> Doc:
    """An organization."""
    return {**organization, "url": f"{base}/api/v2/organizations/{organization['id']}.json"}


def shown_field(field: Doc, base: str) -> Doc:
    """A ticket field."""
    return {**field, "url": f"{base}/api/v2/ticket_fields/{field['id']}.json"}


ANONYMOUS: Doc = {
    "id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user",
    "active": False, "verified": False, "locale": "en-US", "time_zone": None, "tags": [],
    "organization_id": None, "url": None, "user_fields": {},
}  # fmt: skip


def cursor_page(
    docs: Sequence[Doc], *, size: int, after: str | None, url: str
) -> tuple[Sequence[Doc], Doc]:
    """One cursor page of a list, and its `meta` and `links`. Raises ValueError for a bad cursor."""
    start, _ = read_mark(after)
    page = docs[start : start + size]
    mark = write_mark(start + len(page), 0) if page else None
    return page, by_cursor(url, size, mark, more=start + size < len(docs))


def by_cursor(url: str, size: int, mark: str | None, *, more: bool) -> Doc:
    """What stands beside a page by cursor."""
    joint = "&" if "?" in url else "?"
    follow = f"{url}{joint}page%5Bafter%5D={mark}&page%5Bsize%5D={size}" if more else None
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
    return int(place), int(beyond)


def offset_page(
    docs: Sequence[Doc], *, page: int, per_page: int, url: str
) -> tuple[Sequence[Doc], Doc]:
    """One numbered page of a list, with `next_page`, `previous_page` and `count`."""
    start = (page - 1) * per_page
    rest = numbered(url, page, per_page, more=start + per_page < len(docs))
    return docs[start : start + per_page], {**rest, "count": len(docs)}


def numbered(url: str, page: int, per_page: int, *, more: bool) -> Doc:
    """The links of a numbered page."""
    joint = "&" if "?" in url else "?"

    def link(number: int) -> str:
        return f"{url}{joint}page={number}&per_page={per_page}"

    return {
        "next_page": link(page + 1) if more else None,
        "previous_page": link(page - 1) if page > 1 else None,
    }

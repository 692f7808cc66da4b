"""Zendesk's objects as its API shows them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.state import Doc
from sandbox.zendesk.fields import FieldBook


def shown_ticket(ticket: Doc, base: str, book: FieldBook) -> Doc:
    """A ticket with all custom fields, and their twin `fields`."""
    doc = {key: value for key, value in ticket.items() if not key.startswith("_")}
    values = ticket["_values"]
    custom = [_field_value(field, values) for field in book.custom()]
    url = f"{base}/api/v2/tickets/{ticket['id']}.json"
    return {"url": url, **doc, "custom_fields": custom, "fields": custom}


def _field_value(field: Doc, values: Mapping[str, Any]) -> Doc:
    empty: Any = False if field["type"] == "checkbox" else None
    return {"id": field["id"], "value": values.get(str(field["id"]), empty)}


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


def export_cursor(moved: int, ticket_id: int) -> str:
    """The opaque mark of a place in the incremental export."""
    return base64.b64encode(f"{moved}.0||{ticket_id}".encode()).decode()


def read_export_cursor(cursor: str) -> tuple[int, int]:
    """The place that a cursor marks. Raises ValueError for a made-up one."""
    moved, _, ticket_id = base64.b64decode(cursor, validate=True).decode().partition("||")
    return int(float(moved)), int(ticket_id)


def cursor_page(
    docs: Sequence[Doc], *, size: int, after: str | None, url: str
) -> tuple[Sequence[Doc], Doc]:
    """One cursor page of a list, and its `meta` and `links`. Raises ValueError for a bad cursor."""
    start = int(base64.b64decode(after, validate=True)) if after else 0
    page = docs[start : start + size]
    more = start + size < len(docs)
    mark = base64.b64encode(str(start + len(page)).encode()).decode() if page else None
    joint = "&" if "?" in url else "?"
    follow = f"{url}{joint}page%5Bafter%5D={mark}&page%5Bsize%5D={size}" if more else None
    meta = {"has_more": more, "after_cursor": mark, "before_cursor": None}
    return page, {"meta": meta, "links": {"next": follow, "prev": None}}


def offset_page(
    docs: Sequence[Doc], *, page: int, per_page: int, url: str
) -> tuple[Sequence[Doc], Doc]:
    """One numbered page of a list, with `next_page`, `previous_page` and `count`."""
    start = (page - 1) * per_page
    joint = "&" if "?" in url else "?"

    def link(number: int) -> str:
        return f"{url}{joint}page={number}&per_page={per_page}"

    more = start + per_page < len(docs)
    rest = {
        "next_page": link(page + 1) if more else None,
        "previous_page": link(page - 1) if page > 1 else None,
        "count": len(docs),
    }
    return docs[start : start + per_page], rest

"""A ticket in our words as JSON, so that it can be judged again without a call."""

from typing import Any

from pydantic import TypeAdapter

from mappings.ticket import Ticket

_FORM = TypeAdapter(Ticket)
_DERIVED = {"_by_field"}


def as_body(ticket: Ticket) -> dict[str, Any]:
    """The ticket as JSON."""
    body: dict[str, Any] = _FORM.dump_python(ticket, mode="json", exclude=_DERIVED)
    return body


def from_body(body: Any) -> Ticket:
    """A ticket that `as_body` gave. Raises `ValueError` for another form of it."""
    return _FORM.validate_python(body)

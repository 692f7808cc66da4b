"""Freshdesk's deliveries: is it genuine, and which ticket is it about. Pure.

Freshdesk signs nothing; a shared secret stands in a header, or as the password of Basic sign-in.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from connector.errors import UnreadableWebhook, UnverifiedWebhook
from connector.helpdesks.base import Hint, JSONObject, Observation
from mappings.field_mapping import FieldMapping, Words
from mappings.ticket import PRIORITY, STATUS, WAITING, Status

# Under which keys a template may hold the id, the surest first; case and separators do not count.
ID_KEYS = ("ticketid", "ticketdisplayid", "displayid", "id")
EVENT_KEYS = frozenset({"triggeredevent", "event", "tickettriggeredevent"})
LARGEST_ID = 2**63 - 1  # what a helpdesk can count to
MAX_DEPTH = 6  # of a body; templates are written by hand
ID = re.compile(r"\s*(?:#|[A-Za-z]{1,10}[-#]?)?\s*(0*[1-9][0-9]{0,18})(?:\.0+)?\s*")
IN_BROKEN_TEXT = re.compile(
    r"""ticket[._ ]?id["']?\s*[:=]\s*["']?(?:#|[A-Za-z]{1,10}[-#]?)?(\d{1,19})(?!\d)""",
    re.IGNORECASE,
)
PLAIN_ID = re.compile(r"""["']id["']\s*:\s*["']?(\d{1,19})(?!\d)""")
INTEGER = re.compile(r"(?<![\w.])(\d{1,19})(?!\w)")
TICKET_URL = re.compile(r"/tickets/(\d{1,19})\b")
CHANGED = re.compile(r"\{\s*(\w+)\s*:\s*\{\s*from\s*:([^,{}]*),\s*to\s*:([^,{}]*)\}\s*\}")


def receive(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[str],
    header: str,
    mapping: FieldMapping,
) -> Hint:
    """The hint in a delivery; header names are lower case."""
    shown = headers.get(header.lower()) or _basic_password(headers.get("authorization", ""))
    if not shown:
        raise UnverifiedWebhook(f"the delivery lacks the header {header}, and signs in by no other")
    # every secret is compared, so that the time taken does not tell which one fits
    fits = [hmac.compare_digest(_bytes(secret), _bytes(shown)) for secret in secrets if secret]
    if not any(fits):
        raise UnverifiedWebhook("the delivery shows none of the account's secrets")
    document, text = _document(body), body.decode("utf-8", "replace")
    ticket_id = _in_text(text) if document is None else _in_document(document)
    if ticket_id is None:
        raise UnreadableWebhook(
            "the delivery is genuine but names no ticket; its content needs "
            '{"ticket_id": "{{ticket.id}}"}'
        )
    observations = tuple(_observations(document or {}, Words(mapping)))
    return Hint(ticket_id=ticket_id, observations=observations)


def _basic_password(authorization: str) -> str | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return pair.partition(":")[2]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _document(body: bytes) -> JSONObject | None:
    """The body as JSON or as a form; None when it is neither, such as JSON with a stray quote."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _form(body)
    return document if isinstance(document, dict) else {"": document}


def _form(body: bytes) -> JSONObject | None:
    text = body.decode("utf-8", "replace").strip()
    if not re.match(r"[\w.%\[\]]+=", text):
        return None
    # the simple layout wraps its names: of freshdesk_webhook[ticket_id] the last part counts
    return {name.rstrip("]").rpartition("[")[2]: value for name, value in parse_qsl(text)}


def _in_document(document: JSONObject) -> str | None:
    pairs = [(_key(name), value) for name, value in _pairs(document, MAX_DEPTH)]
    for wanted in ID_KEYS:
        for name, value in pairs:
            if name == wanted and (found := _id(value)):
                return found
    urls = (TICKET_URL.search(value) for _, value in pairs if isinstance(value, str))
    return next((found[1] for found in urls if found), None)


def _in_text(text: str) -> str | None:
    found = IN_BROKEN_TEXT.search(text) or PLAIN_ID.search(text) or INTEGER.search(text)
    return _id(found[1]) if found else None


def _pairs(value: Any, depth: int, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value; an `id` inside `ticket` counts as the ticket's."""
    if not depth or not isinstance(value, dict):
        return
    for key, inner in value.items():
        is_ticket = _key(name) == "ticket" and _key(key) == "id"
        # an id of anything else inside, such as the requester's, is not the ticket's
        if is_ticket or not name or _key(key) != "id" or name == "freshdesk_webhook":
            yield ("ticket_id" if is_ticket else key), inner
        yield from _pairs(inner, depth - 1, key)


def _key(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    found = ID.fullmatch(str(value))
    is_possible = found is not None and int(found[1]) <= LARGEST_ID
    return found[1].lstrip("0") if found and is_possible else None


def _observations(document: JSONObject, words: Words) -> Iterator[Observation]:
    """What `triggered_event` says; it is no JSON, and names only the first of several changes."""
    for name, value in _pairs(document, MAX_DEPTH):
        if _key(name) in EVENT_KEYS and isinstance(value, str):
            for field, before, after in CHANGED.findall(value):
                yield from _observed(field, before.strip(), after.strip(), words)


def _observed(field: str, before: str, after: str, words: Words) -> Iterator[Observation]:
    found: list[tuple[str, str | None, str | None]] = []
    if field == "status":
        found.append((STATUS, words.status(before), words.status(after)))
        found.append((WAITING, words.cause(before), words.cause(after)))
    elif field == "priority":
        found.append((PRIORITY, words.priority(before), words.priority(after)))
    if words.remarks or Status.UNKNOWN in (found[0][1:] if found else ()):
        return  # a word that the mapping lacks; the read will show it
    for name, old, new in found:
        if old != new:
            # Freshdesk does not say when something happened
            yield Observation(field=name, before=old, after=new, at=None)

"""Zendesk's deliveries: is it genuine, and which ticket is it about. Pure."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector.errors import UnreadableWebhook, UnverifiedWebhook
from connector.helpdesks.base import EVENT, Hint, JSONObject, Observation
from connector.helpdesks.zendesk.values import tags_of
from mappings.field_mapping import FieldMapping, Words, plain
from mappings.ticket import CLASS, PRIORITY, STATUS, WAITING, Status
from mappings.written import instant

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
# Published by Zendesk: signs the "test webhook" request before a webhook is saved. Used as it is.
TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105
EVENT_TYPE = "zen:event-type:"
TICKET_EVENT = EVENT_TYPE + "ticket."
TICKET_SUBJECT = "zen:ticket:"
LARGEST_ID = 2**63 - 1  # what a helpdesk can count to
TICKET_ID = re.compile(r"[1-9][0-9]{0,18}")
NAME = re.compile(r"[a-z_]{1,60}")  # of an event
MAX_DEPTH = 6  # of a trigger's body; they are written by hand


def receive(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[str],
    mapping: FieldMapping,
    window: timedelta | None = None,
    now: datetime | None = None,
) -> Hint:
    """The hint in a delivery; header names are lower case.

    `window`: how far the signed timestamp may lie from `now`, both ways; None accepts any.
    """
    signature, timestamp = headers.get(SIGNATURE), headers.get(TIMESTAMP)
    if not signature or not timestamp:
        raise UnverifiedWebhook(f"the delivery lacks the header {SIGNATURE} or {TIMESTAMP}")
    own = [secret for secret in secrets if secret and secret != TEST_SECRET]
    # every secret is compared, so that the time taken does not tell which one fits
    fits = [_signs(secret, timestamp, body, signature) for secret in (TEST_SECRET, *own)]
    if not any(fits):
        raise UnverifiedWebhook("the delivery's signature fits none of the account's secrets")
    if window is not None:
        _check_window(timestamp, window, now)
    if fits[0]:
        return Hint(ticket_id=None)
    return _hint(_document(body), headers.get(INVOCATION) or None, mapping)


def _signs(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    message = timestamp.encode("utf-8", "replace") + body
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.encode("utf-8", "replace"))


def _check_window(timestamp: str, window: timedelta, now: datetime | None) -> None:
    signed_at = instant(timestamp)
    if signed_at is None or now is None or abs(now - signed_at) > window:
        raise UnverifiedWebhook("the delivery was signed too long ago, or its clock is wrong")


def _document(body: bytes) -> JSONObject:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableWebhook("the delivery is genuine but holds no JSON") from None
    if not isinstance(document, dict):
        raise UnreadableWebhook("the delivery is genuine but holds no JSON object")
    return document


def _hint(document: JSONObject, delivery_id: str | None, mapping: FieldMapping) -> Hint:
    event, subject = plain(document.get("type")) or "", plain(document.get("subject")) or ""
    if not event.startswith(EVENT_TYPE):
        return Hint(ticket_id=_needed(_triggered(document)), delivery_id=delivery_id)
    detail = document.get("detail")
    detail = detail if isinstance(detail, dict) else {}
    if not event.startswith(TICKET_EVENT) or not subject.startswith(TICKET_SUBJECT):
        is_ticket = event.startswith(TICKET_EVENT) and not subject
        if not is_ticket:
            return Hint(ticket_id=None, delivery_id=delivery_id)
    ticket_id = _id(detail.get("id")) or _id(subject.removeprefix(TICKET_SUBJECT))
    event = event.removeprefix(TICKET_EVENT)
    told = tuple(_observations(event, document, detail, mapping))
    return Hint(
        ticket_id=_needed(ticket_id),
        delivery_id=delivery_id,
        actor_id=plain(detail.get("actor_id")),
        observations=told or _nothing_but(event, document),
    )


def _nothing_but(event: str, document: JSONObject) -> tuple[Observation, ...]:
    at = instant(document.get("time"))
    if at is None or not NAME.fullmatch(event):
        return ()
    return (Observation(field=EVENT, before=None, after=event, at=at),)


def _needed(ticket_id: str | None) -> str:
    if ticket_id is None:
        raise UnreadableWebhook(
            'the delivery is genuine but names no ticket; a trigger\'s body needs {"ticket_id": '
            '"{{ticket.id}}"}'
        )
    return ticket_id


def _triggered(document: JSONObject) -> str | None:
    """The ticket's id in a body that an admin wrote: as `ticket_id`, `ticket.id`, or `id`."""
    levels = list(_levels(document, MAX_DEPTH))
    for level in levels:
        if found := _id(level.get("ticket_id")):
            return found
    for level in levels:
        ticket = level.get("ticket")
        if found := _id(ticket.get("id") if isinstance(ticket, dict) else ticket):
            return found
    return _id(document.get("id"))


def _levels(value: Any, depth: int) -> Iterator[JSONObject]:
    if isinstance(value, dict) and depth:
        yield value
        for inner in value.values():
            yield from _levels(inner, depth - 1)


def _id(value: Any) -> str | None:
    text = plain(value) if not isinstance(value, (bool, list)) else None
    is_possible = text is not None and TICKET_ID.fullmatch(text) and int(text) <= LARGEST_ID
    return text if is_possible else None


def _observations(
    event: str, document: JSONObject, detail: JSONObject, mapping: FieldMapping
) -> Iterator[Observation]:
    """What a `…_changed` event says, in our words; words that the mapping lacks are left out."""
    at, change = instant(document.get("time")), document.get("event")
    if at is None or not isinstance(change, dict) or "previous" not in change:
        return
    sides = (plain(change["previous"]), plain(change.get("current")))
    for field, (before, after) in _in_our_words(event, sides, detail, Words(mapping)):
        if before != after:
            yield Observation(field=field, before=before, after=after, at=at)


def _in_our_words(
    event: str, sides: tuple[str | None, str | None], detail: JSONObject, words: Words
) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    before, after = sides
    if event == "status_changed":
        statuses = (words.status(before), words.status(after))
        if Status.UNKNOWN not in statuses:
            yield STATUS, statuses
            yield WAITING, (words.cause(before), words.cause(after))
    elif event == "priority_changed":
        ranks = (words.priority(before), words.priority(after))
        if not words.remarks:
            yield PRIORITY, ranks
    elif event == "type_changed":
        tags = frozenset(tags_of(detail.get("tags")))
        classes = (words.ticket_class(before, tags), words.ticket_class(after, tags))
        if not words.remarks:
            yield CLASS, classes

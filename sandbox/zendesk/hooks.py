"""Zendesk's webhooks: their registry, the payload of each event, and the signature."""

import base64
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.deliveries import Delivery
from sandbox.state import Doc, Key, Row, State
from sandbox.zendesk.changes import FieldChange, NewComment
from sandbox.zendesk.errors import invalid
from sandbox.zendesk.payloads import detail, event_body

TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105 - published by Zendesk
ACCOUNT_ID = 12_514_403
PREFIX = "zen:event-type:ticket."
TRIGGERED = "conditional_ticket_events"
_DEFAULT_TEMPLATE = (
    '{"ticket_id":"{{ticket.id}}","status":"{{ticket.status}}",'
    '"updated_at":"{{ticket.updated_at_with_timestamp}}","actor":"{{current_user.id}}"}'
)
_BY_FIELD = {
    "subject": "subject_changed", "type": "type_changed", "priority": "priority_changed",
    "status": "status_changed", "custom_status_id": "custom_status_changed",
    "assignee_id": "agent_assignment_changed", "group_id": "group_assignment_changed",
    "requester_id": "requester_changed", "organization_id": "organization_changed",
    "external_id": "external_id_changed", "problem_id": "problem_link_changed",
    "due_at": "task_due_at_changed", "tags": "tags_changed",
}  # fmt: skip
EVENT_NAMES = (
    "created", "comment_added", "custom_field_changed", "merged", "soft_deleted", "undeleted",
    "description_changed", "marked_as_spam", "permanently_deleted", *_BY_FIELD.values(),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class TicketEvent:
    """One thing to tell subscribers: the event's short name and what moved."""

    name: str
    change: FieldChange | None = None
    comment: NewComment | None = None
    comment_id: int | None = None


def events_of(changes: Sequence[FieldChange]) -> list[TicketEvent]:
    """The events of changed values; a field of the customer's own is `custom_field_changed`."""
    return [
        TicketEvent(name=_BY_FIELD.get(change.name, "custom_field_changed"), change=change)
        for change in changes
    ]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Zendesk's signature: the secret is used as the text that it is."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class Webhooks:
    """The registered webhooks, and the requests that a change makes them send."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._hooks: dict[Key, Doc] = {hook["id"]: hook for hook in state.all("webhook")}

    def all(self) -> list[Doc]:
        """The webhooks as stored; private keys begin with `_`."""
        return list(self._hooks.values())

    def get(self, key: Key) -> Doc | None:
        """One webhook, or None."""
        return self._hooks.get(key)

    def create(self, wanted: Mapping[str, Any], *, created_by: int) -> Doc:
        """Register a webhook. Raises ZendeskError when name, endpoint or subscriptions are off."""
        self._check(wanted)
        hook_id, at = "01" + secrets.token_hex(12).upper(), self._clock.stamp()
        return self._store(
            {
                "id": hook_id, "name": wanted["name"], "description": wanted.get("description"),
                "status": wanted.get("status", "active"), "endpoint": wanted["endpoint"],
                "http_method": wanted.get("http_method", "POST"),
                "request_format": wanted.get("request_format", "json"),
                "subscriptions": list(wanted.get("subscriptions") or []),
                "authentication": wanted.get("authentication"),
                "custom_headers": wanted.get("custom_headers") or {},
                "created_at": at, "created_by": str(created_by), "updated_at": at,
                "updated_by": str(created_by), "external_source": None,
                "_secret": wanted.get("secret") or _new_secret(),
                "_template": wanted.get("template") or _DEFAULT_TEMPLATE,
            }
        )  # fmt: skip

    def put(self, wanted: Mapping[str, Any], *, created_by: int) -> Doc:
        """Register a webhook, keeping id and secret of the one with the same endpoint."""
        for hook in self._hooks.values():
            if hook["endpoint"] == wanted.get("endpoint"):
                return self.change(hook["id"], wanted)
        return self.create(wanted, created_by=created_by)

    def change(self, key: Key, wanted: Mapping[str, Any]) -> Doc:
        """Change a webhook's settings."""
        hook = dict(self._hooks[key])
        changeable = set(hook) - {"id", "created_at", "created_by", "_secret", "_template"}
        hook |= {name: value for name, value in wanted.items() if name in changeable}
        hook |= {f"_{n}": wanted[n] for n in ("secret", "template") if wanted.get(n)}
        self._check(hook)
        if (TRIGGERED in hook["subscriptions"]) != (TRIGGERED in self._hooks[key]["subscriptions"]):
            raise invalid("subscriptions", "Subscriptions: events and triggers cannot be swapped")
        return self._store({**hook, "updated_at": self._clock.stamp()})

    def reset_secret(self, key: Key) -> Doc:
        """Give a webhook a new signing secret."""
        return self._store({**self._hooks[key], "_secret": _new_secret()})

    def remove(self, key: Key) -> None:
        """Forget a webhook."""
        self._state.remove("webhook", key)
        self._hooks.pop(key, None)

    def requests_for(
        self, ticket: Doc, events: Sequence[TicketEvent], *, actor_id: int, book: Any
    ) -> list[Delivery]:
        """The requests that active webhooks send about one save."""
        active = [hook for hook in self._hooks.values() if hook["status"] == "active"]
        if not active or not events:
            return []
        bodies = _event_bodies(ticket, events, actor_id=actor_id, now=self._clock, book=book)
        return [
            delivery
            for hook in active
            for delivery in self._requests_of(hook, ticket, bodies, actor_id)
        ]

    def _requests_of(
        self, hook: Doc, ticket: Doc, bodies: Sequence[tuple[str, bytes]], actor_id: int
    ) -> list[Delivery]:
        if TRIGGERED in hook["subscriptions"]:
            body = _fill(hook["_template"], ticket, actor_id).encode()
            return [self._request(hook, ticket["id"], TRIGGERED, body)]
        return [
            self._request(hook, ticket["id"], name, body)
            for name, body in bodies
            if PREFIX + name in hook["subscriptions"]
        ]

    def test_request(self, hook: Doc | None, endpoint: str, body: bytes) -> Delivery:
        """A request that tries an endpoint out, for a webhook that need not be saved yet."""
        unsaved: Doc = {
            "id": "",
            "_secret": TEST_SECRET,
            "custom_headers": {},
            "authentication": None,
        }
        return self._request({**(hook or unsaved), "endpoint": endpoint}, 0, "test", body)

    def _request(self, hook: Doc, ticket_id: int, event: str, body: bytes) -> Delivery:
        stamp, invocation = self._clock.stamp(), "01" + secrets.token_hex(12).upper()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Zendesk Webhook",
            "X-Zendesk-Account-Id": str(ACCOUNT_ID),
            "X-Zendesk-Webhook-Id": hook["id"],
            "X-Zendesk-Webhook-Invocation-Id": invocation,
            "X-Zendesk-Webhook-Signature": sign(hook["_secret"], stamp, body),
            "X-Zendesk-Webhook-Signature-Timestamp": stamp,
            **_authentication(hook.get("authentication")),
            **hook["custom_headers"],
        }
        return Delivery(
            id=invocation, webhook_id=hook["id"], url=hook["endpoint"], headers=headers,
            body=body, event=event, ticket_id=ticket_id, queued_at=stamp,
        )  # fmt: skip

    def _check(self, wanted: Mapping[str, Any]) -> None:
        if not str(wanted.get("name") or "").strip():
            raise invalid("name", "Name: cannot be blank")
        if not re.match(r"https?://", str(wanted.get("endpoint") or "")):
            raise invalid("endpoint", "Endpoint: is not a URL")
        names = _names(wanted.get("subscriptions"))
        _check_headers(wanted)
        if names and TRIGGERED not in names and wanted.get("http_method", "POST") != "POST":
            raise invalid("http_method", "Http method: must be POST for event subscriptions")
        unknown = names - {PREFIX + name for name in EVENT_NAMES} - {TRIGGERED}
        foreign = {name for name in unknown if not name.startswith(("zen:event-type:",))}
        if foreign or (TRIGGERED in names and len(names) > 1):
            raise invalid("subscriptions", f"Subscriptions: invalid {sorted(foreign or names)}")

    def _store(self, hook: Doc) -> Doc:
        self._state.put(Row(kind="webhook", id=hook["id"], doc=hook))
        self._hooks[hook["id"]] = hook
        return hook


def _names(wanted: Any) -> set[str]:
    names = wanted or []
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise invalid("subscriptions", "Subscriptions: a list of names is needed")
    return set(names)


def _is_header(pair: tuple[Any, Any]) -> bool:
    texts = all(isinstance(one, str) for one in pair)
    return texts and all(one.isascii() and one.isprintable() for one in pair)


def _check_headers(wanted: Mapping[str, Any]) -> None:
    headers = wanted.get("custom_headers") or {}
    if not isinstance(headers, Mapping) or not all(map(_is_header, headers.items())):
        raise invalid("custom_headers", "Custom headers: are invalid")
    authentication = wanted.get("authentication") or {"type": "none"}
    usable = isinstance(authentication, Mapping) and "type" in authentication
    if not usable or not isinstance(authentication.get("data") or {}, Mapping):
        raise invalid("authentication", "Authentication: is invalid")


def shown(hook: Doc) -> Doc:
    """A webhook as the API shows it: no secrets."""
    doc = {key: value for key, value in hook.items() if not key.startswith("_")}
    if doc["authentication"]:
        doc["authentication"] = {"type": doc["authentication"]["type"], "add_position": "header"}
    return doc


def _new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(36)).decode()


def _event_bodies(
    ticket: Doc, events: Sequence[TicketEvent], *, actor_id: int, now: Clock, book: Any
) -> list[tuple[str, bytes]]:
    shared, sequence = detail(ticket, actor_id, book), secrets.token_hex(16).upper()
    at = now.now()
    time = iso(at)[:-1] + f".{at.microsecond:06d}Z"
    return [
        (
            event.name,
            event_body(
                {
                    "account_id": ACCOUNT_ID,
                    "detail": shared,
                    "id": str(uuid.uuid4()),
                    "subject": f"zen:ticket:{ticket['id']}",
                    "time": time,
                    "type": PREFIX + event.name,
                    "zendesk_event_version": "2022-11-06",
                },
                event,
                {"id": sequence, "position": position},
                book,
            ),
        )
        for position, event in enumerate(events, start=1)
    ]


def _authentication(wanted: Mapping[str, Any] | None) -> dict[str, str]:
    data = (wanted or {}).get("data") or {}
    match (wanted or {}).get("type"):
        case "bearer_token":
            return {"Authorization": f"Bearer {data.get('token', '')}"}
        case "basic_auth":
            pair = f"{data.get('username', '')}:{data.get('password', '')}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        case "api_key":
            return {str(data.get("name", "X-Api-Key")): str(data.get("value", ""))}
    return {}


def _fill(template: str, ticket: Doc, actor_id: int) -> str:
    values = {
        "ticket.id": ticket["id"],
        "ticket.status": str(ticket["status"]).capitalize(),
        "ticket.priority": str(ticket["priority"] or "-").capitalize(),
        "ticket.ticket_type": str(ticket["type"] or "Ticket").capitalize(),
        "ticket.title": ticket["subject"],
        "ticket.external_id": ticket["external_id"] or "",
        "ticket.tags": " ".join(ticket["tags"]),
        "ticket.created_at_with_timestamp": ticket["created_at"],
        "ticket.updated_at_with_timestamp": ticket["updated_at"],
        "current_user.id": actor_id,
    }
    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda match: str(values.get(match[1], "")), template)

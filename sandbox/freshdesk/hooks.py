"""Freshdesk's webhooks: what an automation rule sends after a save. Nothing signs them."""

import base64
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.clock import Clock
from sandbox.deliveries import Delivery
from sandbox.freshdesk.changes import Moved
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, STATUSES
from sandbox.freshdesk.people import People
from sandbox.state import Doc, Key, Row, State

_FIRST_RULE = 43_000_700_001


def triggered_event(action: str | None, moved: Sequence[Moved]) -> str:
    """The first thing that happened, in Freshdesk's notation that looks like JSON but is not."""
    if action is not None:
        return "{" + action + "}"
    first = moved[0]
    return f"{{{first.name}:{{from:{_bare(first.previous)},to:{_bare(first.value)}}}}}"


class Webhooks:
    """The rules with a webhook action, and the requests that a save makes them send."""

    def __init__(self, state: State, clock: Clock, people: People) -> None:
        self._state = state
        self._clock = clock
        self._people = people
        self._hooks: dict[Key, Doc] = {hook["id"]: hook for hook in state.all("webhook")}

    def all(self) -> list[Doc]:
        """The registered webhooks."""
        return list(self._hooks.values())

    def put(self, config: Mapping[str, Any]) -> Doc:
        """Register a webhook, or replace the one with the same URL.

        `kind` is `simple` (the default) or `advanced`, which needs a `template`. `secret` is sent
        in the header `X-Webhook-Secret`; `username` and `password` as Basic auth.
        """
        url = str(config.get("url") or config.get("endpoint"))
        known = next((hook for hook in self._hooks.values() if hook["url"] == url), None)
        hook: Doc = {
            "id": known["id"] if known else self._state.next_id("rule", start=_FIRST_RULE),
            "url": url,
            "kind": "advanced" if config.get("template") else "simple",
            "template": config.get("template"),
            "headers": _headers(config),
        }
        self._state.put(Row(kind="webhook", id=hook["id"], doc=hook))
        self._hooks[hook["id"]] = hook
        return hook

    def remove(self, key: Key) -> None:
        """Forget a webhook."""
        self._state.remove("webhook", key)
        self._hooks.pop(key, None)

    def requests_for(self, ticket: Doc, event: str) -> list[Delivery]:
        """One request per webhook for one save."""
        if not self._hooks:
            return []
        values = self._placeholders(ticket, event)
        return [
            Delivery(
                id=uuid.uuid4().hex,
                webhook_id=str(hook["id"]),
                url=hook["url"],
                headers={"Content-Type": "application/json", **hook["headers"]},
                body=_body(hook, values),
                event=event,
                ticket_id=ticket["id"],
                queued_at=self._clock.stamp(),
            )
            for hook in list(self._hooks.values())
        ]

    def _placeholders(self, ticket: Doc, event: str) -> dict[str, Any]:
        people = self._people
        requester = people.contacts.get(ticket["requester_id"], {})
        return {
            "ticket.id": ticket["id"],
            "ticket.subject": ticket["subject"],
            "ticket.description": ticket["description"],
            "ticket.url": f"https://sandbox.freshdesk.com/a/tickets/{ticket['id']}",
            "ticket.status": STATUSES[ticket["status"]],
            "ticket.priority": PRIORITIES[ticket["priority"]],
            "ticket.source": SOURCES[ticket["source"]],
            "ticket.ticket_type": ticket["type"] or "",
            "ticket.tags": ", ".join(ticket["tags"]),
            "ticket.due_by_time": ticket["due_by"] or "",
            "ticket.agent.name": people.name_of(ticket["responder_id"]),
            "ticket.requester.name": requester.get("name", ""),
            "ticket.requester.email": requester.get("email", ""),
            "ticket.company.name": people.company_name(ticket["company_id"]),
            "helpdesk_name": "Sandbox",
            "triggered_event": event,
        }


def _headers(config: Mapping[str, Any]) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in (config.get("headers") or {}).items()}
    if config.get("secret"):
        headers["X-Webhook-Secret"] = str(config["secret"])
    if config.get("username"):
        pair = f"{config['username']}:{config.get('password', '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _body(hook: Doc, values: Mapping[str, Any]) -> bytes:
    if hook["kind"] == "advanced":
        filled = re.sub(
            r"\{\{\s*([\w.]+)\s*\}\}", lambda found: str(values.get(found[1], "")), hook["template"]
        )
        return filled.encode()
    names = ("id", "subject", "status", "priority", "source", "ticket_type", "tags", "url")
    simple = {f"ticket_{name.removeprefix('ticket_')}": values[f"ticket.{name}"] for name in names}
    simple["triggered_event"] = values["triggered_event"]
    return json.dumps({"freshdesk_webhook": simple}, ensure_ascii=False).encode()


def _bare(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)

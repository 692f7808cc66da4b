"""Freshdesk's webhooks: what an automation rule sends after a save. Nothing signs them."""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.clock import parse_instant
from sandbox.core import Core
from sandbox.deliveries import Delivery
from sandbox.freshdesk.changes import Save
from sandbox.freshdesk.fields import PRIORITIES, SOURCES, FieldBook
from sandbox.freshdesk.groups import Groups
from sandbox.freshdesk.people import People
from sandbox.freshdesk.rules import SIMPLE, Rules, triggered_event
from sandbox.freshdesk.switches import Switches
from sandbox.state import Doc, Key, Row

_FIRST_RULE = 43_000_700_001


class Webhooks:
    """The automation rules and the hooks of the controls, which are rules that every save fires."""

    def __init__(
        self,
        core: Core,
        people: People,
        groups: Groups,
        fields: FieldBook,
        switches: Callable[[], Switches],
    ) -> None:
        self._state = state = core.state
        self._clock = core.clock
        self._switches = switches
        self._people = people
        self._groups = groups
        self._fields = fields
        self.rules = Rules(state, core.clock, people)
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

    def requests_for(self, ticket: Doc, save: Save) -> list[Delivery]:
        """What one save sends: one request per hook and per webhook action of a rule that fires."""
        fired = self.rules.fired(ticket, save)
        if not self._hooks and not fired:
            return []
        text, escaped = triggered_event(save), self._switches().templates_escape
        values = self._placeholders(ticket)
        made = [
            self._delivery(
                hook, ticket, text, _body(hook, values | {"triggered_event": text}, escaped)
            )
            for hook in list(self._hooks.values())
        ]
        for rule, action, event in fired:
            told = {"id": rule["id"], "url": action["url"], "headers": _action_headers(action)}
            body = _action_body(action, values | {"triggered_event": event}, escaped)
            made.append(self._delivery(told, ticket, event, body))
        return made

    def _delivery(self, hook: Mapping[str, Any], ticket: Doc, event: str, body: bytes) -> Delivery:
        return Delivery(
            id=uuid.uuid4().hex,
            webhook_id=str(hook["id"]),
            url=hook["url"],
            headers={"Content-Type": "application/json", **hook["headers"]},
            body=body,
            event=event,
            ticket_id=ticket["id"],
            queued_at=self._clock.stamp(),
        )

    def _placeholders(self, ticket: Doc) -> dict[str, Any]:
        people = self._people
        requester = people.contacts.get(ticket["requester_id"], {})
        agent = people.agents.get(ticket["responder_id"] or 0)
        return {
            "ticket.id": ticket["id"],
            "ticket.subject": ticket["subject"],
            "ticket.description": ticket["description"],
            "ticket.url": f"https://sandbox.freshdesk.com/a/tickets/{ticket['id']}",
            "ticket.status": self._fields.statuses().get(ticket["status"], ""),
            "ticket.priority": PRIORITIES[ticket["priority"]],
            "ticket.source": SOURCES.get(ticket["source"], ""),
            "ticket.ticket_type": ticket["type"] or "",
            "ticket.tags": ", ".join(ticket["tags"]),
            "ticket.due_by_time": self._due(ticket["due_by"]),
            "ticket.group.name": self._groups.name_of(ticket["group_id"]),
            "ticket.agent.name": people.name_of(ticket["responder_id"]),
            "ticket.agent.email": agent["contact"]["email"] if agent else "",
            "ticket.requester.name": requester.get("name", ""),
            "ticket.requester.email": requester.get("email") or "",
            "ticket.contact.name": requester.get("name", ""),
            "ticket.contact.email": requester.get("email") or "",
            "ticket.company.name": people.company_name(ticket["company_id"]),
            "helpdesk_name": "Sandbox",
        }

    def _due(self, instant: str | None) -> str:
        if not instant or self._switches().due_by_time == "iso":
            return instant or ""
        return f"{parse_instant(instant):%a, %d %b, %Y at %I:%M %p}"


def _headers(config: Mapping[str, Any]) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in (config.get("headers") or {}).items()}
    if config.get("secret"):
        headers["X-Webhook-Secret"] = str(config["secret"])
    if config.get("username"):
        pair = f"{config['username']}:{config.get('password', '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _body(hook: Doc, values: Mapping[str, Any], escaped: bool) -> bytes:
    if hook["kind"] == "advanced":
        return _filled(hook["template"], values, escaped).encode()
    names = ("id", "subject", "status", "priority", "source", "ticket_type", "tags", "url")
    simple = {f"ticket_{name.removeprefix('ticket_')}": values[f"ticket.{name}"] for name in names}
    simple["triggered_event"] = values["triggered_event"]
    return _wrapped(simple)


def _action_headers(action: Mapping[str, Any]) -> dict[str, str]:
    sign_in = dict(action.get("auth_header") or {})
    if action.get("api_key"):
        sign_in = {"username": action["api_key"], "password": "X"}  # as Freshdesk's own API has it
    return _headers({"headers": action["custom_headers"], **sign_in})


def _action_body(action: Mapping[str, Any], values: Mapping[str, Any], escaped: bool) -> bytes:
    content = action["content"]
    if action["content_layout"] == SIMPLE:
        named = content if isinstance(content, dict) else {}
        return _wrapped({name: _filled(str(told), values, False) for name, told in named.items()})
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return _filled(text, values, escaped).encode()


def _wrapped(content: Mapping[str, Any]) -> bytes:
    return json.dumps({"freshdesk_webhook": content}, ensure_ascii=False).encode()


def _filled(template: str, values: Mapping[str, Any], escaped: bool) -> str:
    """The template with its placeholders replaced, by default as they are."""

    def text(found: re.Match[str]) -> str:
        value = str(values.get(found[1], ""))
        return json.dumps(value, ensure_ascii=False)[1:-1] if escaped else value

    return re.sub(r"\{\{\s*([\w.]+)\s*\}\}", text, template)

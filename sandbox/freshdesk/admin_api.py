"""Freshdesk's API for administrators: SLA policies, groups, automation rules, mailboxes."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, jsonify

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import flawed, not_found
from sandbox.freshdesk.givens import email_config, mailbox
from sandbox.freshdesk.groups import GROUP
from sandbox.freshdesk.kinds import ID, body_flaws, no_such
from sandbox.freshdesk.rules import KINDS
from sandbox.freshdesk.wire import created, json_body, known, paged
from sandbox.state import Doc

_SAME = ("name", "description", "agent_ids", "escalate_to", "unassigned_for")
# What a request may set on a group; `business_hour_id` is refused.
_GROUP = {name: kind for name, kind in GROUP.items() if name in _SAME} | {
    "business_calendar_id": ID
}
_CASCADING = {"total_active_count": 0, "cascading_rules": False}


class AdminApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._groups = account.groups
        self._policies = account.policies
        self._rules = account.hooks.rules

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        group = "/api/v2/admin/groups/<int:key>"
        rules = "/api/v2/automations/<int:kind>/rules"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/sla_policies", self.policies),
            ("POST", "/api/v2/sla_policies", self.create_policy),
            # without GET and DELETE, which are answered 405
            ("PUT", "/api/v2/sla_policies/<int:key>", self.update_policy),
            ("GET", "/api/v2/business_hours", self.business_hours),
            ("GET", "/api/v2/business_hours/<int:key>", self.one_business_hours),
            ("GET", "/api/v2/email_configs", self.email_configs),
            ("GET", "/api/v2/email/mailboxes", self.mailboxes),
            ("GET", "/api/v2/admin/groups", self.groups),
            ("POST", "/api/v2/admin/groups", self.create_group),
            ("GET", group, self.group),
            ("PUT", group, self.update_group),
            ("DELETE", group, self.delete_group),
            ("GET", rules, self.rules),
            ("POST", rules, self.create_rule),
            ("GET", rules + "/<int:key>", self.rule),
            ("PUT", rules + "/<int:key>", self.update_rule),
            ("DELETE", rules + "/<int:key>", self.delete_rule),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, f"admin_{view.__name__}", view, methods=[method])

    def policies(self) -> Response:
        """All SLA policies."""
        return paged(self._policies.all())

    def create_policy(self) -> tuple[Response, int]:
        """Create an SLA policy."""
        return created(self._policies.create(json_body()))

    def update_policy(self, key: int) -> Response:
        """Change an SLA policy."""
        known(self._policies.get(key))
        return jsonify(self._policies.update(key, json_body()))

    def business_hours(self) -> Response:
        """All business hours."""
        return paged([self._policies.hours])

    def one_business_hours(self, key: int) -> Response:
        """One set of business hours."""
        if str(key) != self._policies.hours["id"]:
            raise not_found()
        return jsonify(self._policies.hours)

    def email_configs(self) -> Response:
        """The account's mailbox."""
        return paged([email_config(self._policies.hours["created_at"])])

    def mailboxes(self) -> Response:
        """The account's mailbox, by the call that took the place of `email_configs`."""
        return paged([mailbox(self._policies.hours["created_at"])])

    def groups(self) -> Response:
        """All groups, as administrators see them."""
        return paged([_admin_group(doc) for doc in self._groups.all.values()])

    def create_group(self) -> tuple[Response, int]:
        """Create a group."""
        return created(_admin_group(self._groups.create(self._group_body())))

    def group(self, key: int) -> Response:
        """One group."""
        return jsonify(_admin_group(known(self._groups.all.get(key))))

    def update_group(self, key: int) -> Response:
        """Change a group."""
        known(self._groups.all.get(key))
        return jsonify(_admin_group(self._groups.update(key, self._group_body("name"))))

    def delete_group(self, key: int) -> tuple[str, int]:
        """Delete a group."""
        known(self._groups.all.get(key))
        self._groups.remove(key)
        return "", 204

    def _group_body(self, *filled: str) -> Doc:
        body = json_body()
        flaws = body_flaws(body, _GROUP, filled=filled)
        calendar = body.pop("business_calendar_id", None)
        if not flaws and calendar not in (None, int(self._policies.hours["id"])):
            flaws = [no_such("business_calendar_id", "business calendar")]
        if flaws:
            raise flawed(flaws)
        return body if calendar is None else body | {"business_hour_id": calendar}

    def rules(self, kind: int) -> Response:
        """The automation rules of a type, in the shape that the switch says."""
        _check(kind)
        docs = self._rules.all(kind)
        if self._account.switches.rules_list == "array":
            return paged(docs)
        active = sum(bool(doc["active"]) for doc in docs)
        return jsonify({"rules": docs, "meta": _CASCADING | {"total_active_count": active}})

    def create_rule(self, kind: int) -> tuple[Response, int]:
        """Create a rule."""
        _check(kind)
        return created(self._rules.create(kind, json_body(), g.user["id"]))

    def rule(self, kind: int, key: int) -> Response:
        """One rule."""
        return jsonify(known(self._rules.get(kind, key)))

    def update_rule(self, kind: int, key: int) -> Response:
        """Change a rule."""
        known(self._rules.get(kind, key))
        return jsonify(self._rules.update(kind, key, json_body(), g.user["id"]))

    def delete_rule(self, kind: int, key: int) -> tuple[str, int]:
        """Delete a rule."""
        known(self._rules.get(kind, key))
        self._rules.remove(key)
        return "", 204


def _admin_group(doc: Doc) -> Doc:
    """A group in the words of the revamped call, which knows calendars and no business hours."""
    other = ("business_hour_id", "auto_ticket_assign", "group_type")
    shown = {name: value for name, value in doc.items() if name not in other}
    return shown | {
        "business_calendar_id": doc["business_hour_id"],
        "type": doc["group_type"],
        "automatic_agent_assignment": {"enabled": bool(doc["auto_ticket_assign"])},
    }


def _check(kind: int) -> None:
    if kind not in KINDS:
        raise not_found()

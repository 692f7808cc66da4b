"""Freshdesk's API for administrators: SLA policies, business hours, automation rules, mailboxes."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g, jsonify

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import not_found
from sandbox.freshdesk.rules import KINDS
from sandbox.freshdesk.wire import created, json_body, known, paged

_CASCADING = {"total_active_count": 0, "cascading_rules": False}


class AdminApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._policies = account.policies
        self._rules = account.hooks.rules

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        rules = "/api/v2/automations/<int:kind>/rules"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/sla_policies", self.policies),
            ("POST", "/api/v2/sla_policies", self.create_policy),
            # without GET and DELETE, which are answered 405
            ("PUT", "/api/v2/sla_policies/<int:key>", self.update_policy),
            ("GET", "/api/v2/business_hours", self.business_hours),
            ("GET", "/api/v2/business_hours/<int:key>", self.one_business_hours),
            ("GET", "/api/v2/email_configs", self.email_configs),
            ("GET", rules, self.rules),
            ("POST", rules, self.create_rule),
            ("GET", rules + "/<int:key>", self.rule),
            ("PUT", rules + "/<int:key>", self.update_rule),
            ("DELETE", rules + "/<int:key>", self.delete_rule),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

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
        at = self._policies.hours["created_at"]
        return paged(
            [
                {
                    "id": 43_000_001_101, "name": "Sandbox", "product_id": None, "active": True,
                    "to_email": "sandboxhelpdesk@sandbox.test", "primary_role": True,
                    "reply_email": "support@sandbox.test", "group_id": None,
                    "created_at": at, "updated_at": at,
                }
            ]
        )  # fmt: skip

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


def _check(kind: int) -> None:
    if kind not in KINDS:
        raise not_found()

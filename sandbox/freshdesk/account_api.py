"""Freshdesk's API about the account itself and its ticket fields."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.freshdesk.account import Account
from sandbox.freshdesk.errors import denied
from sandbox.freshdesk.fields import shown_field
from sandbox.freshdesk.wire import created, json_body, known
from sandbox.state import Doc


class AccountApi:
    """The calls, as methods; `register` gives them their paths."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._people = account.people

    def register(self, api: Blueprint) -> None:
        """Add the calls to the API."""
        field = "/api/v2/admin/ticket_fields/<int:field_id>"
        routes: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("GET", "/api/v2/account", self.account),
            ("GET", "/api/v2/ticket_fields", self.fields),
            ("GET", "/api/v2/admin/ticket_fields", self.admin_fields),
            ("POST", "/api/v2/admin/ticket_fields", self.create_field),
            ("GET", field, self.field),
            ("PUT", field, self.update_field),
            ("DELETE", field, self.delete_field),
        )
        for method, rule, view in routes:
            api.add_url_rule(rule, view.__name__, view, methods=[method])

    def account(self) -> Response:
        """The account."""
        return jsonify(
            {
                "organisation_id": 43_000_000_001,
                "organisation_name": "Sandbox",
                "account_id": 43_000_001,
                "account_name": "Sandbox",
                "account_domain": request.host,
                "timezone": "London",
                "data_center": "eu-central-1",
                "tier_type": "paid",
                "bundle_id": None,
                "total_agents": {"full_time": len(self._people.agents), "occasional": 0},
            }
        )

    def fields(self) -> Response:
        """All ticket fields, or those of one type."""
        wanted = request.args.get("type")
        fields = self._account.fields.all.values()
        return jsonify(
            [
                shown_field(field, names=self._names())
                for field in fields
                if wanted in (None, field["type"]) and not field.get("_hidden")
            ]
        )

    def admin_fields(self) -> Response:
        """All ticket fields, as administrators see them."""
        return jsonify([_admin(field) for field in self._account.fields.all.values()])

    def create_field(self) -> tuple[Response, int]:
        """Create a custom field; its name is generated."""
        naming = self._account.switches.field_names
        return created(_admin(self._account.fields.create(json_body(), naming)))

    def field(self, field_id: int) -> Response:
        """One ticket field."""
        return jsonify(_admin(known(self._account.fields.all.get(field_id))))

    def update_field(self, field_id: int) -> Response:
        """Change a field's label or choices."""
        known(self._account.fields.all.get(field_id))
        return jsonify(_admin(self._account.fields.update(field_id, json_body())))

    def delete_field(self, field_id: int) -> tuple[str, int]:
        """Delete a custom field. Raises FreshdeskError for a default one."""
        field = known(self._account.fields.all.get(field_id))
        if field["default"]:
            raise denied(text="Default fields cannot be deleted")
        self._account.fields.remove(field_id)
        self._account.forget_values(field["name"])
        return "", 204

    def _names(self) -> dict[str, dict[str, int]]:
        groups, agents = self._account.groups.all.values(), self._people.agents.values()
        return {
            "group": {doc["name"]: doc["id"] for doc in groups},
            "agent": {doc["contact"]["name"]: doc["id"] for doc in agents},
        }


def _admin(field: Doc) -> Doc:
    field = shown_field(field, names={})
    choices = field.get("choices")
    if field["default"] or field["type"] != "custom_dropdown" or not isinstance(choices, list):
        return field
    listed = [
        {"id": field["id"] * 100 + place, "value": value, "position": place}
        for place, value in enumerate(choices, start=1)
    ]
    return field | {"choices": listed}
